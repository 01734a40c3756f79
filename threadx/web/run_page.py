"""Page `/threadx/runs/{run}`: one run, live or long finished, drawn from its log, and steered."""

from __future__ import annotations

from pathlib import Path

from nicegui import run as threads
from nicegui import ui

from record.errors import ReportError
from record.labels import Label, read_label
from record.log_reader import LogReader
from record.record import RunRecord, as_recorded
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from record.types import About
from reports.comparison import comparison
from threadx.web.frame import RUNS_PATH, Site, Text, frame, not_found
from threadx.web.listing import Outcome, read_outcome
from threadx.web.run_board import RunBoard
from threadx.web.run_data import NothingToDraw, curves
from threadx.web.run_head import RunHead
from threadx.web.steering import JOB_LOG
from vault.seals import sealed_runs

POLL_SECONDS = 1.0
LONGEST_BUILD = 30.0
"""Seconds a page may take to read a long log before it is first shown."""


def _label(record: RunRecord) -> Label | None:
    """What is written on it; None for a run that has no record yet, or whose label cannot be read."""
    try:
        return read_label(record.folder) if record.exists() else None
    except ReportError:
        return None


def _about(record: RunRecord) -> About | None:
    return record.about() if record.exists() else None


class RunWatch:
    """Keeps a page in step with its run's log, until the run is over."""

    def __init__(self, site: Site, record: RunRecord, heading: Text) -> None:
        self.site, self.record = site, record
        self.reader = LogReader(record)
        self.view = RunView()
        self.head = RunHead(site, record, heading)
        self.board = RunBoard(site, record)
        self.over = False
        self._curves: object = None

    async def look(self) -> None:
        """Read what is new, off the server's loop, and draw it.

        Raises:
            ReportError: `unreadable_record`.
        """
        with as_recorded(self.record.folder):
            await self._look()

    async def _look(self) -> None:
        about = await threads.io_bound(_about, self.record)
        events = await threads.io_bound(self.reader.new_events)
        self.head.keeping.show(await threads.io_bound(_label, self.record))
        if about is not None:
            self.head.know(about)
            self.board.know(about)
        view = self.view
        view.take(events or [])
        await self.head.panel.look(view)
        self.head.draw(view)
        self.board.draw(view, self.head.state(view), self.reader.size)
        if view.status is not None:
            outcome = await threads.io_bound(read_outcome, self.record, self.site.words)
            self.over = True
            if outcome is not None:
                await self._close(outcome)
        await self._show_curves()
        await self.board.look()

    async def _close(self, outcome: Outcome) -> None:
        if self.head.reviews:
            self.head.close_review()
            self.board.close(outcome, None, self.view)
            return
        returns = await threads.io_bound(table_or_none, self.record.folder, RETURNS)
        found = comparison(outcome.result, returns)
        sealed = await threads.io_bound(sealed_runs, self.site.home)
        self.head.close(outcome.result, found, self.view, sealed=self.record.run in (sealed or ()))
        self.board.close(outcome, found, self.view)

    async def _show_curves(self) -> None:
        """Draw the accounts, anew with each champion and once judged."""
        view = self.view
        if view.initial_score is None or self.head.reviews or self._curves == (view.champion, view.status):
            return
        self._curves = view.champion, view.status
        try:
            found = await threads.io_bound(curves, self.site.home, self.record, view, self.site.words)
        except NothingToDraw:
            found = None
        self.head.show(found)
        if found is not None:
            self.board.show(found, view)


def _known(home: Path, name: str) -> RunRecord | None:
    """The run's record; None for a name that is no run's, or that would leave the data folder."""
    try:
        record = RunRecord(home, name)
    except ReportError:
        return None
    return record if record.exists() or (record.folder / JOB_LOG).is_file() else None


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/runs/{name}", response_timeout=LONGEST_BUILD)
    async def run_page(name: str) -> None:
        record = await threads.io_bound(_known, site.home, name)
        if record is None:
            not_found(site, "run")
            return
        with frame(site, words("web.run.title", run=name), RUNS_PATH) as heading:
            watch = RunWatch(site, record, heading)
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
