"""What a command started from a page says as it goes, and that it has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui import run as threads
from nicegui import ui

from threadx.web import jobs
from threadx.web.frame import Site, Text, attribute

POLL_SECONDS = 1.0


class Running:
    """A line that says how the work stands, and its log below.

    Args:
        site: what the page belongs to.
        kind: slot of the work.
        log: file of what it says.
        working: what is said while it is at work.
        ended: called with the log's lines once it is over.
    """

    def __init__(
        self,
        site: Site,
        kind: jobs.Kind,
        log: Path,
        working: str,
        ended: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        self._site, self._kind, self._file, self._working, self._ended = site, kind, log, working, ended
        self._running = False
        self._shown = 0
        self._line = attribute(Text("p", ""), "role", "status")
        self._log = ui.log(max_lines=200).classes("tx-log")
        self._log.set_visibility(False)
        ui.timer(POLL_SECONDS, self._look)

    def begin(self) -> None:
        """Work was started from this page."""
        self._log.clear()
        self._shown = 0
        self._running = True
        self.tell(self._working)

    def tell(self, line: str, classes: str = "") -> None:
        """Say something in the line."""
        self._line.set_text(line)
        self._line.classes(replace=classes)

    async def _look(self) -> None:
        state = await threads.io_bound(self._state)
        if state is None:  # the server is ending
            return
        running, lines = state
        if running or self._running:
            self._log.set_visibility(True)
            for line in lines[self._shown :]:
                self._log.push(line)
            self._shown = max(self._shown, len(lines))
        if running and not self._running:
            self.tell(self._working)
        over, self._running = self._running and not running, running
        if over:
            await self._ended(lines)

    def _state(self) -> tuple[bool, list[str]]:
        """Whether it goes on, and what it has said: looked at in this order, so that no word is lost."""
        running = jobs.at_work(self._site.home, self._kind) is not None
        return running, jobs.said(self._file)


def last_line(lines: list[str]) -> str:
    """The last line that says something."""
    return next((line for line in reversed(lines) if line.strip()), "")
