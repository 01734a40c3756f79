"""What the command needs of the terminal or file it speaks to, on every system."""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from threadx.plain import plain

STOPS: list[signal.Signals] = [signal.SIGINT, signal.SIGTERM]
"""Signals by which people and services ask a process to end."""
if sys.platform == "win32":
    STOPS.append(signal.SIGBREAK)


READABLE = "threadx_readable"
"""How a letter is written that an encoding does not have."""


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    one = error.start
    if error.object[one].isspace():  # in every large number of ours
        return " ", one + 1
    alone = UnicodeEncodeError(error.encoding, error.object, one, one + 1, error.reason)
    return codecs.backslashreplace_errors(alone)


codecs.register_error(READABLE, _readable)


class NobodyReadsError(Exception):
    """Who was to read the output has gone (`threadx … | head -1`)."""


@contextmanager
def read_by_somebody() -> Iterator[None]:
    """Both libraries that write for us have an end of their own for a reader that has gone: here is one.

    Raises:
        NobodyReadsError: in their place.
    """
    try:
        yield
    except BrokenPipeError:
        raise NobodyReadsError from None
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):  # rich's
            raise NobodyReadsError from None
        raise


def prepare() -> None:
    """Speak UTF-8 to files and pipes, never fail on a letter, and hear Ctrl-Break as Ctrl-C.

    A file or pipe under Windows would take the machine's old code page, which lacks most of what we say. A
    terminal keeps its own encoding: letters it does not have appear as their code, spaces as plain ones.
    """
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if not stream.isatty():
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors=READABLE)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.default_int_handler)  # by it a page stops a run


def _open_what_is_closed() -> None:
    """A stream in the place of one that was closed before the start, so that no other file gets its number.

    Complaints without a place to go are dropped. A result without one is an error, except under Windows,
    whose programs without a console have no output at all: there it is dropped too.
    """
    if sys.stdout is None:
        dropped = sys.platform == "win32"
        descriptor = os.open(os.devnull, os.O_WRONLY if dropped else os.O_RDONLY)
        sys.stdout = os.fdopen(descriptor, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


@contextmanager
def waiting(told: str) -> Iterator[None]:
    """On a terminal these words beside a turning mark, then nothing: modules take seconds to import."""
    from rich.console import Console  # noqa: PLC0415  # who waits for nothing needs none

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(plain(told)):
        yield


def give_up(stream: TextIO) -> None:
    """Nothing more goes to this stream: what it holds must not fail once more at the interpreter's end."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
