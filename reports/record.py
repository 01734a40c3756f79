"""The record of a run: `<home>/runs/<run>/events.jsonl`, one JSON object a line, appended as the run goes.

Every view (terminal, page, report, audit) is drawn from it. An event's id is deterministic, so that a resumed
run, which repeats the node that was interrupted, writes none twice.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from backtest.files import write_text_atomically
from reports.errors import ReportError

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

# Times, latencies and ids differ between two identical runs: they stand under these keys, not compared.
TIMED_KEYS = frozenset({"run", "time", "latency_seconds", "seconds", "started", "finished"})


def runs_folder(home: Path) -> Path:
    """The folder of all runs."""
    return home / "runs"


def run_folder(home: Path, run: str) -> Path:
    """The folder of one run.

    Raises:
        ReportError: `bad_run_name` for a name that could leave the runs' folder.
    """
    if not _RUN_NAME.fullmatch(run):
        raise ReportError("bad_run_name", run=run)
    return runs_folder(home) / run


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no NaN: equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"


class RunRecord:
    """The event log and the small files of one run."""

    def __init__(self, home: Path, run: str) -> None:
        self.run = run
        self.folder = run_folder(home, run)
        self.events_path = self.folder / "events.jsonl"

    def exists(self) -> bool:
        """Whether the run was ever started."""
        return (self.folder / "run.json").is_file()

    def start(self, about: Mapping[str, Any]) -> None:
        """Write `run.json`, what a resume needs to know, unless the run already has one.

        Raises:
            OSError: the folder cannot be written.
        """
        if not self.exists():
            stamped = {"run": self.run, "started": datetime.now(UTC).isoformat(timespec="seconds"), **about}
            write_text_atomically(self.folder / "run.json", canonical_json(stamped))

    def about(self) -> dict[str, Any]:
        """What `start` wrote.

        Raises:
            ReportError: `unknown_run` or `unreadable_record`.
        """
        return self._read("run.json", "unknown_run")

    def result(self) -> dict[str, Any]:
        """The finished result.

        Raises:
            ReportError: `no_result` or `unreadable_record`.
        """
        return self._read("result.json", "no_result")

    def _read(self, name: str, absent: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.is_file():
            raise ReportError(absent, run=self.run)
        try:
            value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ReportError("unreadable_record", path=str(path), reason=str(error)) from None
        return value

    def append(
        self,
        event_id: str,
        kind: str,
        node: str,
        *,
        iteration: int = 0,
        cites: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Append one event, once: an id that stands in the log already is not written again.

        A half line, left by a killed process, is cut off first.

        Args:
            event_id: deterministic, unique in the run, for example `i02.strategist.proposal.1`.
            kind: what happened, for example `proposal`.
            node: where.
            iteration: 0 before the first one.
            cites: ids of the events this one follows from.
            data: plain JSON without NaN.

        Returns:
            The event, with its time.
        """
        event = {
            "id": event_id,
            "kind": kind,
            "node": node,
            "iteration": iteration,
            "cites": list(cites),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "data": dict(data or {}),
        }
        line = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".events.lock"), open(self.events_path, "a+b") as stream:
            stream.seek(0)
            written = stream.read()
            whole = written.rfind(b"\n") + 1
            if whole < len(written):
                stream.truncate(whole)
            mark = (
                json.dumps({"id": event_id}, ensure_ascii=False, separators=(",", ":"))[:-1].encode() + b","
            )
            if not any(part.startswith(mark) for part in written[:whole].splitlines()):
                stream.seek(0, os.SEEK_END)
                stream.write(line)
        return event

    def events(self) -> Iterator[dict[str, Any]]:
        """Every whole event, in the order written; none before the run has begun."""
        if not self.events_path.is_file():
            return
        for number, line in enumerate(self.events_path.read_bytes().splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                return
            try:
                event: dict[str, Any] = json.loads(line)
            except ValueError as error:
                raise ReportError(
                    "unreadable_record", path=f"{self.events_path}:{number}", reason=str(error)
                ) from None
            yield event


def comparable(value: Any) -> Any:
    """The value without times, latencies and ids, for comparing two runs."""
    if isinstance(value, Mapping):
        return {key: comparable(part) for key, part in value.items() if key not in TIMED_KEYS}
    if isinstance(value, list | tuple):
        return [comparable(part) for part in value]
    return value
