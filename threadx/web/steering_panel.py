"""The panel of a run's page by which a person steers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import run as threads
from nicegui import ui
from nicegui.element import Element
from pydantic import BaseModel

from base.reasons import ENDINGS
from nodes.optimization.changes import KINDS, SearchRange
from record.events import Waiting
from record.record import RunRecord
from record.run_view import RunView
from threadx.web.frame import RUNS_PATH, Problem, Site, Text, attribute, card, quiet_button
from threadx.web.report_file import pdf, report_path
from threadx.web.steering import Standing, edit_faults, edited, leaves, standing, stop, take_up

CHOICES = ("accept", "reject", "edit")
_FORMS: tuple[type[BaseModel], ...] = (*KINDS.values(), SearchRange)
CHANGE_FIELDS = frozenset(name for form in _FORMS for name in form.model_fields) - {"kind"}
"""What changes are made of, by the texts `changes.field.*`."""

Answers = dict[tuple[int, int], tuple[str, dict[str, str]]]
"""By iteration and proposal: what was chosen, and the values as they were typed."""


class Panel:
    """Buttons to stop and take up a run and for its report, and the question it waits with.

    Args:
        site: what the page belongs to.
        record: the run's.
        bar: takes the buttons.
    """

    def __init__(self, site: Site, record: RunRecord, bar: Element) -> None:
        self.site, self.words, self.record = site, site.words, record
        self.state: Standing | None = None
        self._asked: tuple[Any, ...] | None = None
        self._decided = -1
        self.answered: Answers = {}
        self._seen = 0
        self._line = attribute(Text("p", "", "tx-small"), "aria-live", "polite")
        with bar:
            self._stop = self._button("stop", "stop", self._on_stop)
            self._resume = self._button("resume", "play_arrow", self._on_resume)
        self._problem = Problem()
        self._question = ui.element("div")

    def _button(self, name: str, icon: str, clicked: Callable[[], Awaitable[None]]) -> ui.button:
        button = quiet_button(self.words(f"web.steer.{name}"), icon)
        button.on_click(clicked)
        button.set_visibility(False)
        return button

    def report_button(self) -> None:
        """Add the button that gives the report of a finished run."""
        self._report = self._button("report", "picture_as_pdf", self._on_report)
        self._report.set_visibility(True)

    async def look(self, view: RunView) -> None:
        """Show what can be done now."""
        state = await threads.io_bound(standing, self.site.home, self.record)
        if state is None:
            return
        self.state = state
        self._seen = len(view.events)
        over = view.status is not None
        waits = view.question is not None and not state.held and not over
        self._stop.set_visibility(state.ours and not over)
        idle = state.begun and not state.held and not over
        self._resume.set_visibility(idle and not waits)
        if over:
            line = ""
        elif state.held:
            line = "" if state.ours else self.words("web.steer.elsewhere")
        else:
            line = "" if state.begun else self.words("web.steer.not_begun")
        self._line.set_text(line)
        # A word that was refused leaves the run waiting as it was: the command has said why.
        refused = waits and self._decided == len(view.events)
        failed = not state.held and not over and (refused or not waits)
        if failed and (last := [one for one in state.said if one.strip()]):
            self._problem.tell(last[-1])
        self._ask(view, waits)

    def _ask(self, view: RunView, waits: bool) -> None:
        asked = view.question and view.question.iteration, waits
        if asked == self._asked:
            return
        self._asked = asked
        self._question.clear()
        if waits and view.question is not None:
            with self._question:
                Question(self, view.question)

    async def act(self, function: Callable[..., object], *given: Any) -> bool:
        """Do something that may be refused; the refusal is shown. Whether it was done."""
        try:
            await threads.io_bound(function, *given)
        except ENDINGS as error:
            self._problem.tell(self.words.told(error))
            return False
        self._problem.set_visibility(False)
        return True

    async def _on_stop(self) -> None:
        self._stop.disable()
        self._line.set_text(self.words("web.steer.stopping"))
        await self.act(stop, self.site.home, self.record)
        self._stop.enable()

    async def _on_report(self) -> None:
        """Draw the report as a PDF, say so meanwhile, and hand it over."""
        self._report.disable()
        self._line.set_text(self.words("web.steer.drawing"))
        home, language = self.site.home, self.words.language
        if await self.act(pdf, home, self.record, language):
            ui.download.from_url(report_path(self.record.run).removeprefix(RUNS_PATH))  # the mount is added
        self._line.set_text("")
        self._report.enable()

    async def _on_resume(self) -> None:
        await self.act(take_up, self.site.home, self.record, self.words.language)

    async def decide(self, word: dict[str, Any]) -> None:
        """Hand on a person's word."""
        done = await self.act(take_up, self.site.home, self.record, self.words.language, word)
        if done:
            self._decided = self._seen
            self._question.clear()
            with self._question, card(self.words("web.steer.handed")):
                Text("p", self.words("web.steer.handed_told"), "tx-soft")
            self._asked = None


class Question:
    """The proposals that wait, each with three choices."""

    def __init__(self, panel: Panel, question: Waiting) -> None:
        self.panel, words = panel, panel.words
        self.proposals = question.proposals
        self._choices: dict[int, ui.radio] = {}
        self._edits: dict[int, dict[str, ui.input | ui.textarea]] = {}
        options = {choice: words(f"web.steer.{choice}") for choice in CHOICES}
        self._iteration = iteration = question.iteration
        with card(words("web.steer.question", iteration=iteration)):
            Text("p", words("web.steer.help"), "tx-soft")
            for proposal in self.proposals:
                number = proposal["number"]
                box = attribute(ui.element("fieldset").classes("tx-proposal"), "name", f"proposal-{number}")
                with box:
                    Text("legend", f"{number}. {proposal['sentence']}")
                    Text("p", proposal["reason"])
                    effect = words("web.steer.effect", effect=proposal["expected_effect"])
                    Text("p", effect, "tx-soft")
                    if source := proposal["change"].get("source"):
                        with attribute(ui.element("pre").classes("tx-tall"), "tabindex", "0"):
                            Text("code", str(source))
                    if verdict := proposal["verdict"]:
                        key = f"command.waiting.{verdict['decision']}"
                        said = words(key, reason=verdict["reason"])
                        Text("p", words("report.pair", name=words("report.role.validator"), value=said))
                    usual = "reject" if verdict and verdict["decision"] == "rejected" else "accept"
                    choice, kept = panel.answered.get((iteration, number), (usual, {}))
                    radio = ui.radio(options, value=choice).props("inline")
                    values = {
                        path: "" if value is None else f"{value}"
                        for path, value in leaves(proposal["change"]).items()
                    }
                    self._choices[number] = radio
                    with ui.element("div").classes("tx-form") as fields:
                        self._edits[number] = {
                            path: self._field(path, kept.get(path, value)) for path, value in values.items()
                        }
                    fields.bind_visibility_from(radio, "value", value="edit")
            ui.button(words("web.steer.decide"), icon="how_to_reg", on_click=self._decide).props("no-caps")

    def _field(self, path: str, value: str) -> ui.input | ui.textarea:
        """A field for a value, with lines of its own where the value has some."""
        kind = ui.textarea if "\n" in value else ui.input
        return kind(self._label(path), value=value).props("outlined dense")

    def _label(self, path: str) -> str:
        """The name of a value of a change in the reader's language; a parameter keeps its own name."""
        names = (
            self.panel.words(f"changes.field.{part}") if part in CHANGE_FIELDS else part
            for part in path.split(".")
        )
        return " · ".join(names)

    async def _decide(self) -> None:
        chosen = {number: radio.value for number, radio in self._choices.items()}
        # A word that is refused is not asked for again from the start.
        self.panel.answered = {
            (self._iteration, number): (
                choice,
                {path: one.value for path, one in self._edits[number].items()},
            )
            for number, choice in chosen.items()
        }
        edits = [
            {
                "proposal": proposal["number"],
                "change": edited(
                    proposal["change"],
                    {path: field.value for path, field in self._edits[proposal["number"]].items()},
                ),
            }
            for proposal in self.proposals
            if chosen[proposal["number"]] == "edit"
        ]
        wrong = edit_faults(edits, self.panel.words.language)
        for number, fields in self._edits.items():
            for path, field in fields.items():
                # What is wrong with a range as a whole stands at its first end.
                told = [
                    what
                    for (one, at), what in wrong.items()
                    if one == number and f"{path}.".startswith(f"{at}.")
                ]
                field.error = next(iter(told), None)
        if wrong:
            return
        await self.panel.decide(
            {
                "accept": [number for number, choice in chosen.items() if choice == "accept"],
                "reject": [number for number, choice in chosen.items() if choice == "reject"],
                "edit": edits,
            }
        )
