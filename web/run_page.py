"""Page `/threadx/runs/{run}`: one run, live or long finished, drawn from its log."""

from __future__ import annotations

from nicegui import run as threads
from nicegui import ui
from nicegui.element import Element

from prompts import Words
from reports.errors import ReportError
from reports.markdown import figures_table
from reports.record import RunRecord
from web.frame import RUNS_PATH, Site, Table, Text, anchor, attribute, card, fact, frame, not_found
from web.listing import LogReader, Outcome, read_outcome
from web.narration import clock, line
from web.run_view import ON_ITS_WAY, RunView, Trial, Turn

POLL_SECONDS = 1.0
LONGEST_BUILD = 30.0
"""Seconds a page may take to read a long log before it is first shown."""

_TONES = {"plain": "grey-6", "good": "positive", "bad": "negative", "end": "primary"}


def _scrolled() -> tuple[Element, Element]:
    """A box of limited height that follows its end, and what to fill."""
    box = attribute(ui.element("div").classes("tx-tall tx-live"), "tabindex", "0")
    with box:
        return box, ui.element("div")


class RunBoard:
    """The parts of the page; `draw` adds what has happened since it was last called.

    Attributes:
        view: the run as folded so far.
    """

    def __init__(self, words: Words, name: str) -> None:
        self.words = words
        self.name = name
        self.view = RunView()
        self._rows: dict[tuple[int, int], list[Text]] = {}
        self._turns = 0
        self._events = 0
        self._heading = -1
        self._about = Text("p", "")
        self._state = Text("p", "", "tx-soft")
        self._warning = Text("p", words("report.degraded"), "tx-warn")
        self._warning.set_visibility(False)
        with ui.element("div").classes("tx-facts"):
            help_text = words("web.run.score_help")
            self._start = fact(words("web.run.score_start"), words("web.run.no_score"), help_text)
            self._score = fact(words("web.run.score_now"), words("web.run.no_score"), help_text)
            self._iteration = fact(words("web.run.iteration"), "–")
            self._tried = fact(words("web.run.tried"), "–")
        self._verdict = ui.element("div")
        with card(words("web.section.trials")):
            self._no_trials = Text("p", words("web.trials.none"), "tx-soft")
            columns = ("iteration", "change", "score", "difference", "outcome")
            self._trials = Table([words(f"web.trials.{column}") for column in columns], numbers=[2, 3])
        with card(words("web.section.debate")):
            self._no_debate = Text("p", words("web.debate.none"), "tx-soft")
            self._debate_scroll, self._debate = _scrolled()
        with card(words("web.section.timeline")):
            self._timeline_scroll, inside = _scrolled()
            with inside:
                self._timeline = ui.timeline(side="right")
        self._report = ui.element("div")

    def draw(self) -> None:
        """Bring the page up to date with the view."""
        view, words = self.view, self.words
        if view.dataset is not None and view.strategy is not None:
            self._about.set_text(
                words(
                    "web.run.about",
                    strategy=view.strategy,
                    symbol=view.dataset["symbol"],
                    timeframe=view.dataset["timeframe"],
                )
            )
        self._state.set_text(self._state_line())
        self._warning.set_visibility(view.degraded)
        if view.initial_score is not None:
            self._start.set_text(words.number(view.initial_score))
        if view.score is not None:
            self._score.set_text(words.number(view.score))
        if view.iteration:
            self._iteration.set_text(str(view.iteration))
        self._tried.set_text(str(sum(trial.score is not None for trial in view.trials.values())))
        self._draw_trials()
        for turn in view.turns[self._turns :]:
            self._draw_turn(turn)
        self._turns = len(view.turns)
        for event in view.events[self._events :]:
            if (told := line(event, words)) is None:
                continue
            with self._timeline:
                if event["iteration"] > self._heading:
                    self._heading = event["iteration"]
                    if self._heading:
                        heading = words("web.debate.iteration", iteration=self._heading)
                        ui.timeline_entry(heading, heading=True, tag="h3")
                ui.timeline_entry(
                    told.body or None,
                    title=told.title,
                    subtitle=clock(event["time"]),
                    icon=told.icon,
                    color=_TONES[told.tone],
                )
        self._events = len(view.events)

    def _state_line(self) -> str:
        view, words = self.view, self.words
        if view.status is not None and view.stop_reason is not None:
            reason = words(f"optimization.stop.{view.stop_reason}")
            return words(f"report.status.{view.status}", reason=reason)
        if view.last_time is None:
            return words("web.run.waiting")
        last = words("web.run.last", time=clock(view.last_time), run=self.name)
        if view.at_work is None:
            return last
        return f"{words('web.run.now', node=words(f'web.node.{view.at_work}'))}. {last}"

    def _draw_trials(self) -> None:
        view, words = self.view, self.words
        if view.initial_score is not None and (0, 0) not in self._rows:
            self._no_trials.set_visibility(False)
            cells = ["0", words("web.trials.start"), words.number(view.initial_score), "–"]
            self._rows[0, 0] = self._trials.row([*cells, words("web.outcome.reference")])
        for key, trial in view.trials.items():
            told = self._trial_cells(trial)
            if key not in self._rows:
                self._rows[key] = self._trials.row(told)
            for shown, text in zip(self._rows[key], told, strict=True):
                shown.set_text(text)
            if trial.state == "adopted":
                self._rows[key][-1].classes("tx-good")

    def _trial_cells(self, trial: Trial) -> list[str]:
        words, initial = self.words, self.view.initial_score
        room = "web" if trial.state in ON_ITS_WAY else "optimization"
        outcome = words(f"{room}.outcome.{trial.state}")
        if trial.objection:
            outcome = words("report.pair", name=outcome, value=trial.objection)
        difference = None if trial.score is None or initial is None else trial.score - initial
        sign = "+" if difference is not None and difference > 0 else ""
        return [
            str(trial.iteration),
            trial.sentence,
            words.number(trial.score),
            f"{sign}{words.number(difference)}",
            outcome,
        ]

    def _draw_turn(self, turn: Turn) -> None:
        words = self.words
        self._no_debate.set_visibility(False)
        with self._debate:
            previous = self.view.turns[self._turns - 1] if self._turns else None
            if previous is None or previous.iteration != turn.iteration:
                Text("h3", words("web.debate.iteration", iteration=turn.iteration))
            name = words(f"report.role.{turn.voice}")
            if turn.stance is None:
                ui.chat_message(words("web.debate.abstained"), name=name)
            else:
                stamp = words(
                    "web.debate.stamp_degraded" if turn.degraded else "web.debate.stamp",
                    stance=words(f"web.debate.{turn.stance}"),
                    confidence=words.percent(turn.confidence, 0),
                    model=turn.model,
                )
                ui.chat_message(turn.statement or "", name=name, stamp=stamp)
        self._turns += 1

    def close(self, outcome: Outcome) -> None:
        """Draw what only a finished run has: the figures on both parts of the data, and the report."""
        words = self.words
        for scroll in (self._debate_scroll, self._timeline_scroll):
            scroll.classes(remove="tx-live")
        if outcome.result.get("graph") == "review":
            self._report_of(outcome)
            return
        head, rows = figures_table(outcome.result, words)
        with self._verdict, card(words("web.section.verdict")):
            table = Table(head, numbers=range(1, len(head)))
            for row in rows:
                table.row(row)
            Text("p", words("report.holdout_note"), "tx-soft")
            with ui.element("p"):
                Text("code", outcome.result["champion"]["description"])
        self._report_of(outcome)

    def _report_of(self, outcome: Outcome) -> None:
        """The whole report, folded; all that a review has to close with."""
        words = self.words
        if outcome.report:
            with self._report, ui.expansion(words("web.section.report"), icon="description"):
                ui.markdown(outcome.report).classes("tx-report")


class RunWatch:
    """Keeps a page in step with its run's log, until the run is over."""

    def __init__(self, site: Site, record: RunRecord) -> None:
        self.reader = LogReader(record)
        self.record = record
        self.board = RunBoard(site.words, record.run)
        self.over = False

    async def look(self) -> None:
        """Read what is new, off the server's loop, and draw it."""
        events = await threads.io_bound(self.reader.new_events)
        self.board.view.take(events or [])
        self.board.draw()
        if self.board.view.status is not None:
            outcome = await threads.io_bound(read_outcome, self.record)
            self.over = True
            if outcome is not None:
                self.board.close(outcome)


def _known(site: Site, name: str) -> RunRecord | None:
    """The run's record; None for a name that is no run's, or that would leave the data folder."""
    try:
        record = RunRecord(site.home, name)
    except ReportError:
        return None
    return record if record.exists() else None


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/runs/{name}", response_timeout=LONGEST_BUILD)
    async def run_page(name: str) -> None:
        record = await threads.io_bound(_known, site, name)
        if record is None:
            not_found(site, "run")
            return
        with frame(site, words("web.run.title", run=name), RUNS_PATH):
            anchor(words("web.back"), RUNS_PATH)
            watch = RunWatch(site, record)
            try:
                await watch.look()
            except ReportError:
                Text("p", words("web.not_found.unreadable"), "tx-warn")
                return

            async def poll() -> None:
                await watch.look()
                if watch.over:
                    timer.deactivate()

            if not watch.over:
                timer = ui.timer(POLL_SECONDS, poll)
