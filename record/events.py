"""Every kind of event of a run's log: one class each, with what it tells and the version of its schema.

A new kind is a class here and its texts. The log's line is the event's frame (`Event`) around what the class
tells. Some kinds tell something else at some nodes or under some ids: such a class names them in `at`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from base.entries import EntryError
from base.reasons import ReasonError, complaint
from record.types import (
    Analysis,
    AskedProposal,
    Attempt,
    Budget,
    Champion,
    Decision,
    Doubt,
    EarlierOpenings,
    Figures,
    Item,
    Judgement,
    Lesson,
    Member,
    MissingEvidence,
    Prices,
    Proposal,
    Provenance,
    RecordedTurn,
    Refused,
    Selection,
    Snooping,
    Stance,
    Strategy,
    TestedVariant,
    Verdict,
)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


EVENTS: dict[tuple[str, str], type[EventData]] = {}
"""The class by kind and by the id or node where the kind means it; "" for everywhere else."""


class EventData(_Strict):
    """What an event tells.

    Attributes:
        kind: of the event, as the log has it.
        at: nodes or ids at which the kind means this class; empty for everywhere else.
        version: of the schema. A line without one is of version 1.
        whole: the field that is all of `data` in the log; empty where the fields stand there.
        says: key of the text that tells it on a page, filled with its fields; None for `Narrated` kinds.
        icon: of that line.
    """

    kind: ClassVar[str]
    at: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    whole: ClassVar[str] = ""
    says: ClassVar[str | None]
    icon: ClassVar[str] = "circle"

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Register a class that has a kind.

        Raises:
            EntryError: it does not say how a page tells it, or another class has the kind there already.
        """
        if not hasattr(cls, "kind"):
            return
        if getattr(cls, "says", "") == "":
            raise EntryError(f"{cls.__name__}: says not said")
        for place in cls.at or ("",):
            if (other := EVENTS.setdefault((cls.kind, place), cls)) is not cls:
                raise EntryError(
                    f"{cls.__name__} and {other.__name__} are both {cls.kind} at {place or 'any place'}"
                )

    @property
    def answered_by(self) -> Provenance | None:
        """Where the answer that it tells, or its absence, comes from; None where nobody was asked."""
        return None

    @property
    def doubts(self) -> list[Doubt]:
        """Claims of the answer with numbers that no evidence bears out."""
        return []

    def plain(self) -> dict[str, Any]:
        """`data` of the log's line; only what was given."""
        told = self.model_dump(exclude_unset=True)
        return told[self.whole] if self.whole else told


class Narrated(EventData):
    """What a page tells in a line made for its kind (`threadx.web.narration`), or in none."""

    says = None


class Started(Narrated):
    """A run of the cycle or a review has begun; its prompts are `blind` or name the market, None of old."""

    kind = "started"
    at = ("load",)

    run: str
    dataset: Prices
    others: list[Prices] = []
    strategy: Strategy
    max_iterations: int
    blind: bool | None = None


class PricesRead(Narrated):
    """What was assumed when the prices were read."""

    kind = "read"

    notices: list[Any]


class RoleCalled(Narrated):
    """A role is asked next, for a turn in the debate or for its own work."""

    kind = "role_called"

    debate: bool = False


class Called(Narrated):
    """A model was called: what was sent, every try that failed, and the answer as it came.

    `evidence_tokens` is the budget of the evidence that all roles share, `left_out` what it had no room for.
    """

    kind = "call"

    model: str
    request: str
    prompt: dict[str, Any] | None
    correction: list[str] | None
    failures: list[Attempt]
    answer: str | None
    thinking: str
    prompt_tokens: int | None
    answer_tokens: int | None
    cached: bool
    latency_seconds: float | None
    evidence_tokens: int | None = None
    left_out: list[str] = []


class Answered(Narrated):
    """What every role's answer, or its absence, tells."""

    provenance: Provenance

    @property
    def answered_by(self) -> Provenance:
        """Of every role."""
        return self.provenance


class AnalystAnswer(Answered):
    """The analyst's reading of the champion."""

    kind = "answer"
    at = ("analyst",)

    answer: Analysis

    @property
    def doubts(self) -> list[Doubt]:
        """Of its reading."""
        return self.answer.get("unfounded", [])


class StrategistAnswer(Answered):
    """What the strategist proposed that cannot be tested; the rest are events of their own."""

    kind = "answer"
    at = ("strategist",)

    refused: list[Refused]
    unfounded: list[Doubt] = []

    @property
    def doubts(self) -> list[Doubt]:
        """Of its reasons."""
        return self.unfounded


class ValidatorAnswer(Answered):
    """The validator's word on every proposal, and its trust in the evidence, 0–10."""

    kind = "answer"
    at = ("validator",)

    verdicts: list[Verdict]
    concerns: list[str] = []
    confidence: float | None = None
    unfounded: list[Doubt] = []

    @property
    def doubts(self) -> list[Doubt]:
        """Of its reasons and concerns."""
        return self.unfounded


class SingleAnswer(AnalystAnswer):
    """A whole iteration by one agent."""

    at = ("single",)

    refused: list[Refused]
    verdicts: list[Verdict]
    stance: Stance


class AgentAnswer(Narrated):
    """An agent of the ensemble has answered."""

    kind = "answer"

    status: str
    code: str
    report: dict[str, Any] | None
    coverage: float | None
    degraded: bool
    brought_back: bool = False
    provenance: Provenance | None


class Abstained(Answered):
    """A role could not answer; the other fields are those of its answer, empty."""

    kind = "abstention"
    at = ("analyst", "strategist", "validator", "single")

    answer: None = None
    refused: list[Refused] = []
    verdicts: None = None
    concerns: list[str] = []
    confidence: float | None = None
    unfounded: list[Doubt] = []


class AgentAbstained(AgentAnswer):
    """An agent of the ensemble had nothing to read, or could not answer."""

    kind = "abstention"


class Exhausted(EventData):
    """The rules know no further change."""

    kind = "exhausted"
    says = "web.event.exhausted"
    icon = "hourglass_empty"


class Proposed(Narrated):
    """A proposal that can be tested."""

    kind = "proposal"
    whole = "proposal"

    proposal: Proposal


class LibraryKnown(Narrated):
    """Indicators of the library that conditions of the run could name from its beginning."""

    kind = "library"

    names: list[str]


class CodeExamined(Narrated):
    """Source that somebody proposed, and what the cage found: `refused`, or what was measured of it."""

    kind = "code"

    name: str
    source: str
    refused: dict[str, Any] | None = None
    measured: dict[str, int] = {}
    nearest: list[Any] = []


def code_id(text: str) -> str:
    """Id of the event that tells what the cage found of a text."""
    return f"code.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class IndicatorWritten(EventData):
    """An indicator joined the language of the run: `code` is the event that examined it."""

    kind = "indicator"
    says = "web.event.indicator"
    icon = "functions"

    name: str
    hash: str
    author: str
    parents: list[str]
    code: str


class BaselineTested(Narrated):
    """The initial strategy was tested."""

    kind = "backtest"
    at = ("baseline",)

    figures: Figures


class Surveyed(Narrated):
    """Every configuration of the seeds was tested once: the archive, and the champion it begins with."""

    kind = "survey"

    configurations: int
    champion: Champion
    archive: list[Member]


class VariantEvent(Narrated):
    """What became of a proposal's test."""

    whole = "variant"

    variant: TestedVariant


class VariantTested(VariantEvent):
    """A proposal was tested."""

    kind = "backtest"

    @property
    def figures(self) -> Figures:
        """Of the test."""
        figures = self.variant["figures"]
        assert figures is not None, "the engine has tested it"
        return figures


class VariantFailed(VariantEvent):
    """The engine refused a proposal."""

    kind = "error"


class Selected(Narrated):
    """An iteration is closed: what became of each proposal, and which champion it leaves."""

    kind = "decision"
    at = ("select",)
    whole = "selection"

    selection: Selection


class Converged(Narrated):
    """Whether the search goes on, and why."""

    kind = "decision"
    at = ("converge",)
    whole = "decision"

    decision: Decision


class DebateTurn(Narrated):
    """A voice spoke in the debate, or abstained."""

    kind = "debate_turn"
    whole = "turn"

    turn: RecordedTurn

    @property
    def answered_by(self) -> Provenance:
        """Of the voice."""
        return self.turn["provenance"]

    @property
    def doubts(self) -> list[Doubt]:
        """Of its claims."""
        return self.turn.get("unfounded", [])


class Consensus(Narrated):
    """The voices were counted: who is against the decision, and who was silent."""

    kind = "consensus"

    decision: Stance
    dissent: list[str]
    silent: list[str] = []
    rounds: int = 0
    agreed: bool = False


class Judged(Narrated):
    """The holdout was opened, and the champion judged."""

    kind = "holdout"
    whole = "judgement"

    judgement: Judgement


class Waiting(EventData):
    """A run waits for a person: that time is nobody's work."""

    kind = "waiting"
    says = "web.event.waiting"
    icon = "pan_tool"

    run: str
    iteration: int
    help: str
    proposals: list[AskedProposal]


class Approved(Narrated):
    """A person's word on the proposals: `given` as it came, numbers, and what was edited."""

    kind = "approved"

    given: Any
    accepted: list[int]
    declined: list[int]
    edited: list[dict[str, Any]] = []


class Finished(Narrated):
    """A run's last event: nothing is added after it."""

    kind = "finished"

    status: str
    degraded: bool


class RunFinished(Finished):
    """A run of the cycle or a review has ended; `champion` is a hash."""

    at = ("report", "review")

    champion: str


class EnsembleFinished(Finished):
    """A run of the ensemble has ended."""

    at = ("publish",)

    failure: str
    summary_path: str | None


class EnsembleStarted(Narrated):
    """A run of the ensemble has begun, with what it was given."""

    kind = "started"
    at = ("gather",)

    hour: str
    sample: bool
    coverage: dict[str, float]
    record: dict[str, Any]
    notices: dict[str, Any]
    rows: dict[str, int]


class SummaryChecked(Narrated):
    """The ensemble's summary was checked: `invented` has places by field."""

    kind = "verdict"

    verdict: str
    errors: list[str]
    invented: dict[str, list[int]]


class EvidenceListed(Narrated):
    """What the ids that claims cite stand for."""

    kind = "evidence"

    items: list[Item]


class LessonsRecalled(Narrated):
    """What finished runs taught."""

    kind = "lessons"

    lessons: list[Lesson]


class LedgerEvent(Narrated):
    """What the ledger of trials held; what follows from it is told by others."""

    kind = "ledger"


class LedgerBegun(LedgerEvent):
    """What stood in the ledger when the run began."""

    at = ("i00.ledger",)

    snapshot: dict[str, Any]
    openings: int
    missing: list[MissingEvidence] = []
    opened: list[EarlierOpenings] = []
    declared: dict[str, Any] | None = None
    heads: dict[str, Any] | None = None


class HypothesisTaken(LedgerEvent):
    """Whether the run judges the hypothesis that was declared for its market."""

    at = ("judge.declared",)

    taken: bool


class TrialsFixed(LedgerEvent):
    """The table of trials that the run is judged by."""

    at = ("judge.trials",)

    file: str
    rows: int
    trials: int
    hash: str


class LedgerClosed(LedgerEvent):
    """Where ledger and openings ended when the run was judged."""

    at = ("judge.closed",)

    trials: int
    openings: int
    heads: dict[str, Any]


class EvidenceMissing(LedgerClosed):
    """What of the evidence was missing when the judgement began."""

    at = ("judge.evidence",)

    missing: list[MissingEvidence]


class SearchMeasured(Narrated):
    """Statistics of everything that was looked at; see `nodes.optimization.trials.ledger.search_figures`."""

    kind = "search"

    trials: int
    compared: int
    effective_trials: int | None
    trials_before: int = 0
    trials_by_origin: dict[str, int] = {}
    minimum_backtest_years: float | None = None
    sharpe_variance: float | None = None
    familywise_p: float | None = None
    independent_trials: float | None = None
    cluster_variance: float | None = None
    pbo: float | None = None
    pbo_splits: int | None = None
    data_snooping: Snooping | None = None


class EarlySearch(SearchMeasured):
    """The same as the first versions wrote it."""

    kind = "ledger"
    at = ("judge.ledger",)

    sharpes: list[float] = []


class BudgetMet(Narrated):
    """Which limit was met first, and before which call."""

    kind = "budget"

    budget: Budget
    asked: str
    calls: int


class Noticed(Narrated):
    """A run goes on with something else than it began with."""

    kind = "noticed"

    code: str
    name: str
    then: str
    now: str


class Event(_Strict):
    """One event of a run's log.

    Attributes:
        id: deterministic, unique in the run, for example `i02.strategist.proposal.1`.
        node: where.
        iteration: 0 before the first one.
        cites: ids of the events this one follows from.
        time: ISO, when it was made.
        data: what it tells.
        counts: what it cost, added up over the run (`model_calls`, `tokens`).
        checkpoint: of the graph, at which the step at work began.
        elapsed_seconds: at work until then; None before it stands in the log.
    """

    id: str
    node: str
    iteration: int = 0
    cites: list[str] = []
    time: str
    data: EventData
    counts: dict[str, int] = {}
    checkpoint: str = ""
    elapsed_seconds: float | None = None

    @property
    def kind(self) -> str:
        """Of what it tells."""
        return self.data.kind

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Self:
        """The event that a line of a log holds.

        Raises:
            ReasonError: kind or version is unknown, or a field of `data` is missing, unknown or of another
                type.
            ValidationError: the same for a field of the frame.
        """
        if not isinstance(line, Mapping):
            raise ReasonError("value_mapping")
        frame = dict(line)
        kind, version, told = (
            frame.pop(name, other) for name, other in (("kind", None), ("version", 1), ("data", None))
        )
        schema = _schema(kind, frame.get("id"), frame.get("node"))
        if version != schema.version or isinstance(version, bool):
            limit = ReasonError("value_literal_error", limit=schema.version)
            raise ReasonError("at", where="version", what=limit)
        try:
            data = schema.model_validate({schema.whole: told} if schema.whole else told)
        except ValidationError as error:
            item = error.errors(include_url=False)[0]
            inside = item["loc"][bool(schema.whole) :]
            raise complaint({**item, "loc": ("data", *inside)}) from None
        return cls.model_validate({**frame, "data": data})

    def plain(self) -> dict[str, Any]:
        """The event as its line holds it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "node": self.node,
            "iteration": self.iteration,
            "cites": self.cites,
            "time": self.time,
            "version": self.data.version,
            "data": self.data.plain(),
            **({"counts": self.counts} if self.counts else {}),
            **({"checkpoint": self.checkpoint} if self.checkpoint else {}),
            **({} if self.elapsed_seconds is None else {"elapsed_seconds": self.elapsed_seconds}),
        }


def _schema(kind: object, event_id: object, node: object) -> type[EventData]:
    """The class that a kind means at an id or a node."""
    for place in (event_id, node, ""):
        if isinstance(kind, str) and isinstance(place, str) and (kind, place) in EVENTS:
            return EVENTS[kind, place]
    kinds = sorted({kind for kind, _ in EVENTS})
    known = ReasonError("value_union_tag_invalid", limit=", ".join(kinds))
    raise ReasonError("at", where="kind", what=known)
