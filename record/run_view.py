"""A run as everybody sees it: the event log folded, event by event, into a few tables.

Terminal, pages, notebook, reports and checks read this; nobody else folds the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from record.events import (
    Abstained,
    AnalystAnswer,
    Approved,
    BaselineTested,
    Consensus,
    Converged,
    DebateTurn,
    Event,
    EvidenceListed,
    Finished,
    Judged,
    Proposed,
    RoleCalled,
    Selected,
    SingleAnswer,
    Started,
    Surveyed,
    ValidatorAnswer,
    VariantEvent,
    Waiting,
)
from record.types import (
    Analysis,
    Figures,
    Item,
    Metrics,
    Prices,
    Proposal,
    Provenance,
    RecordedTurn,
    Selection,
    Stance,
    Strategy,
    TestedVariant,
    Verdict,
)

ON_ITS_WAY = ("proposed", "validated", "abstained", "tested")
"""States of a trial before the selection gives it an outcome (`optimization.outcome` has those texts)."""


@dataclass
class Trial:
    """One proposal on its way: proposed, judged, tested, then adopted or kept out.

    Attributes:
        iteration: when it was proposed, from 1.
        number: its number in the iteration, from 1.
        sentence: what it changes, in the run's language.
        reason: why its author proposes it.
        state: one of `ON_ITS_WAY`, then the outcome: `adopted`, `rejected`, `failed`, ...
        score: 0–10 on development data, once tested.
        objection: the validator's reason, once rejected.
        effect: what its author expects of it.
        metrics: figures of the development backtest, once tested.
        p_value: chance of its gain over the champion by luck, where it was reckoned.
        excess_t: t-statistic of its excess over holding, by which a population is ranked.
        source: the code that it brings; mostly none.
    """

    iteration: int
    number: int
    sentence: str
    reason: str
    state: str = "proposed"
    score: float | None = None
    objection: str = ""
    effect: str = ""
    metrics: Metrics = field(default_factory=dict)
    p_value: float | None = None
    excess_t: float | None = None
    source: str = ""


@dataclass
class Debate:
    """The debate of an iteration.

    Attributes:
        iteration: its number.
        turns: in order.
        decision: once there is a consensus.
        dissent: voices against it.
    """

    iteration: int
    turns: list[RecordedTurn] = field(default_factory=list)
    decision: Stance | None = None
    dissent: list[str] = field(default_factory=list)


@dataclass
class Step:
    """One iteration of the tree of decisions.

    Attributes:
        iteration: its number.
        analysis: what the analyst held against the strategy.
        adopted: the change that was kept, or None.
        score_before: of the champion that the iteration began with.
        score: of the champion that it ended with; None until the selection.
        consensus: `continue` or `stop`, once the debate has ended.
        decision: why the search goes on or ends, once decided.
    """

    iteration: int
    analysis: tuple[str, ...] = ()
    adopted: str | None = None
    score_before: float | None = None
    score: float | None = None
    consensus: str | None = None
    decision: str | None = None


@dataclass
class RunView:
    """What a run has done so far; `take` brings it up to date.

    Attributes:
        events: everything taken, in order.
        dataset: symbol, timeframe, rows and hashes; None before the data is read.
        strategy: name of the strategy the run began with.
        initial_score: score of the strategy the run began with.
        score: the champion's score so far.
        iteration: the one at work.
        at_work: node at work; None before the start and after the end.
        trials: by (iteration, number), in order of proposal.
        debates: by iteration.
        abstentions: (iteration, role) of each role that could not answer.
        history: the iterations that are closed, by number.
        tested: what was tested, by iteration and number of the proposal.
        stop_reason: why the search ended, once it has.
        status: `finished` or `failed` once the run is over.
        degraded: whether `rules` has stood in for a model that did not answer.
        models: answers by model, those of `rules` where it was asked first among them.
        stood_in: answers that `rules` gave in place of a model.
        steps: the iterations so far, by number.
        question: what a person is asked, while the run waits for a word.
        evidence: what the ids that claims cite stand for.
        initial: the strategy the run began with.
        initial_figures: its figures on development data.
        champion: hash of the champion so far.
        surveyed: what the survey found, in a run that began with one.
    """

    events: list[Event] = field(default_factory=list)
    dataset: Prices | None = None
    strategy: str | None = None
    score: float | None = None
    iteration: int = 0
    at_work: str | None = None
    trials: dict[tuple[int, int], Trial] = field(default_factory=dict)
    debates: dict[int, Debate] = field(default_factory=dict)
    abstentions: list[tuple[int, str]] = field(default_factory=list)
    history: dict[int, Selection] = field(default_factory=dict)
    tested: dict[int, dict[int, TestedVariant]] = field(default_factory=dict)
    stop_reason: str | None = None
    status: str | None = None
    degraded: bool = False
    models: dict[str, int] = field(default_factory=dict)
    stood_in: int = 0
    steps: dict[int, Step] = field(default_factory=dict)
    question: Waiting | None = None
    evidence: dict[str, Item] = field(default_factory=dict)
    initial: Strategy | None = None
    initial_figures: Figures | None = None
    champion: str = ""
    surveyed: Surveyed | None = None
    _tested: dict[str, tuple[Strategy | None, Figures]] = field(default_factory=dict)
    _foregone: dict[int, Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """The view of a run whose events are these."""
        view = cls()
        view.take(events)
        return view

    @property
    def initial_score(self) -> float | None:
        """Of the strategy the run began with."""
        return self.initial_figures["score"] if self.initial_figures else None

    @property
    def champion_spec(self) -> Strategy | None:
        """The champion so far as a strategy; None before the first backtest."""
        return self._tested[self.champion][0] if self.champion in self._tested else None

    @property
    def folds(self) -> Sequence[Mapping[str, Any]]:
        """The champion's walk-forward tests so far, as recorded; none in a run that did not keep them."""
        figures = self._tested[self.champion][1] if self.champion in self._tested else None
        return figures["walk_forward"].get("per_fold", ()) if figures and "walk_forward" in figures else ()

    @property
    def last_time(self) -> str | None:
        """ISO time of the last event."""
        return self.events[-1].time if self.events else None

    @property
    def waits(self) -> bool:
        """Whether the last event leaves the run to a person."""
        return bool(self.events) and isinstance(self.events[-1].data, Waiting)

    def take(self, events: Iterable[Event]) -> None:
        """Fold more events in, in the order of the log; kinds that change nothing here are only kept."""
        for event in events:
            self.events.append(event)
            self.iteration = max(self.iteration, event.iteration)
            if answered_by := event.data.answered_by:
                self._answered(answered_by)
            self.at_work = node_at_work(event, self.at_work)
            self._fold(event)

    def _answered(self, by: Provenance) -> None:
        if by["degraded"]:
            self.degraded = True
            self.stood_in += 1
        elif by["model"]:
            self.models[by["model"]] = self.models.get(by["model"], 0) + 1

    def _fold(self, event: Event) -> None:
        iteration = event.iteration
        match event.data:
            case Started(dataset=dataset, strategy=strategy):
                self.dataset, self.initial = dataset, strategy
                self.strategy = strategy.get("name")
            case SingleAnswer(answer=analysis, verdicts=verdicts):
                # Its proposals, which it judges in the same answer, are the next events.
                self._foregone = {verdict["proposal"]: verdict for verdict in verdicts}
                self._analyse(iteration, analysis)
            case ValidatorAnswer(verdicts=verdicts):
                self._judge(iteration, verdicts)
            case AnalystAnswer(answer=analysis):
                self._analyse(iteration, analysis)
            case Abstained():
                self.abstentions.append((iteration, event.node))
            case EvidenceListed(items=items):
                self.evidence.update({item["id"]: item for item in items})
            case BaselineTested(figures=figures):
                self.initial_figures = figures
                self.score, self.champion = figures["score"], figures.get("hash", "")
                self._tested[self.champion] = self.initial, figures
            case Surveyed(champion=first) as surveyed:
                self.surveyed = surveyed
                self.score, self.champion = first["figures"]["score"], first["figures"].get("hash", "")
                self._tested[self.champion] = first["spec"], first["figures"]
            case Proposed(proposal=proposal):
                self.trials[iteration, proposal["number"]] = Trial(
                    iteration,
                    proposal["number"],
                    proposal["sentence"],
                    proposal["reason"],
                    effect=proposal.get("expected_effect", ""),
                    source=_source(proposal),
                )
                if verdict := self._foregone.pop(proposal["number"], None):
                    self._judge(iteration, [verdict])
            case VariantEvent(variant=variant):
                self._test(iteration, variant)
            case Selected(selection=selection):
                self._select(iteration, selection)
            case DebateTurn(turn=turn):
                self._debate(iteration).turns.append(turn)
            case Consensus(decision=consensus, dissent=dissent):
                debate = self._debate(iteration)
                debate.decision, debate.dissent = consensus, dissent
                self._step(iteration).consensus = consensus
            case Converged(decision=decision):
                self._step(iteration).decision = decision["reason"]
                if decision["stop"]:
                    self.stop_reason = decision["reason"]
            case Waiting() as question:
                self.question = question
            case Approved():
                self.question = None
            case Finished(status=status):
                self.status = status
            case _:
                pass

    def _step(self, iteration: int) -> Step:
        return self.steps.setdefault(iteration, Step(iteration))

    def _debate(self, iteration: int) -> Debate:
        return self.debates.setdefault(iteration, Debate(iteration))

    def _analyse(self, iteration: int, analysis: Analysis) -> None:
        self._step(iteration).analysis = tuple(analysis["weaknesses"])

    def _judge(self, iteration: int, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            trial = self.trials[iteration, verdict["proposal"]]
            trial.state = verdict["decision"]
            if verdict["decision"] == "rejected":
                trial.objection = verdict["reason"]

    def _test(self, iteration: int, variant: TestedVariant) -> None:
        self.tested.setdefault(iteration, {})[variant["number"]] = variant
        trial, figures = self.trials[iteration, variant["number"]], variant["figures"]
        trial.state = "tested" if figures else "failed"
        trial.p_value, trial.excess_t = variant.get("p_value"), variant.get("excess_t")
        if figures:
            trial.score, trial.metrics = figures["score"], figures.get("metrics", {})
            # A search may settle on the champion itself: its own figures stay until a variant is adopted.
            self._tested.setdefault(figures.get("hash", ""), (variant.get("spec"), figures))

    def _select(self, iteration: int, selection: Selection) -> None:
        self.history[iteration] = selection
        self.score = selection["score"]
        self.champion = selection.get("champion", self.champion)
        step = self._step(iteration)
        step.score_before, step.score = selection["score_before"], selection["score"]
        step.adopted = selection["adopted"]
        for told in selection["trials"]:
            trial = self.trials[iteration, told["number"]]
            trial.state, trial.sentence = told["outcome"], told["sentence"]
            if told["outcome"] == "adopted":
                variant = self.tested[iteration][told["number"]]
                if figures := variant["figures"]:
                    self._tested[self.champion] = variant.get("spec"), figures


def node_at_work(event: Event, before: str | None) -> str | None:
    """The node that is at work after an event; `before` where the event changes nothing of it."""
    match event.data:
        case Started():
            return "baseline"
        case RoleCalled():
            return event.node
        case BaselineTested():
            return "analyst"
        case ValidatorAnswer() | SingleAnswer() | Approved() | VariantEvent():
            return "backtest_variant"
        case Selected():
            return "debate"
        case Consensus():
            return "converge"
        case Converged(decision={"stop": True}):
            return "judge"
        case Judged():
            return "report"
        case Waiting():
            return "approve"
        case Finished():
            return None
        case _:
            return before


def _source(proposal: Proposal) -> str:
    """The code that a proposal brings; mostly none."""
    change = proposal.get("change")
    return str(change.get("source", "")) if change else ""
