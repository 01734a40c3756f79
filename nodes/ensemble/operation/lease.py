"""One run of the ensemble at a time in a data folder, across processes.

The lock is the operating system's, so that of a dead process is free at once. One whose holder has been at
work for an hour is taken over: the next generation of the lock begins, and the hung holder finds at
publishing that the lease is no longer its own.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ValidationError

from base import private, shared
from base.aside import set_aside
from base.files import write_text_atomically
from base.locks import Lock
from base.plain_files import read_plain
from nodes.ensemble.errors import BusyError, PublishError

now: Callable[[], float] = time.time
"""Seconds since 1970; tests put a clock of their own here."""

HUNG_SECONDS = 3600.0


class Lease:
    """The right to run, as long as nobody has taken it over.

    Attributes:
        folder: where the lock's files lie.
        generation: which lock is held.
    """

    def __init__(self, folder: Path, generation: int, lock: Lock) -> None:
        self.folder = folder
        self.generation = generation
        self._lock = lock

    def renew(self) -> None:
        """Say that the holder is at work and not hung: its hour begins anew.

        Raises:
            PublishError: `lease_lost`.
        """
        self.require()
        _write(self.folder, _Holder(generation=self.generation, pid=os.getpid(), since=now()))

    def require(self) -> None:
        """Make sure that the lease is still one's own.

        Raises:
            PublishError: `lease_lost`.
            DatabaseError: the session of the shared database that kept it has ended.
        """
        shared.require(self._lock)
        if _holder(self.folder).generation != self.generation:
            raise PublishError("lease_lost", pid=os.getpid())


LEASE = "__ensemble_lease"
"""Under this key a run's configuration carries its lease to the node that publishes."""


def lease_of(config: RunnableConfig | None) -> Lease | None:
    """The lease that a configuration carries; what a caller from outside put there is none."""
    held = (config or {}).get("configurable", {}).get(LEASE)
    return held if isinstance(held, Lease) else None


@contextmanager
def leased(home: Path, work: str = "run") -> Iterator[Lease]:
    """Hold the lock of a data folder.

    Args:
        home: the data folder.
        work: each kind of work has a lock of its own: `run` or `backfill`.

    Raises:
        BusyError: `busy`: somebody else is at work, since less than an hour.
        OSError: the folder cannot be written.
    """
    folder = home / "ensemble" / f"{work}-lock"
    private.make_folder(folder)
    with shared.lock(home, f"ensemble/{work}-lock/.door.lock"):  # whoever looks, looks alone
        holder = _holder(folder)
        generation = holder.generation
        lock = _try(home, folder, generation)
        if lock is None:
            since = holder.since
            if since > now():  # the clock went back: from now on an hour counts again
                since = now()
                _write(folder, holder.model_copy(update={"since": since}))
            if now() - since < HUNG_SECONDS:
                begun = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
                raise BusyError("busy", pid=holder.pid, since=begun)
            generation += 1
            lock = _try(home, folder, generation)
            if lock is None:
                raise BusyError("busy", pid=holder.pid, since="?")
        lease = Lease(folder, generation, lock)
        _write(folder, _Holder(generation=generation, pid=os.getpid(), since=now()))
    try:
        yield lease
    finally:
        lock.release()


def _try(home: Path, folder: Path, generation: int) -> Lock | None:
    # Nodes run in threads of their own: the lock is the process's, not the thread's.
    path = folder / f".run.{generation}.lock"
    lock = shared.lock(home, path.relative_to(home).as_posix(), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


class _Holder(BaseModel):
    """Who holds the lock, as far as the file can be read: the lock itself is the system's."""

    generation: int
    pid: int = 0
    since: float = 0.0


def _holder(folder: Path) -> _Holder:
    path = folder / "holder.json"
    if path.is_dir():
        set_aside(path)
    try:
        return _Holder.model_validate_json(read_plain(path))
    except (OSError, ValidationError):
        # The newest lock is the one that somebody may hold.
        locks = (re.fullmatch(r"\.run\.(\d+)\.lock", one.name) for one in folder.glob(".run.*.lock"))
        return _Holder(generation=max((int(one[1]) for one in locks if one), default=0))


def _write(folder: Path, holder: _Holder) -> None:
    write_text_atomically(folder / "holder.json", json.dumps(holder.model_dump()) + "\n")
