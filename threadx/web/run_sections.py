"""The parts of a run's page; each draws what is new since it was last drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from prompts import Words
from record.run_view import ON_ITS_WAY, Debate, RunView, Step, Trial
from record.types import Metrics
from reports.tables import score_note
from threadx.web.frame import Table, Text, attribute, card
from threadx.web.narration import clock, line

METRICS = (
    ("sharpe", "sharpe_ratio", "number"),
    ("return", "total_return", "percent"),
    ("drawdown", "max_drawdown", "percent"),
    ("n_trades", "n_trades", "number"),
)


def scrolled(name: str) -> tuple[Element, Element]:
    """A box of limited height that follows its end, and what to fill; `name` is told by screen readers."""
    box = attribute(ui.element("div").classes("tx-tall tx-live"), "tabindex", "0")
    attribute(attribute(box, "role", "region"), "aria-label", name)
    with box:
        return box, ui.element("div")


def outcome_of(trial: Trial, words: Words) -> str:
    """Where a trial stands."""
    room = "web" if trial.state in ON_ITS_WAY else "optimization"
    told = words(f"{room}.outcome.{trial.state}")
    return words("report.pair", name=told, value=trial.objection) if trial.objection else told


class Board:
    """Every variant beside the strategy the run began with, its figures as they arrive."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._rows: dict[tuple[int, int], list[Text]] = {}
        with card(words("web.section.board")):
            self._none = Text("p", words("web.trials.none"), "tx-soft")
            names = ("iteration", "change", "score", "difference", *(name for name, _, _ in METRICS))
            head = [words(f"web.trials.{name}") for name in (*names, "p_value", "outcome")]
            self._table = Table(head, numbers=range(2, 9), title=1, prose=[9])
            self._table.scroll.set_visibility(False)
            self._note = Text("p", "", "tx-soft")
            self._note.set_visibility(False)

    def draw(self, view: RunView) -> None:
        """Bring the rows up to date."""
        words = self.words
        if view.initial_score is not None and (0, 0) not in self._rows:
            self._none.set_visibility(False)
            self._table.scroll.set_visibility(True)
            self._note.set_visibility(True)
            cells = ["0", words("web.trials.start"), words.number(view.initial_score), "–"]
            initial = view.initial_figures
            if initial is not None:
                self._note.set_text(score_note(initial, words))
            figures = self._figures(initial["metrics"] if initial and "metrics" in initial else {})
            self._rows[0, 0] = self._table.row([*cells, *figures, "–", words("web.outcome.reference")])
        for key, trial in view.trials.items():
            told = self._cells(trial, view.initial_score)
            if key not in self._rows:
                self._rows[key] = self._table.row(told)
            for shown, text in zip(self._rows[key], told, strict=True):
                shown.set_text(text)
            if trial.state == "adopted":
                self._rows[key][-1].classes("tx-good")

    def _figures(self, metrics: Metrics) -> list[str]:
        words = self.words
        return [
            words.percent(metrics.get(name)) if kind == "percent" else words.number(metrics.get(name))
            for _, name, kind in METRICS
        ]

    def _cells(self, trial: Trial, initial: float | None) -> list[str]:
        words = self.words
        difference = None if trial.score is None or initial is None else trial.score - initial
        sign = "+" if difference is not None and difference > 0 else ""
        return [
            str(trial.iteration),
            trial.sentence,
            words.number(trial.score),
            f"{sign}{words.number(difference)}",
            *self._figures(trial.metrics),
            words.number(trial.p_value, 3),
            outcome_of(trial, words),
        ]


class Conversation:
    """The debates, turn by turn, with what each argument rests on."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._drawn = 0
        with card(words("web.section.debate")):
            self._none = Text("p", words("web.debate.none"), "tx-soft")
            self.scroll, self._turns = scrolled(words("web.section.debate"))

    def draw(self, view: RunView) -> None:
        """Add the turns that are new."""
        turns = [(debate, place) for debate in view.debates.values() for place in range(len(debate.turns))]
        for debate, place in turns[self._drawn :]:
            self._add(debate, place, view.evidence)
        self._drawn = len(turns)

    def _add(self, debate: Debate, place: int, evidence: Mapping[str, Mapping[str, Any]]) -> None:
        words, turn = self.words, debate.turns[place]
        provenance = turn["provenance"]
        self._none.set_visibility(False)
        with self._turns:
            if not place:
                Text("h3", words("web.debate.iteration", iteration=debate.iteration))
            name = words(f"report.role.{turn['voice']}")
            if turn["stance"] is None:
                ui.chat_message(words("web.debate.abstained"), name=name)
                return
            stamp = words(
                "web.debate.stamp_degraded" if provenance["degraded"] else "web.debate.stamp",
                stance=words(f"web.debate.{turn['stance']}"),
                confidence=words.percent(turn["confidence"], 0),
                model=provenance["model"],
            )
            with ui.chat_message(name=name, stamp=stamp, sent=turn["voice"] == "strategist"):
                claims = turn.get("claims", [])
                if not claims:
                    Text("div", turn["statement"] or "")
                for claim in claims:
                    Text("div", claim["statement"])
                    if cited := ", ".join(self._cited(one, evidence) for one in claim["evidence"]):
                        Text("div", words("web.debate.rests", evidence=cited), "tx-small")

    def _cited(self, name: str, evidence: Mapping[str, Mapping[str, Any]]) -> str:
        if (item := evidence.get(name)) is None:
            return name
        value = item.get("value")
        shown = self.words.short(value) if isinstance(value, int | float) else str(value)
        return f"{item['name']} {shown} [{name}]"


class Tree:
    """Iteration by iteration: what was found, proposed, tried, kept, and why the search went on."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._shown: dict[int, tuple[Any, ...]] = {}
        self._branches: dict[int, Element] = {}
        with card(words("web.section.tree")):
            self._none = Text("p", words("web.trials.none"), "tx-soft")
            self._root = ui.element("ul").classes("tx-tree")

    def draw(self, view: RunView) -> None:
        """Draw the branches that have changed."""
        for number, step in sorted(view.steps.items()):
            trials = [trial for trial in view.trials.values() if trial.iteration == number]
            state = (*vars(step).values(), *(outcome_of(one, self.words) for one in trials))
            if self._shown.get(number) == state:
                continue
            self._none.set_visibility(False)
            self._shown[number] = state
            if number not in self._branches:
                with self._root:
                    self._branches[number] = ui.element("li")
            branch = self._branches[number]
            branch.clear()
            with branch:
                self._branch(step, trials)

    def _branch(self, step: Step, trials: list[Trial]) -> None:
        words = self.words
        Text("strong", words("web.debate.iteration", iteration=step.iteration))
        with ui.element("ul"):
            if step.analysis:
                Text("li", words("web.tree.weak", points=" ".join(step.analysis)))
            for trial in trials:
                with ui.element("li"):
                    tone = "tx-good" if trial.state == "adopted" else ""
                    told = outcome_of(trial, words)
                    Text("span", words("report.pair", name=trial.sentence, value=told), tone)
                    Text("div", trial.reason, "tx-soft")
            if step.score is not None:
                key = "web.tree.adopted" if step.adopted else "web.tree.kept"
                before = words.number(step.score_before)
                Text("li", words(key, before=before, after=words.number(step.score)))
            if step.consensus:
                Text("li", words(f"web.tree.consensus_{step.consensus}"))
            if step.decision:
                Text("li", words(f"optimization.stop.{step.decision}"))


class Course:
    """Everything that happened, in order."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._drawn = 0
        self._iteration = -1
        self._list: Element | None = None
        with card(words("web.section.timeline")):
            self._none = Text("p", words("web.run.no_event"), "tx-soft")
            self.scroll, self._inside = scrolled(words("web.section.timeline"))

    def draw(self, view: RunView) -> None:
        """Add the events that are new."""
        words = self.words
        for event in view.events[self._drawn :]:
            if (told := line(event, words)) is None:
                continue
            if self._list is None or event.iteration > self._iteration:
                self._list = self._begin(event.iteration)
            with self._list, ui.element("li").classes(f"tx-step tx-{told.tone}"):
                ui.icon(told.icon)
                with ui.element("div"):
                    Text("time", clock(event.time), "tx-small")
                    Text("div", told.title, "tx-step-title")
                    if told.body:
                        Text("div", told.body)
        self._drawn = len(view.events)

    def _begin(self, iteration: int) -> Element:
        """The list that an iteration's events stand in, under its heading."""
        self._none.set_visibility(False)
        self._iteration = iteration
        with self._inside:
            if iteration:
                Text("h3", self.words("web.debate.iteration", iteration=iteration))
            return ui.element("ol").classes("tx-course")
