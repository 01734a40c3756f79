"""The log of calls: `<home>/logs/calls-YYYYMMDD.log`, one JSON object a line and a try, and what it tells.

The log is the one truth about a model's recent behaviour: the circuit breaker, the metrics and the history
read it. Each file holds one day (UTC); files older than `KEPT_DAYS` are deleted when a new one begins.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from base import private
from base.aside import set_aside
from base.plain_files import LARGEST, LARGEST_LOG, opened_plain
from base.secrets import masked

now: Callable[[], float] = time.time
"""Seconds since 1970; tests put a clock of their own here."""

KEPT_DAYS = 90
_PREFIX = "calls-"


class AnyLine(BaseModel):
    """A JSON object."""


class _Try(BaseModel):
    """What tells how a model's try ended."""

    time: AwareDatetime
    model: Annotated[str, Field(min_length=1)]
    outcome: str
    code: str
    cached: bool = False
    retry_after: float | None = None


class _Call(_Try):
    """What a line holds at least that the metrics count."""

    cached: bool
    seconds: float
    prompt_tokens: int | None
    answer_tokens: int | None


@dataclass(frozen=True)
class Outcome:
    """How one try ended.

    Attributes:
        time: seconds since 1970.
        ok: it answered; what its answer was worth says nothing about its service.
        code: empty, or what was wrong.
        retry_after: seconds that the service asked to be left alone for; 0 where it did not.
    """

    time: float
    ok: bool
    code: str
    retry_after: float = 0.0


@dataclass
class _Read:
    """What is known of one file: how far it was read, and the outcomes by model."""

    offset: int = 0
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


_read: dict[Path, _Read] = {}
_reading = threading.Lock()


class CallsLog:
    """The calls of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, line: dict[str, Any]) -> None:
        """Add one line with its time; a half line that a killed process left is ended first.

        Raises:
            OSError: the folder cannot be written.
        """
        moment = datetime.fromtimestamp(now(), UTC)
        path = self.folder / f"{_PREFIX}{moment:%Y%m%d}.log"
        if not path.exists():
            private.make_folder(self.folder)
            self._forget(moment)
        append_line(path, {"time": moment.isoformat(timespec="milliseconds"), **line})

    def outcomes(self, model: str, seconds: float) -> list[Outcome]:
        """Tries of a model within the last `seconds`, oldest first; answers from the cache are none.

        Lines of the future, which a clock that went back leaves, do not count.
        """
        end = now()
        found = [one for known in self._known(seconds) for one in known.outcomes.get(model, [])]
        return sorted((one for one in found if end - seconds < one.time <= end), key=lambda one: one.time)

    def _known(self, seconds: float) -> Iterator[_Read]:
        """What the files of the last `seconds` tell, each read as far as it is written now."""
        end = now()
        for path in self._files(end - seconds, end):
            with _reading:
                known = _read.setdefault(path, _Read())
                _read_on(path, known)
            yield known

    def models(self, seconds: float) -> list[str]:
        """Every model that was asked on a day of the last `seconds`, by name."""
        return sorted({model for known in self._known(seconds) for model in known.outcomes})

    def lines(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Whole lines of the last `seconds`, in the order written."""
        end = now()
        begin = datetime.fromtimestamp(end - seconds, UTC).isoformat(timespec="milliseconds")
        for path in self._files(end - seconds, end):
            yield from (line for line in read_lines(path, _Call) if line["time"] >= begin)

    def _files(self, begin: float, end: float) -> list[Path]:
        day, last = datetime.fromtimestamp(begin, UTC).date(), datetime.fromtimestamp(end, UTC).date()
        found = []
        while day <= last:
            path = self.folder / f"{_PREFIX}{day:%Y%m%d}.log"
            if path.is_file():
                found.append(path)
            day += timedelta(days=1)
        return found

    def _forget(self, moment: datetime) -> None:
        oldest = f"{_PREFIX}{moment - timedelta(days=KEPT_DAYS):%Y%m%d}.log"
        for path in self.folder.glob(f"{_PREFIX}*.log"):
            if path.name < oldest:
                path.unlink(missing_ok=True)


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Add one JSON object to a file of lines in one write; a half line before it is ended.

    Raises:
        OSError: the file cannot be written.
    """
    told = json.dumps(masked(line), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = told.encode() + b"\n"
    private.make_folder(path.parent)
    if path.is_dir():
        set_aside(path)
    with open(path, "a+b", opener=private.opener) as stream:
        if stream.tell():
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                text = b"\n" + text
        stream.write(text)


def read_lines(path: Path, least: type[BaseModel] = AnyLine) -> Iterator[dict[str, Any]]:
    """Every whole line of a file of JSON lines; what a killed process left half is passed over.

    Args:
        path: the file; nothing where it is not there.
        least: what a line holds at least; others are passed over too.
    """
    if not path.is_file():
        return
    with opened_plain(path) as stream:
        for line in iter(partial(stream.readline, LARGEST), b""):  # a file without lines ends too
            if (found := _parsed(line, least)) is not None:
                yield found


def _parsed(line: bytes, least: type[BaseModel]) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        least.model_validate(found)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_on(path: Path, known: _Read) -> None:
    """Take in what was written since the last time."""
    size = path.stat().st_size
    if size < known.offset:  # replaced or cut
        known.offset, known.outcomes = 0, {}
    if size == known.offset:
        return
    with opened_plain(path) as stream:
        stream.seek(known.offset)
        written = stream.read(min(size - known.offset, LARGEST_LOG))
    whole = written.rfind(b"\n") + 1
    known.offset += whole
    for line in written[:whole].splitlines():
        found = _parsed(line, _Try)
        if found is None or found.get("cached"):
            continue
        outcome = Outcome(
            time=datetime.fromisoformat(found["time"]).timestamp(),
            ok=found["outcome"] != "error",
            code=found["code"],
            retry_after=found.get("retry_after") or 0.0,
        )
        known.outcomes.setdefault(found["model"], []).append(outcome)
