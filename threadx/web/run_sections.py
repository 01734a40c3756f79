"""Tabs of a run's page that follow its course: the debate with its iteration, and the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from base.errors import catalogue
from prompts import Words
from record.run_view import Debate, RunView, Step, Trial
from reports.words import figure
from threadx.web.frame import Text, attribute, card
from threadx.web.narration import clock, line
from threadx.web.run_variants import outcome_of

_OF_TEST = re.compile(r"I\d+\.\d+")
"""How evidence names a test: its iteration, and its number there."""


class Iterations:
    """A choice among the iterations of a run: the newest, until a person looks back.

    Args:
        words: language.
        chosen: called when another one is chosen.
    """

    def __init__(self, words: Words, chosen: Callable[[], None]) -> None:
        self.words, self._chosen = words, chosen
        self._numbers: list[int] = []
        self._follows = True
        self._setting = False
        with ui.element("div").classes("tx-choice-row") as self.box:
            self._back = self._step(-1, "chevron_left", "earlier")
            self.choice = ui.select({}, label=words("web.run.iteration"), on_change=self._picked)
            self.choice.props("outlined dense options-dense").classes("tx-pick")
            self._on = self._step(1, "chevron_right", "later")
        self.box.set_visibility(False)

    def _step(self, by: int, icon: str, name: str) -> ui.button:
        button = ui.button(icon=icon, color=None, on_click=lambda: self._move(by)).props("flat dense")
        attribute(button, "aria-label", self.words(f"web.run.{name}"))
        return button.classes("tx-quiet")

    @property
    def number(self) -> int | None:
        """The one that is looked at."""
        value: int | None = self.choice.value
        return value

    def offer(self, numbers: list[int]) -> None:
        """The iterations there are."""
        if numbers == self._numbers or not numbers:
            return
        self._numbers = numbers
        names = {number: self.words("web.debate.iteration", iteration=number) for number in numbers}
        self._setting = True
        self.choice.set_options(names, value=numbers[-1] if self._follows else self.choice.value)
        self._setting = False
        self.box.set_visibility(len(numbers) > 1)

    def _picked(self) -> None:
        if self._setting:
            return
        self._follows = self.choice.value == self._numbers[-1]
        self._chosen()

    def _move(self, by: int) -> None:
        place = self._numbers.index(self.choice.value) + by
        if 0 <= place < len(self._numbers):
            self.choice.set_value(self._numbers[place])


class Conversation:
    """One iteration at a time: what was found and tried, then its debate, turn by turn, with its evidence."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._view = RunView()
        self._shown: object = None
        self._none = Text("p", words("web.debate.none"), "tx-soft")
        self._iterations = Iterations(words, self._draw)
        self._box = ui.element("div")

    def draw(self, view: RunView) -> None:
        """Bring the iteration that is looked at up to date."""
        self._view = view
        self._iterations.offer(sorted({*view.steps, *view.debates}))
        self._draw()

    def _draw(self) -> None:
        view, number = self._view, self._iterations.number
        if number is None:
            return
        step, debate = view.steps.get(number), view.debates.get(number)
        trials = [trial for trial in view.trials.values() if trial.iteration == number]
        turns = len(debate.turns) if debate else 0
        state = (
            number,
            turns,
            step and tuple(vars(step).values()),
            [outcome_of(one, self.words) for one in trials],
        )
        if state == self._shown:
            return
        self._shown = state
        self._none.set_visibility(False)
        self._box.clear()
        with self._box:
            if step is not None:
                with card(self.words("web.section.tree")), ui.element("ul").classes("tx-tree"):
                    self._branch(step, trials)
            if debate is not None:
                with card(self.words("web.section.debate")):
                    self._debate(debate, view.evidence)

    def _branch(self, step: Step, trials: list[Trial]) -> None:
        words = self.words
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

    def _debate(self, debate: Debate, evidence: Mapping[str, Mapping[str, Any]]) -> None:
        """Each turn once: one that repeats the same voice's word for word is told by its number."""
        said: dict[tuple[Any, ...], int] = {}
        for turn in debate.turns:
            claims = tuple((claim["statement"], *claim["evidence"]) for claim in turn.get("claims", []))
            key = (turn["voice"], turn["stance"], turn["statement"], claims)
            said[key] = said.get(key, 0) + 1
        for turn in debate.turns:
            claims = tuple((claim["statement"], *claim["evidence"]) for claim in turn.get("claims", []))
            times = said.pop((turn["voice"], turn["stance"], turn["statement"], claims), 0)
            if times:
                self._turn(turn, evidence, times)

    def _turn(self, turn: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], times: int) -> None:
        words, provenance = self.words, turn["provenance"]
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
        if times > 1:
            stamp = words("web.debate.repeated", stamp=stamp, count=times)
        with ui.chat_message(name=name, stamp=stamp, sent=turn["voice"] == "strategist"):
            claims = turn.get("claims", [])
            if not claims:
                Text("div", turn["statement"] or "")
            for claim in claims:
                Text("div", claim["statement"])
                if cited := ", ".join(self._cited(one, evidence) for one in claim["evidence"]):
                    Text("div", words("web.debate.rests", evidence=cited), "tx-small")

    def _cited(self, name: str, evidence: Mapping[str, Mapping[str, Any]]) -> str:
        words = self.words
        if (item := evidence.get(name)) is None:
            return words("web.debate.of_test", number=name[1:]) if _OF_TEST.fullmatch(name) else name
        label = catalogue("report", words.language).get(f"metric.{item['name']}", item["name"])
        value = item.get("value")
        shown = figure(words, item["name"], value) if isinstance(value, int | float) else str(value)
        return words("report.explain.figure", name=label, value=shown)


class Course:
    """What happened in an iteration, in order; before the first one that is the start of the run."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._view = RunView()
        self._shown: tuple[int | None, int] = (None, 0)
        self._list: Element | None = None
        self._iterations = Iterations(words, self._draw)
        with card(words("web.section.timeline")):
            self._none = Text("p", words("web.run.no_event"), "tx-soft")
            self._inside = attribute(ui.element("div").classes("tx-tall"), "tabindex", "0")
            attribute(attribute(self._inside, "role", "region"), "aria-label", words("web.section.timeline"))

    def draw(self, view: RunView) -> None:
        """Add the events that are new."""
        self._view = view
        self._iterations.offer(sorted({event.iteration for event in view.events}))
        self._draw()

    def _draw(self) -> None:
        number = self._iterations.number
        events = [event for event in self._view.events if event.iteration == number]
        shown, count = self._shown
        if number != shown or self._list is None:
            self._inside.clear()
            count = 0
            with self._inside:
                self._list = ui.element("ol").classes("tx-course")
        for event in events[count:]:
            if (told := line(event, self.words)) is None:
                continue
            self._none.set_visibility(False)
            with self._list, ui.element("li").classes(f"tx-step tx-{told.tone}"):
                ui.icon(told.icon)
                with ui.element("div"):
                    Text("time", clock(event.time), "tx-small")
                    Text("div", told.title, "tx-step-title")
                    if told.body:
                        Text("div", told.body)
        self._shown = number, len(events)
