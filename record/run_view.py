"""A run as its page shows it: the event log folded, event by event, into a few tables.

No page library here: what a page must say is decided, and tested, apart from how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ON_ITS_WAY = ("proposed", "validated", "tested")
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
    """

    iteration: int
    number: int
    sentence: str
    reason: str
    state: str = "proposed"
    score: float | None = None
    objection: str = ""
    effect: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    p_value: float | None = None


@dataclass(frozen=True)
class Turn:
    """One voice in the debate; without a stance it could not answer and abstained.

    Attributes:
        iteration: when.
        voice: `analyst`, `strategist` or `validator`.
        statement: its argument.
        stance: `continue` or `stop`.
        confidence: 0–1.
        model: reference of the model that spoke; empty when none did.
        degraded: whether `rules` stood in for a model.
        claims: what the argument rests on: each a `statement` with the ids of its `evidence`.
    """

    iteration: int
    voice: str
    statement: str | None
    stance: str | None
    confidence: float | None
    model: str
    degraded: bool
    claims: tuple[Mapping[str, Any], ...] = ()


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
    """What a page needs to know of a run; `take` brings it up to date.

    Attributes:
        events: everything taken, in order.
        dataset: symbol, timeframe, rows and hashes; None before the data is read.
        strategy: name of the strategy the run began with.
        initial_score: score of the strategy the run began with.
        score: the champion's score so far.
        iteration: the one at work.
        at_work: node at work; None before the start and after the end.
        trials: by (iteration, number), in order of proposal.
        turns: the debates, in order.
        stop_reason: why the search ended, once it has.
        status: `finished` or `failed` once the run is over.
        degraded: whether `rules` has stood in for a model that did not answer.
        steps: the iterations so far, by number.
        question: what a person is asked, while the run waits for a word.
        evidence: what the ids that claims cite stand for.
        initial_metrics: figures of the strategy the run began with.
        champion: hash of the champion so far.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    dataset: dict[str, Any] | None = None
    strategy: str | None = None
    initial_score: float | None = None
    score: float | None = None
    iteration: int = 0
    at_work: str | None = None
    trials: dict[tuple[int, int], Trial] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    stop_reason: str | None = None
    status: str | None = None
    degraded: bool = False
    steps: dict[int, Step] = field(default_factory=dict)
    question: Mapping[str, Any] | None = None
    evidence: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    initial_metrics: dict[str, Any] = field(default_factory=dict)
    _specs: dict[str, Any] = field(default_factory=dict)
    _folds: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    champion: str = ""

    @property
    def champion_spec(self) -> dict[str, Any] | None:
        """The champion so far as a strategy; None before the first backtest."""
        return self._specs.get(self.champion)

    @property
    def folds(self) -> Sequence[Mapping[str, Any]]:
        """The champion's walk-forward tests so far, as recorded; none in a run that did not keep them."""
        return self._folds.get(self.champion, ())

    @property
    def last_time(self) -> str | None:
        """ISO time of the last event."""
        return self.events[-1]["time"] if self.events else None

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Fold more events in, in the order of the log; kinds this view does not know are only kept."""
        for event in events:
            self.events.append(event)
            self.iteration = max(self.iteration, event["iteration"])
            self.degraded = self.degraded or bool(event["data"].get("provenance", {}).get("degraded"))
            self._fold(event["kind"], event["node"], event["iteration"], event["data"])

    def _fold(self, kind: str, node: str, iteration: int, data: Mapping[str, Any]) -> None:
        match kind:
            case "started":
                self.dataset = data.get("dataset")
                self.strategy = data.get("strategy", {}).get("name")
                self._specs[""] = data.get("strategy")
                self.at_work = "baseline"
            case "role_called":
                self.at_work = node
            case "answer" if node in ("validator", "single"):
                self._judge(iteration, data.get("verdicts", []))
                self._analyse(iteration, data.get("answer", {}))
            case "answer" if node == "analyst":
                self._analyse(iteration, data["answer"])
            case "evidence":
                self.evidence.update({item["id"]: item for item in data["items"]})
            case "backtest" if node == "baseline":
                self.initial_score = self.score = data["figures"]["score"]
                self.initial_metrics = data["figures"].get("metrics", {})
                self.champion = data["figures"].get("hash", "")
                self._specs[self.champion] = self._specs.get("")
                self._keep_folds(data["figures"])
                self.at_work = "analyst"
            case "proposal":
                self.trials[iteration, data["number"]] = Trial(
                    iteration,
                    data["number"],
                    data["sentence"],
                    data["reason"],
                    effect=data.get("expected_effect", ""),
                )
            case "backtest" | "error" if node == "backtest_variant":
                self.at_work = "backtest_variant"
                trial = self.trials[iteration, data["number"]]
                trial.state = "tested" if data["figures"] else "failed"
                trial.p_value = data.get("p_value")
                if figures := data["figures"]:
                    trial.score, trial.metrics = figures["score"], figures.get("metrics", {})
                    self._specs[figures.get("hash", "")] = data.get("spec")
                    self._keep_folds(figures)
            case "decision" if node == "select":
                self.at_work = "debate"
                self.score = data["score"]
                self.champion = data.get("champion", self.champion)
                step = self._step(iteration)
                step.score_before, step.score = data.get("score_before"), data["score"]
                step.adopted = data.get("adopted")
                for told in data["trials"]:
                    trial = self.trials[iteration, told["number"]]
                    trial.state, trial.sentence = told["outcome"], told["sentence"]
            case "debate_turn":
                self._hear(iteration, data)
            case "consensus":
                self._step(iteration).consensus = data["decision"]
                self.at_work = "converge"
            case "decision" if node == "converge":
                self._step(iteration).decision = data["reason"]
                if data["stop"]:
                    self.stop_reason = data["reason"]
                    self.at_work = "judge"
            case "holdout":
                self.at_work = "report"
            case "waiting":
                self.at_work = "approve"
                self.question = data
            case "approved":
                self.question = None
                self.at_work = "backtest_variant"
            case "finished":
                self.status = data["status"]
                self.at_work = None
            case _:
                pass

    def _keep_folds(self, figures: Mapping[str, Any]) -> None:
        self._folds[figures.get("hash", "")] = figures.get("walk_forward", {}).get("per_fold", ())

    def _step(self, iteration: int) -> Step:
        return self.steps.setdefault(iteration, Step(iteration))

    def _analyse(self, iteration: int, answer: Mapping[str, Any]) -> None:
        self._step(iteration).analysis = tuple(answer.get("weaknesses", ()))

    def _judge(self, iteration: int, verdicts: Iterable[Mapping[str, Any]]) -> None:
        for verdict in verdicts:
            trial = self.trials[iteration, verdict["proposal"]]
            trial.state = verdict["decision"]
            if verdict["decision"] == "rejected":
                trial.objection = verdict["reason"]

    def _hear(self, iteration: int, data: Mapping[str, Any]) -> None:
        provenance = data["provenance"]
        self.turns.append(
            Turn(
                iteration,
                data["voice"],
                data["statement"],
                data["stance"],
                data["confidence"],
                provenance["model"],
                bool(provenance["degraded"]),
                tuple(data.get("claims") or ()),
            )
        )
