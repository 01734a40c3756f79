"""Work started from a page: a `threadx` command in a process of its own, which outlives the server.

Each kind of work has a slot in `<home>/jobs/`, where the process stands with the time it began: a server
started again sees at once whether it is still there, however it ended, and a second start is refused. Nothing
else is remembered; what the work came to stands in its own record.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from base import children, locks, private
from base.files import write_text_atomically
from base.plain_files import opened_plain, read_plain
from threadx.web import processes
from threadx.web.errors import WebError

Kind = Literal["optimization", "ensemble", "fetch"]

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
        begun: when the process began, in seconds since 1970; None where it was over at once.
        log: file of what it says.
    """

    name: str
    pid: Annotated[int, Field(gt=0)]
    begun: float | None
    log: str


_JOB = TypeAdapter(Job)


def _slot(home: Path, kind: Kind) -> Path:
    return home / "jobs" / kind


def at_work(home: Path, kind: Kind) -> Job | None:
    """The job in the slot, or None where nothing is at work."""
    for child in _children[:]:
        if child.poll() is not None:
            _children.remove(child)
    try:
        job = _JOB.validate_json(read_plain(_slot(home, kind).with_suffix(".json")))
    except (OSError, ValidationError):  # none was started, or nobody can tell which
        return None
    return job if processes.is_alive(job.pid, job.begun) else None


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
    slot = _slot(home, kind)
    private.make_folder(slot.parent)
    with locks.lock(slot.with_suffix(".lock")):  # of two who start at the same time, one is refused
        if (busy := at_work(home, kind)) is not None:
            raise WebError("busy", name=busy.name)
        private.make_folder(log.parent)
        command = children.command("threadx", *arguments, f"--home={home}")
        with open(log, "wb", opener=private.opener) as said:
            child = processes.start_apart(command, said, {**os.environ, "PYTHONIOENCODING": "utf-8"})
        _children.append(child)
        job = Job(name, child.pid, processes.begun(child.pid), str(log))
        write_text_atomically(slot.with_suffix(".json"), json.dumps(asdict(job)) + "\n")
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
    processes.interrupt(job.pid)
    patience = time.monotonic() + GRACE_SECONDS
    while at_work(home, kind) == job:
        if time.monotonic() > patience:
            processes.kill(job.pid)
        time.sleep(_POLL_SECONDS)


def said(log: Path) -> list[str]:
    """The last lines of a job's log; none where it has not begun."""
    if not log.is_file():
        return []
    with opened_plain(log) as stream:
        stream.seek(max(0, log.stat().st_size - _LONGEST_TAIL))
        return stream.read().decode(errors="replace").splitlines()
