"""How far long work has come, and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from threadx.plain import say
from threadx.terminal import Terminal


@contextmanager
def bar(terminal: Terminal, working: str, progress: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left on a terminal; a plain line each tenth of the work in a pipe.

    Args:
        terminal: where.
        working: key of the words beside the bar.
        progress: key of the plain line, with `done` and `total`.

    Yields:
        What is told how much of how much is done.
    """
    words = terminal.words
    if not terminal.err.is_terminal:
        told = -1

        def line(done: int, total: int) -> None:
            nonlocal told
            tenth = 10 * done // total
            if tenth > told:
                told = tenth
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
