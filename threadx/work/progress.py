"""How far long work has come, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from threadx.plain import say
from threadx.terminal import Terminal

QUIET_SECONDS = 30.0
"""A pipe hears no less often than this, as long as pieces are done."""

clock: Callable[[], float] = time.monotonic
"""Tests put a clock of their own here."""


@contextmanager
def bar(terminal: Terminal, working: str, progress: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left on a terminal; plain lines in a pipe.

    A line tells of each tenth of the work, and sooner where nothing was told for `QUIET_SECONDS`.

    Args:
        terminal: where.
        working: key of the words beside the bar.
        progress: key of the plain line, with `done` and `total`.

    Yields:
        What is told how much of how much is done.
    """
    words = terminal.words
    if not terminal.err.is_terminal:
        told, last = -1, clock()

        def line(done: int, total: int) -> None:
            nonlocal told, last
            tenth, now = 10 * done // total, clock()
            if tenth > told or now - last >= QUIET_SECONDS:
                told, last = tenth, now
                say(
                    words(progress, done=words.number(done), total=words.number(total)),
                    err=True,
                )

        yield line
        return
    with Progress(
        TextColumn(words(working)),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=terminal.err,
        transient=True,
    ) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
