"""What the agents and the arbiter answer. Descriptions and bounds are the output instruction.

An agent with a view on markets answers an `AgentReport`: a stance over 7 and 30 days, a confidence, reasons
with the rows they rest on. Quality answers a confidence and concerns with their rows, and no stance: a third
for each outcome would be an opinion that nobody holds. Its say is arithmetic on trust and doubt
(`quality.rows`, `pooling.weights`). How much of an agent's data was there is counted by code, for all alike.
Free text stands last, for it decides nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field

from base.numbers import Numeric
from nodes.seam.free_text import FREE_TEXT

Regime = Literal["expansion_modérée", "désinflation", "contraction", "incertain"]
Level = Literal["low", "medium", "high"]
Direction = Literal["positive", "neutral", "negative"]
Prediction = Literal["haussier", "baissier", "neutre"]
ContributorHorizon = Literal["7d", "30d", "1m", "1y", "n/a"]
Verdict = Literal["regime", "risk_level", "outlook_days_7", "outlook_days_30"]
ChangeKind = Verdict | Literal["recommendation", "alert", "limit"]
AlertCode = Literal["success", "failures", "latency"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""Fields of a summary that hold its judgement."""

Act = Literal["keep", "add", "reduce", "wait", "hedge"]
Size = Literal["small", "medium", "large"]
ProposalHorizon = Literal["7d", "30d"]

DAYS: dict[ProposalHorizon, int] = {"7d": 7, "30d": 30}
"""Horizons of an outlook, and their days."""

Sentence = Annotated[str, Field(min_length=1, max_length=320)]
Reason = Annotated[Sentence, FREE_TEXT]
Identifier = Annotated[str, Field(min_length=2, max_length=8)]
Code = Annotated[str, Field(min_length=1, max_length=400)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(Numeric):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Stance(_Strict):
    """Probabilities of the three outcomes; they add up to 1."""

    positive: Annotated[Share, Field(description="Probability that prices are clearly higher.")]
    neutral: Annotated[Share, Field(description="Probability that they hardly move.")]
    negative: Annotated[Share, Field(description="Probability that they are clearly lower.")]


class Driver(_Strict):
    """One reason."""

    evidence: Annotated[
        list[Identifier],
        Field(min_length=1, max_length=4, description="Identifiers of the rows it rests on."),
    ]
    text: Annotated[Reason, Field(description="One sentence a non-expert understands, figures as given.")]


class AgentReport(_Strict):
    """What an agent with a view on markets answers."""

    outlook_days_7: Annotated[Stance, Field(description="Markets over 7 days.")]
    outlook_days_30: Annotated[Stance, Field(description="Markets over 30 days.")]
    confidence: Annotated[Share, Field(description="How far this report can be relied on.")]
    drivers: Annotated[
        list[Driver], Field(min_length=1, max_length=5, description="Main reasons, first first.")
    ]


class TechnicalReport(AgentReport):
    """The technical agent's reading of the forecasts."""


class SentimentReport(AgentReport):
    """The sentiment agent's reading of seven days of news."""


class _Economy(_Strict):
    """What the figures of the economy come to."""

    regime: Annotated[Regime, Field(description="State of the economy; incertain when the figures disagree.")]
    risk_level: Annotated[Level, Field(description="Risk that the economy hurts markets.")]


class MacroReport(AgentReport, _Economy):
    """The macro agent's reading of the economy."""


class Concern(_Strict):
    """One weakness of the data."""

    severity: Annotated[Level, Field(description="How much it weakens a conclusion.")]
    evidence: Annotated[
        list[Identifier],
        Field(min_length=1, max_length=4, description="Identifiers of the rows it rests on."),
    ]
    text: Annotated[Reason, Field(description="What is weak, in one sentence a non-expert understands.")]


class QualityReport(_Strict):
    """The quality agent's judgement of the data itself, never a view on markets."""

    confidence: Annotated[Share, Field(description="How far a conclusion from this data can be relied on.")]
    concerns: Annotated[
        list[Concern], Field(max_length=6, description="Weaknesses, gravest first; may be empty.")
    ]


class Contributor(_Strict):
    """A row of evidence, copied from the rows given."""

    # Any source and model: an hour that was published with another agent is read all the same. The arbiter
    # may name those of today's agents alone (`case.summary_of`).

    source: Annotated[str, Field(max_length=40, description="Where the row comes from.")]
    model: Annotated[str, Field(max_length=40, description="What made the row.")]
    horizon: Annotated[ContributorHorizon, Field(description="Its horizon.")]
    symbol: Annotated[
        str, Field(min_length=1, max_length=40, description="Its instrument or source, as given.")
    ]
    score: Annotated[Share, Field(description="Its score, as given.")]
    prediction: Annotated[Prediction, Field(description="Its prediction, as given.")]
    rationale: Annotated[Sentence, Field(description="Why it matters, in one sentence.")]


class Proposal(_Strict):
    """One thing to do, as the arbiter proposes it; code adds date, figures and record (`Recommendation`)."""

    act: Annotated[Act, Field(description="What to do: wait is to do nothing yet, hedge to limit a loss.")]
    instrument: Annotated[
        str, Field(min_length=1, max_length=40, description="With what; MARKET for the market as a whole.")
    ]
    horizon: Annotated[ProposalHorizon, Field(description="For how long.")]
    size: Annotated[Size, Field(description="How much of the reader's savings it concerns.")]
    sentence: Annotated[Sentence, Field(description="What to do, in one plain sentence, figures as given.")]
    reversal: Annotated[Sentence, Field(description="What would change this advice, in a few words.")]


class Recommendation(Proposal):
    """A proposal with what code knows of it."""

    until: Annotated[
        str,
        Field(max_length=10, pattern=r"^\d{4}-\d{2}-\d{2}$", description="Day on which its horizon ends."),
    ]
    expected_move: Annotated[
        float | None,
        Field(
            ge=-1.0, le=10.0, description="Return that its forecasts expect over the horizon, as a fraction."
        ),
    ]
    costs: Annotated[
        Share,
        Field(description="Buying and selling again, as a fraction; 0 if nothing is traded."),
    ]
    voice: Annotated[str, Field(max_length=40, description="Whose past forecasts its record counts.")]
    skill: Annotated[
        float | None,
        Field(
            ge=-1000.0, le=1.0, description="Gain of their Brier score over climatology; none scored: null."
        ),
    ]
    windows: Annotated[int, Field(ge=0, le=100_000, description="Scored forecasts that do not overlap.")]


class Change(_Strict):
    """What a summary says otherwise than the one published before it."""

    kind: Annotated[ChangeKind, Field(description="What has changed.")]
    before: Annotated[
        str | None, Field(max_length=320, description="What was said, or null where it is new.")
    ] = None
    now: Annotated[
        str | None, Field(max_length=320, description="What is said, or null where it has ended.")
    ] = None


class _Judgement(_Strict):
    """What a summary says apart from its advice."""

    regime: Annotated[Regime, Field(description="State of the economy.")]
    risk_level: Annotated[Level, Field(description="Risk for an investor over the next month.")]
    outlook_days_7: Annotated[Direction, Field(description="Markets over 7 days.")]
    outlook_days_30: Annotated[Direction, Field(description="Markets over 30 days.")]
    contributors: Annotated[
        list[Contributor],
        Field(min_length=3, max_length=12, description="Rows of evidence used, copied exactly."),
    ]
    key_drivers: Annotated[
        list[Sentence], Field(min_length=3, max_length=5, description="What matters most, in plain words.")
    ]
    limits: Annotated[
        list[Sentence], Field(max_length=20, description="What this summary does not know; may be empty.")
    ]
    tensions: Annotated[
        list[Sentence],
        Field(max_length=6, description="Contradictions between the agents, named; may be empty."),
    ]


class ArbiterAnswer(_Judgement):
    """The investment summary, for a reader who is not an expert, as the arbiter answers it."""

    recommendations: Annotated[
        list[Proposal], Field(min_length=3, max_length=5, description="What to do, most important first.")
    ]


class LLMEnsembleSummary(_Judgement):
    """The investment summary, for a reader who is not an expert."""

    recommendations: Annotated[
        list[Sentence], Field(min_length=3, max_length=5, description="What to do or watch, in plain words.")
    ]
    # Put in by code. Summaries of earlier versions have none of it.
    recommendation_details: list[Recommendation] = Field(
        default_factory=list, max_length=5, description="Of each recommendation, what it is exactly."
    )
    since: str | None = Field(
        default=None, max_length=40, description="Hour of the summary before it, ISO; null without one."
    )
    changes: list[Change] = Field(
        default_factory=list, max_length=60, description="What has changed since then, by code."
    )
    alerts: list[AlertCode] = Field(
        default_factory=list, max_length=3, description="Alerts of the operation raised at the time."
    )
    limit_codes: list[Code] = Field(
        default_factory=list, max_length=20, description="What the first limits, in their order, are about."
    )
