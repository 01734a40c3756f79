"""Page `/threadx/runs/{run}`: one run, live or long finished, drawn from its log, and steered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nicegui import run as threads
from nicegui import ui

from record.errors import ReportError
from record.record import RunRecord, as_recorded
from threadx.web.frame import RUNS_PATH, Site, Text, anchor, frame, not_found
from threadx.web.listing import LogReader, read_outcome
from threadx.web.run_board import RunBoard
from threadx.web.steering import JOB_LOG
from threadx.web.steering_panel import Panel

POLL_SECONDS = 1.0
LONGEST_BUILD = 30.0
"""Seconds a page may take to read a long log before it is first shown."""


def _about(record: RunRecord) -> dict[str, Any] | None:
    return record.about() if record.exists() else None


class RunWatch:
    """Keeps a page in step with its run's log, until the run is over."""

    def __init__(self, site: Site, record: RunRecord) -> None:
        self.reader = LogReader(record)
        self.record = record
        self.panel = Panel(site, record)
        self.board = RunBoard(site.words, record.run)
        self.over = False

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
        if about is not None:
            self.board.know(about)
        self.board.view.take(events or [])
        self.board.draw(self.reader.size)
        await self.panel.look(self.board.view)
        if self.board.view.status is not None:
            outcome = await threads.io_bound(read_outcome, self.record, self.board.words)
            self.over = True
            if outcome is not None:
                self.board.close(outcome, self.reader.size)


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
