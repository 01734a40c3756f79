"""The record of a run: `<home>/runs/<run>/events.jsonl`, one JSON object a line, appended as the run goes.

Every view (terminal, page, report, audit) is drawn from it. An event's id is deterministic, so that a resumed
run, which repeats the node that was interrupted, writes none twice.

Beside it stand `run.json` (what was asked, with which code), `result.json` and, in the folder of a replay,
`answers.jsonl`: events of the run that is replayed, which take the place of models, people and the clock.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from filelock import Timeout
from pydantic import BaseModel

from base import private, shared
from base.files import file_name, write_text_atomically
from base.locks import Lock
from base.plain_files import read_plain_text
from base.reasons import because, misshapen
from base.secrets import masked
from record.errors import ReportError
from record.event_log import EventLog
from record.events import Event, EventData
from record.results import ReviewRecord, RunResult
from record.types import About, Parent
from record.versions import versions

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

# Times, latencies and ids differ between two identical runs: they stand under these keys, not compared.
TIMED_KEYS = frozenset(
    {
        *("run", "time", "latency_seconds", "seconds", "started", "finished", "elapsed_seconds"),
        *("checkpoint", "heads"),
    }
)

EARLIER = {"search": "single", "ranges": "thinned", "gate": "sharpe", "intraday": "bars"}
"""Settings of the cycle that runs of earlier versions do not name, and how it worked then."""

EVENTS_FILE, ANSWERS = "events.jsonl", "answers.jsonl"

ENSEMBLE_PREFIX = "ensemble-"
"""How the names of the ensemble's runs begin; lists of optimisation runs leave them out by it."""

LOCK = ".run.lock"
"""Held by whoever is at work on the run. The file says nothing: it stays when nobody is."""

_TRIES = 100

# A glance whether somebody is at work takes the lock for a moment: whoever begins then waits it out.
_GLANCE_SECONDS = 0.3

_held: dict[Path, tuple[Lock, str]] = {}
_guard = threading.Lock()


def runs_folder(home: Path) -> Path:
    """The folder of all runs."""
    return home / "runs"


@lru_cache(maxsize=64)
def run_folder(home: Path, run: str) -> Path:
    """The folder of one run.

    Raises:
        ReportError: `bad_run_name` for a name that could leave the runs' folder, or that Windows cannot have.
    """
    if not _RUN_NAME.fullmatch(run) or file_name(run) != run:
        raise ReportError("bad_run_name", run=run)
    return runs_folder(home) / run


@lru_cache(maxsize=64)
def _log_path(folder: Path, name: str) -> Path:
    """Each event asks for it: joining paths would be a good part of what it costs."""
    return folder / name


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no NaN: equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"


class _About(BaseModel):
    """What `run.json` holds at least, whichever version wrote it."""

    graph: str
    started: str
    input: dict[str, Any]
    context: dict[str, Any]


class _Result(BaseModel):
    """What `result.json` holds at least, whichever graph wrote it."""

    status: Literal["finished", "untested", "degraded", "failed"]


def as_recorded(path: Path) -> AbstractContextManager[None]:
    """What the block cannot do with what stands in a record is one error that names the file.

    Raises:
        ReportError: `unreadable_record`.
    """
    return misshapen(lambda reason: ReportError("unreadable_record", path=str(path), reason=reason))


class RunRecord:
    """The event log and the small files of one run."""

    def __init__(self, home: Path, run: str) -> None:
        self.run = run
        self.folder = run_folder(home, run)
        self.log = EventLog(_log_path(self.folder, EVENTS_FILE))
        self.answers = EventLog(_log_path(self.folder, ANSWERS))

    def exists(self) -> bool:
        """Whether the run was ever started."""
        return (self.folder / "run.json").exists()

    def start(self, about: Mapping[str, Any], thread: str | None = None) -> None:
        """Write `run.json`, what a resume or a replay needs to know; a resumed thread finds its own there.

        Args:
            about: graph, input, context.
            thread: of the graph's checkpoints; None where it keeps none, and so can never be resumed.

        Raises:
            ReportError: `run_exists`, when the name is another run's: of another thread, of another input, or
                of a run that has finished; `linked_record`.
            OSError: the folder cannot be written.
        """
        self.require_no_links()
        about = masked(about)
        parent: dict[str, Parent] = {}
        if self.exists():
            known = self.about()
            begun = next(self.events(), None) is not None
            asked, then = about["input"], known["input"]
            same = all(asked[name] == then[name] for name in asked.keys() & then.keys())
            if thread is None or known.get("thread", self.run) != thread or self.log.ended():
                raise ReportError("run_exists", run=self.run)
            if begun and not same:
                raise ReportError("run_exists", run=self.run)
            if begun or same:
                return
            parent = {"parent": known["parent"]} if "parent" in known else {}  # a fork asked otherwise
        stamped = {
            "run": self.run,
            "thread": thread,
            # To the millisecond: runs that begin in one second are listed in their order.
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "versions": versions(),
            **about,
            **parent,
        }
        write_text_atomically(self.folder / "run.json", canonical_json(stamped))

    def about(self) -> About:
        """What `start` wrote.

        Raises:
            ReportError: `unknown_run` or `unreadable_record`.
        """
        found = cast(About, self._read("run.json", "unknown_run", _About))
        # Runs of earlier versions are repeated as they were.
        if found["graph"] == "optimization":
            for name, then in EARLIER.items():
                found["context"].setdefault(name, then)
        return found

    def result(self) -> dict[str, Any]:
        """The finished result.

        Raises:
            ReportError: `no_result` or `unreadable_record`.
        """
        return self._read("result.json", "no_result", _Result)

    def run_result(self) -> RunResult:
        """The finished result of an optimisation; see `result`."""
        return cast(RunResult, self.result())

    def review_result(self) -> ReviewRecord:
        """The finished result of a review; see `result`."""
        return cast(ReviewRecord, self.result())

    def _read(self, name: str, absent: str, least: type[BaseModel]) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            raise ReportError(absent, run=self.run)
        try:
            value: dict[str, Any] = json.loads(read_plain_text(path))
            least.model_validate(value)
        except (OSError, ValueError, RecursionError) as error:
            raise ReportError("unreadable_record", path=str(path), reason=because(error)) from None
        return value

    def append(
        self,
        event_id: str,
        node: str,
        data: EventData,
        *,
        iteration: int = 0,
        cites: Sequence[str] = (),
        counts: Mapping[str, int] | None = None,
        checkpoint: str = "",
    ) -> Event:
        """Append one event, once: an id that stands in the log already is not written again.

        Args:
            event_id: deterministic, unique in the run, for example `i02.strategist.proposal.1`.
            node: where.
            data: what happened, without NaN.
            iteration: 0 before the first one.
            cites: ids of the events this one follows from.
            counts: what the event cost, added up over the run (`model_calls`, `tokens`).
            checkpoint: of the graph, at which the step at work began.

        Returns:
            The event as it stands in the log.
        """
        return self.log.append(
            Event(
                id=event_id,
                node=node,
                iteration=iteration,
                cites=list(cites),
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                data=data,
                counts=dict(counts or {}),
                checkpoint=checkpoint,
            )
        )

    def events(self) -> Iterator[Event]:
        """Every whole event, in the order written; none before the run has begun."""
        return self.log.events()

    @property
    def result_path(self) -> Path:
        """File of the result."""
        return self.folder / "result.json"

    @property
    def events_path(self) -> Path:
        """The log's file."""
        return self.log.path

    @property
    def is_replay(self) -> bool:
        """Whether this folder repeats another run from its answers."""
        return self.answers.path.is_file()

    def hold(self, holder: str, *, anew: bool = False) -> None:
        """Keep the run for one holder until `release`; the lock of a dead process is free at once.

        Args:
            holder: who keeps it; who does already keeps it on.
            anew: refuse that too, for one who cannot be at work on it yet.

        Raises:
            ReportError: `run_busy`: another process, or another holder here, is at work on it;
                `linked_record`.
            DatabaseError: the lock is lost: the session of the shared database that kept it has ended.
        """
        with _guard:
            if self.folder in _held:
                if anew or _held[self.folder][1] != holder:
                    raise ReportError("run_busy", run=self.run)
                shared.require(_held[self.folder][0])
                return
            _held[self.folder] = (self._locked(), holder)
            self.log.keep_open()

    def require_no_links(self) -> None:
        """Refuse to write to a run of which a file, or the folder itself, is a link.

        Raises:
            ReportError: `linked_record`.
        """
        inside = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for path in (self.folder, *inside):
            if path.is_symlink():
                raise ReportError("linked_record", path=str(path))

    def _lock(self, timeout: float) -> Lock:
        # A graph's nodes run in different threads: the lock is the process's.
        home = self.folder.parents[1]
        return shared.lock(home, (self.folder / LOCK).relative_to(home).as_posix(), timeout)

    def _locked(self) -> Lock:
        self.require_no_links()
        lock = self._lock(_GLANCE_SECONDS)
        for _ in range(_TRIES):
            private.make_folder(self.folder)
            try:
                lock.acquire()
            except Timeout:
                break
            except FileNotFoundError:  # its holder has just discarded the folder
                continue
            return lock
        raise ReportError("run_busy", run=self.run)

    def discard(self) -> None:
        """Remove the folder of a run that never began, and let others have its name; its holder alone may.

        Whoever waits for the lock meanwhile finds that the file it opened has no name any more, and opens
        another.
        """
        if self.exists():
            return
        with contextlib.suppress(PermissionError):  # Windows removes no open file: it stays, and is free
            (self.folder / LOCK).unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()
        self.release()

    def remove(self) -> None:
        """Delete the run's folder; its holder alone may.

        `run.json` goes last but for the lock: what a crash leaves is still a run, and can be deleted again.

        Raises:
            OSError: something in it cannot be deleted.
        """
        last = self.folder / "run.json"
        self.log.close()
        for path in sorted(self.folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != last and path.name != LOCK:
                path.unlink()
        last.unlink(missing_ok=True)
        self.discard()

    def is_held(self) -> bool:
        """Whether somebody is at work on the run."""
        path = self.folder / LOCK
        if not path.is_file() or path.is_symlink():  # nobody can hold a link
            return False
        try:
            with self._lock(0):
                return False
        except Timeout:
            return True

    def release(self, holder: str | None = None) -> None:
        """Let others have the run.

        Args:
            holder: nothing happens where it is somebody else's by now; None whoever holds it here.
        """
        with _guard:
            held = _held.get(self.folder)
            if held is not None and holder in (None, held[1]):
                _let_go(self.folder)


def _let_go(folder: Path) -> None:
    """Close the log before anybody else may remove it; Windows removes no open file."""
    lock, _ = _held.pop(folder)
    EventLog(_log_path(folder, EVENTS_FILE)).close()
    lock.release()


def release_all(holder: str) -> None:
    """Let others have every run that one holder keeps in this process."""
    with _guard:
        for folder in [folder for folder, (_, held_by) in _held.items() if held_by == holder]:
            _let_go(folder)


def comparable(value: Any) -> Any:
    """The value without times, latencies and ids, for comparing two runs."""
    if isinstance(value, Mapping):
        return {key: comparable(part) for key, part in value.items() if key not in TIMED_KEYS}
    if isinstance(value, list | tuple):
        return [comparable(part) for part in value]
    return value
