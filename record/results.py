"""What a run's `result.json` holds, as plain JSON; keys that earlier versions lack are `NotRequired`."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from record.types import (
    Analysis,
    Brain,
    Change,
    Debate,
    DeclaredHypothesis,
    EarlierOpenings,
    Figures,
    InstrumentBelief,
    Iteration,
    Lesson,
    Member,
    Metrics,
    MissingEvidence,
    Parent,
    Prices,
    Strategy,
    StressFinding,
    Verdict,
)

Judged = Any
"""A part of the last judgement, as a mapping; None in a run in which nothing was tested."""


class RunTimes(TypedDict):
    """Name and ISO times of a run; `parent` of a fork."""

    id: str
    started: str
    finished: str
    parent: NotRequired[Parent]


class Frame(TypedDict):
    """What every result tells of its run; `spent` is counted over all of it."""

    run: RunTimes
    status: str
    degraded: bool
    brains: dict[str, Brain]
    dataset: Prices
    settings: dict[str, Any]
    spent: NotRequired[dict[str, int]]


class KeptChange(TypedDict):
    """A change that was kept, with the champion's scores around it."""

    iteration: int
    description: str
    kind: str
    change: Change
    reason: str
    score_before: float
    score_after: float


class Standing(TypedDict):
    """A strategy with its figures on both parts; None for a holdout that stayed closed."""

    strategy: Strategy
    development: Figures
    holdout: Figures | None


class FoundStrategy(Standing):
    """The champion, in words too."""

    description: str
    hash: str
    found_in_iteration: int


class UnfoundedClaim(TypedDict):
    """A role's claim with the numbers that no evidence bears out."""

    iteration: int
    role: str
    claim: str
    numbers: list[str]


class RunResult(Frame):
    """Of an optimisation; without a judgement `verdict` and all of the holdout are None."""

    stop_reason: str
    iterations: int
    initial_score: float
    final_score: float
    metrics: Metrics
    holdout_metrics: Metrics | None
    applied_changes: list[KeptChange]
    champion: FoundStrategy
    initial: Standing
    history: list[Iteration]
    verdict: NotRequired[Judged]
    overfitting: NotRequired[Judged]
    missing_evidence: NotRequired[list[MissingEvidence]]
    earlier_openings: NotRequired[list[EarlierOpenings]]
    declared: NotRequired[DeclaredHypothesis]
    instruments: NotRequired[list[InstrumentBelief]]
    sight: NotRequired[Judged]
    attribution: NotRequired[Judged]
    stress: NotRequired[list[StressFinding]]
    holdout: NotRequired[Judged]
    walk_forward: NotRequired[dict[str, Any]]
    trials: NotRequired[int]
    surveyed: NotRequired[int]
    archive: NotRequired[list[Member]]
    unfounded: NotRequired[list[UnfoundedClaim]]
    lessons: NotRequired[list[Lesson]]


class Reviewed(TypedDict):
    """The strategy of a review, in words too."""

    strategy: Strategy
    description: str
    hash: str


class ReviewedProposal(TypedDict):
    """A proposal of a review, with the validator's word; it was not tested."""

    number: int
    sentence: str
    reason: str
    change: Change
    expected_effect: str
    hash: NotRequired[str]
    verdict: Verdict | None


class ReviewRecord(Frame):
    """Of a review."""

    graph: str
    final_score: float
    strategy: Reviewed
    development: Figures
    analysis: Analysis | None
    proposals: list[ReviewedProposal]
    debate: Debate | None
