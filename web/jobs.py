"""Work started from a page: a `threadx` command in a process of its own, which outlives the server.

Each kind of work has a slot in `<home>/jobs/`. Its lock is taken here and handed on to the process, which
keeps it as long as it lives, however it ends: a server started again sees at once what is at work, and a
second start is refused. Nothing else is remembered; what the work came to stands in its own record.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from backtest.files import write_text_atomically
from web.errors import WebError

Kind = Literal["optimization", "ensemble"]

GRACE_SECONDS = 10.0
"""A command that was interrupted leaves within this time, or is killed: only the step at work is lost."""

_POLL_SECONDS = 0.05
_LONGEST_TAIL = 64 * 1024

_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Job:
    """What is at work in a slot.

    Attributes:
        name: the run, or the kind of work.
        pid: its process.
        log: file of what it says.
    """

    name: str
    pid: int
    log: str


def _slot(home: Path, kind: Kind) -> Path:
    return home / "jobs" / kind


def _take(slot: Path) -> int | None:
    """A descriptor that holds the slot's lock, or None where somebody else holds it."""
    slot.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(slot.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held


def _at_work(slot: Path) -> Job | None:
    try:
        return Job(**json.loads(slot.with_suffix(".json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def at_work(home: Path, kind: Kind) -> Job | None:
    """The job in the slot, or None where nothing is at work."""
    for child in _children[:]:
        if child.poll() is not None:
            _children.remove(child)
    slot = _slot(home, kind)
    if not slot.with_suffix(".lock").is_file():
        return None
    held = _take(slot)
    if held is not None:
        os.close(held)
        return None
    return _at_work(slot)


def start(home: Path, kind: Kind, name: str, arguments: Sequence[str], log: Path) -> Job:
    """Start a `threadx` command.

    Args:
        home: the data folder.
        kind: its slot.
        name: of the run, or of the kind of work.
        arguments: of the command; `--home` is added.
        log: file that takes what it says, from its beginning.

    Raises:
        WebError: `busy`: the slot is taken.
        OSError: the log cannot be written, or the process not started.
    """
    at_work(home, kind)  # takes leave of what has ended
    slot = _slot(home, kind)
    held = _take(slot)
    if held is None:
        busy = _at_work(slot)
        raise WebError("busy", name=busy.name if busy else name)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "threadx", *arguments, f"--home={home}"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=(held,),
                start_new_session=True,
            )
        _children.append(child)
        job = Job(name, child.pid, str(log))
        write_text_atomically(slot.with_suffix(".json"), json.dumps(asdict(job)) + "\n")
    finally:
        os.close(held)  # the process has its own
    return job


def stop(home: Path, kind: Kind, name: str) -> None:
    """Interrupt the job and wait until it is gone; one that does not leave by itself is killed.

    Args:
        home: the data folder.
        kind: its slot.
        name: what the caller believes to be at work there; anything else is left alone.

    Raises:
        WebError: `not_at_work`.
    """
    job = at_work(home, kind)
    if job is None or job.name != name:
        raise WebError("not_at_work", name=name)
    os.kill(job.pid, signal.SIGINT)
    patience = time.monotonic() + GRACE_SECONDS
    while at_work(home, kind) == job:
        if time.monotonic() > patience:
            os.kill(job.pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def said(log: Path) -> list[str]:
    """The last lines of a job's log; none where it has not begun."""
    if not log.is_file():
        return []
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LONGEST_TAIL))
        return stream.read().decode(errors="replace").splitlines()
