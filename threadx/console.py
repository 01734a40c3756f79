"""What the command needs of the terminal or file it speaks to, on every system."""

from __future__ import annotations

import io
import signal
import sys

STOPS: list[signal.Signals] = [signal.SIGINT, signal.SIGTERM]
"""Signals by which people and services ask a process to end."""
if sys.platform == "win32":
    STOPS.append(signal.SIGBREAK)


def prepare() -> None:
    """Speak UTF-8 to files and pipes, never fail on a letter, and hear Ctrl-Break as Ctrl-C.

    A file or pipe under Windows would take the machine's old code page, which lacks most of what we say. A
    terminal keeps its own encoding: letters it does not have appear as their code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if not stream.isatty():
                stream.reconfigure(encoding="utf-8")
            stream.reconfigure(errors="backslashreplace")
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.default_int_handler)  # by it a page stops a run
