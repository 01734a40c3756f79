"""A run as its page shows it: the event log folded, event by event, into a few tables.

No page library here: what a page must say is decided, and tested, apart from how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """

    iteration: int
    number: int
    sentence: str
    reason: str
    state: str = "proposed"
    score: float | None = None
    objection: str = ""


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
    """

    iteration: int
    voice: str
    statement: str | None
    stance: str | None
    confidence: float | None
    model: str
    degraded: bool


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
                self.at_work = "baseline"
            case "role_called":
                self.at_work = node
            case "answer" if node == "validator":
                self._judge(iteration, data["verdicts"])
            case "backtest" if node == "baseline":
                self.initial_score = self.score = data["figures"]["score"]
                self.at_work = "analyst"
            case "proposal":
                self.trials[iteration, data["number"]] = Trial(
                    iteration, data["number"], data["sentence"], data["reason"]
                )
            case "backtest" | "error" if node == "backtest_variant":
                self.at_work = "backtest_variant"
                trial = self.trials[iteration, data["number"]]
                trial.state = "tested" if data["figures"] else "failed"
                trial.score = data["figures"]["score"] if data["figures"] else None
            case "decision" if node == "select":
                self.at_work = "debate"
                self.score = data["score"]
                for told in data["trials"]:
                    trial = self.trials[iteration, told["number"]]
                    trial.state, trial.sentence = told["outcome"], told["sentence"]
            case "debate_turn":
                self._hear(iteration, data)
            case "decision" if data.get("stop"):
                self.stop_reason = data["reason"]
                self.at_work = "judge"
            case "holdout":
                self.at_work = "report"
            case "waiting":
                self.at_work = "approve"
            case "finished":
                self.status = data["status"]
                self.at_work = None
            case _:
                pass

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
            )
        )
