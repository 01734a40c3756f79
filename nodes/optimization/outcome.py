"""What the optimisation and the review give back: of the state, the part that a caller is after.

The LangGraph server shows these as output schemas. They forbid nothing: the whole result has more
keys, and stands in `result.json`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from backtest.validation.verdict import Value
from nodes.optimization.converge import Reason
from record.results import ReviewedProposal
from record.types import Analysis, Debate, Strategy

Score = Annotated[float, Field(ge=0.0, le=10.0)]
Metrics = dict[str, float | None]
RUN = "Name of the run: its files lie under runs/NAME in the data folder."
Degraded = Annotated[
    bool, Field(title="Degraded", description="Whether rules stood in for a model that did not answer.")
]


class RunLine(BaseModel):
    """Which run, and when."""

    id: Annotated[str, Field(title="Run", description=RUN)]
    started: Annotated[str, Field(title="Started", description="ISO time, UTC.")]
    finished: Annotated[str, Field(title="Finished", description="ISO time, UTC.")]
    parent: Annotated[
        dict[str, str] | None,
        Field(title="Parent", description="Of a fork: the run and the checkpoint it comes from."),
    ] = None


class NamedStrategy(BaseModel):
    """A strategy, for machines and in a sentence."""

    strategy: Annotated[
        Strategy,
        Field(title="Strategy", description="Whole, as JSON: it can be given as an input's spec."),
    ]
    description: Annotated[str, Field(title="Description", description="In the run's language.")]
    hash: Annotated[str, Field(title="Hash", description="The same for the same strategy.")]


class Verdict(BaseModel):
    """The verdict."""

    value: Annotated[
        Value, Field(title="Verdict", description="From the search, the stress tests and the holdout.")
    ]


class AppliedChange(BaseModel):
    """A change that was kept."""

    iteration: Annotated[int, Field(title="Iteration", description="When.")]
    description: Annotated[str, Field(title="Change", description="In the run's language.")]
    reason: Annotated[str, Field(title="Reason", description="Why it was proposed.")]
    score_before: Annotated[Score, Field(title="Score before", description="0 to 10, on development data.")]
    score_after: Annotated[Score, Field(title="Score after", description="0 to 10, on development data.")]


class OptimizationResult(BaseModel):
    """The outcome of an optimisation."""

    run: Annotated[RunLine, Field(title="Run", description="Which run, and when.")]
    status: Annotated[
        Literal["finished", "untested", "failed"],
        Field(
            title="Status",
            description="untested: no proposal was tested; failed: there was none. No holdout opened.",
        ),
    ]
    degraded: Degraded
    stop_reason: Annotated[Reason, Field(title="Stop reason", description="Why no further iteration came.")]
    iterations: Annotated[int, Field(title="Iterations", description="Rounds of the cycle.")]
    trials: Annotated[int, Field(title="Trials", description="Strategies that were tested.")]
    initial_score: Annotated[Score, Field(title="Initial score", description="0 to 10, on development data.")]
    final_score: Annotated[Score, Field(title="Final score", description="0 to 10, on development data.")]
    verdict: Annotated[
        Verdict | None,
        Field(title="Verdict", description="The verdict; null where nothing was judged."),
    ]
    champion: Annotated[NamedStrategy, Field(title="Champion", description="The strategy found.")]
    applied_changes: Annotated[
        list[AppliedChange], Field(title="Applied changes", description="What was changed, in order.")
    ]
    metrics: Annotated[
        Metrics,
        Field(title="Metrics", description="Of the champion on development data; null where undefined."),
    ]
    holdout_metrics: Annotated[
        Metrics | None,
        Field(title="Holdout metrics", description="Of the champion on data that nothing before had read."),
    ]


class OptimizationOutput(BaseModel):
    """What an optimisation gives back."""

    run_id: Annotated[str | None, Field(title="Run", description=RUN)] = None
    result: Annotated[
        OptimizationResult | None,
        Field(title="Result", description="null until the run has ended, as where it waits for a person."),
    ] = None


class ReviewResult(BaseModel):
    """The outcome of a review."""

    run: Annotated[RunLine, Field(title="Run", description="Which run, and when.")]
    status: Annotated[
        Literal["finished", "failed"], Field(title="Status", description="failed: nobody proposed anything.")
    ]
    degraded: Degraded
    final_score: Annotated[Score, Field(title="Score", description="0 to 10, on development data.")]
    strategy: Annotated[NamedStrategy, Field(title="Strategy", description="What was reviewed.")]
    analysis: Annotated[
        Analysis | None,
        Field(
            title="Analysis",
            description="Strengths, weaknesses, hypotheses; null where the analyst abstained.",
        ),
    ]
    proposals: Annotated[
        list[ReviewedProposal],
        Field(
            title="Proposals", description="Typed changes, each with its reason and the validator's verdict."
        ),
    ]
    debate: Annotated[
        Debate | None,
        Field(title="Debate", description="Its decision and turns; null where it is off."),
    ]


class ReviewOutput(BaseModel):
    """What a review gives back."""

    run_id: Annotated[str | None, Field(title="Run", description=RUN)] = None
    result: Annotated[
        ReviewResult | None, Field(title="Result", description="null until the run has ended.")
    ] = None
