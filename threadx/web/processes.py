"""Processes of our own on every system: started apart, asked to leave, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

_SAME_SECONDS = 2.0
"""Start times of one process may be told this far apart: the clock of the machine is set meanwhile."""


def start_apart(
    arguments: Sequence[str],
    said: IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that Ctrl-C here does not reach.

    Args:
        arguments: the program and its arguments.
        said: file that takes what it says.
        environment: all of it; by default this process's.
        folder: where it works; by default here.

    Raises:
        OSError: it cannot be started.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        **apart,
    )


def begun(pid: int) -> float | None:
    """When a process began, in seconds since 1970, which no later one of its id has; None: it is over."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # denied: somebody else's, so not the one meant
        return None


def is_alive(pid: int, since: float | None) -> bool:
    """Whether the process that began then is still there; None: it was over at once."""
    found = begun(pid)
    return found is not None and since is not None and abs(found - since) < _SAME_SECONDS


def interrupt(pid: int) -> None:
    """Ask a process started by `start_apart` to leave, as Ctrl-C would.

    Windows can ask only from the console it was started at (`threadx.console` makes it hear): elsewhere it is
    ended at once.
    """
    try:
        if sys.platform == "win32":
            os.kill(pid, signal.CTRL_BREAK_EVENT)
        else:
            os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return
    except OSError:
        kill(pid)


def kill(pid: int) -> None:
    """End a process and what it has started, at once."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
