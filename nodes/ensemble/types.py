"""What has a name in the ensemble, as the plain JSON that state, trace and logs carry.

Typed dictionaries, because a checkpoint keeps nothing but plain JSON. Rows of evidence hold at least what is
said here: those of a plugin's agent have more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from base.reasons import PlainError
from nodes.ensemble.schemas import (
    Act,
    ContributorHorizon,
    Direction,
    Level,
    Prediction,
    ProposalHorizon,
    Regime,
    Size,
)
from prompts import Language
from providers.training import Knowledge

Outlook = Literal["outlook_days_7", "outlook_days_30"]
Shares = dict[str, float]
"""Probabilities of `positive`, `neutral` and `negative`."""


class Row(TypedDict):
    """A row of an agent's evidence: what a reason cites it by."""

    id: str


class _Shown(TypedDict):
    """What a summary tells of a row; the score has two decimals."""

    horizon: ContributorHorizon
    symbol: str
    score: float
    prediction: Prediction


class CitedRow(_Shown):
    """A row in the form in which a summary may cite it."""

    id: str


class Sourced(_Shown):
    """What is told of a row, with where it comes from and what made it."""

    source: str
    model: str


class Candidate(Sourced):
    """A row that a summary may cite."""

    id: str


class Contributor(Sourced):
    """A `schemas.Contributor` as JSON."""

    rationale: str


class Proposal(TypedDict):
    """A `schemas.Proposal` as JSON."""

    act: Act
    instrument: str
    horizon: ProposalHorizon
    size: Size
    sentence: str
    reversal: str


class Recommendation(Proposal):
    """A `schemas.Recommendation` as JSON."""

    until: str
    expected_move: float | None
    costs: float
    voice: str
    skill: float | None
    windows: int


class Draft(TypedDict):
    """A `schemas.ArbiterAnswer` as JSON."""

    regime: Regime
    risk_level: Level
    outlook_days_7: Direction
    outlook_days_30: Direction
    key_drivers: list[str]
    contributors: list[Contributor]
    limits: list[str]
    tensions: list[str]
    recommendations: list[Proposal]


class Reason(TypedDict):
    """A `schemas.Driver` or `schemas.Concern` as JSON."""

    text: str
    evidence: list[str]
    severity: NotRequired[Level]


class Report(TypedDict, total=False):
    """What an agent answered, as JSON: of one with a view on markets, or of quality."""

    outlook_days_7: Shares
    outlook_days_30: Shares
    drivers: list[Reason]
    concerns: list[Reason]
    confidence: float
    regime: Regime
    risk_level: Level


class Expected(TypedDict):
    """What is forecast of an instrument over a horizon; the return is a fraction."""

    prediction: Prediction
    expected_return: float | None


Forecasted = dict[str, dict[str, Expected]]
"""By instrument and horizon (`7d`, `30d`)."""


class ArbiterEvidence(TypedDict):
    """What the arbiter's rules go by; facts of a plugin's agent stand beside these."""

    language: Language
    reports: dict[str, Report]
    pooled: dict[Outlook, Shares]
    instruments: Forecasted
    candidates: list[Candidate]
    recession_prob: NotRequired[float | None]


class Problem(TypedDict):
    """A `feeds.partitions.Problem` as JSON."""

    code: str
    file: str
    row: int | None
    reason: str | PlainError


class Notices(TypedDict):
    """What was missing, stale, refused or quarantined when the evidence was gathered."""

    problems: list[Problem]
    more_problems: int
    missing_files: list[str]
    absent_figures: list[str]
    quarantined: int
    doubtful: int
    duplicates: int
    few_sectors: NotRequired[dict[str, int]]
    sector_news: NotRequired[int]
    news: int
    forecasts: int


class Skill(TypedDict):
    """What a voice's scored forecasts are worth: skill, and windows that do not overlap."""

    skill: float
    windows: int


class Standing(TypedDict):
    """What the agents' records made of their weights at an hour, and what that rests on."""

    as_of: str
    factors: dict[str, float]
    based_on: dict[str, Skill]


Voice = TypedDict("Voice", {"model": str, "7d": list[float], "30d": list[float]})
"""The model that spoke, and its probabilities of each horizon: positive, neutral, negative."""


class Stances(TypedDict):
    """What each voice said of the market at an hour."""

    hour: str
    made: str
    live: bool
    voices: dict[str, Voice]


class RunEnd(TypedDict):
    """How a run ended: `failure` is a code, `reason` the error that stopped it."""

    status: Literal["finished", "degraded", "failed"]
    failure: str | None
    reason: NotRequired[PlainError | None]


class RunLine(RunEnd):
    """A run's line in the log of runs; those of earlier versions hold less."""

    run: str
    hour: str | None
    seconds: float
    time: NotRequired[str]
    kind: NotRequired[Literal["run"]]
    roles: NotRequired[dict[str, str]]
    models: NotRequired[dict[str, str]]
    attempts: NotRequired[int]
    prompt_tokens: NotRequired[int]
    answer_tokens: NotRequired[int]
    cached: NotRequired[int]


class ModelMemory(TypedDict):
    """Whether an hour lies in a model's training data, and the ISO day on which they end, if known."""

    label: Knowledge
    until: str | None


class Memory(TypedDict):
    """The gravest label of an hour that was made later, and that of each of its models."""

    label: Knowledge
    models: dict[str, ModelMemory]


class TraceRun(TypedDict, total=False):
    """What a trace tells of its run; `parent` is where a fork comes from."""

    run: str
    parent: Any
    hour: str
    language: str
    sample: bool
    memory: Memory | None
    status: str
    degraded: bool
    speaking: int
    removed_contributors: int
    removed_sentences: int
    completed: int


class TraceInputs(TypedDict, total=False):
    """What a run was given."""

    evidence: Mapping[str, Sequence[Row]]
    coverage: dict[str, float]
    record: dict[str, float]
    notices: Notices
    instruments: Forecasted


class Said(TypedDict, total=False):
    """The verdicts of a `schemas.LLMEnsembleSummary` as JSON; the rest of it stands beside them."""

    regime: str
    risk_level: str
    outlook_days_7: str
    outlook_days_30: str


class Trace(TypedDict, total=False):
    """An hour's trace for the audit, whichever version wrote it."""

    run: TraceRun
    inputs: TraceInputs
    pooled: dict[Outlook, Shares]
    stances: Stances
    messages: Sequence[object]
    raw: Sequence[object]
    summary: Said
