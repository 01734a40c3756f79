"""An append-only log of JSON lines, each with an id that stands in it once.

A process reads a line once: what it knows of a log (where each id stands, what was spent so far) is kept, and
only what others have written since is read before the next line is added.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import TypeVar

from base import private
from base.aside import cut_tail
from base.plain_files import LARGEST_LOG, opened_plain, read_plain
from base.reasons import ReasonError, because
from base.secrets import masked_json
from record.errors import ReportError
from record.events import Event, EventData, Finished, Waiting

_KEPT_LOGS = 16

D = TypeVar("D", bound=EventData)


@dataclass
class _Known:
    """What this process knows of one file.

    Attributes:
        file: as it stood when it was last looked at; None where there was none.
        size: bytes read so far, whole lines only.
        places: offset of the line with each id.
        counts: sums of the events' counts.
        elapsed: seconds at work until the last event, waits and interruptions left out.
        clock: `time.monotonic` of that event where this process wrote it, else None.
        ended: whether the last event of a run stands in it.
    """

    file: os.stat_result | None = None
    size: int = 0
    places: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    clock: float | None = None
    ended: bool = False


_known: OrderedDict[Path, _Known] = OrderedDict()
_open: dict[Path, FileIO | None] = {}
"""Logs whose files stay open, and the file of those that were written to."""

_guard = threading.Lock()


class EventLog:
    """One log file. Threads may write to it at the same time; among processes, who holds the run writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep_open(self) -> None:
        """Open the file once for all events until `close`, for whoever holds the run: nobody removes it then.

        Each event is with the system before `append` returns, as without it.
        """
        with _guard:
            _open.setdefault(self.path, None)

    def close(self) -> None:
        """Let go of the file, if it was kept open."""
        with _guard:
            if (stream := _open.pop(self.path, None)) is not None:
                stream.close()

    def append(self, event: Event) -> Event:
        """Add an event unless its `id` stands in the log already; half a line before it is cut off and kept.

        Args:
            event: its data without NaN.

        Returns:
            The event as it stands in the log, with `elapsed_seconds`.

        Raises:
            OSError: the disk is full; a half line is cut off by the next event.
        """
        with _guard:
            known = self._refreshed()
            if not known.size:
                private.make_folder(self.path.parent)
            if (place := known.places.get(event.id)) is not None:
                return self._line_at(place)
            now = time.monotonic()
            worked = now - known.clock if known.clock is not None else 0.0
            whole = event.model_copy(update={"elapsed_seconds": round(known.elapsed + worked, 3)})
            told = whole.plain()
            kept, written = masked_json(told)
            line = written.encode() + b"\n"
            if known.file is not None and known.file.st_size > known.size:
                cut_tail(self.path, known.size)
            try:
                self._write(line, known.file)
            except OSError as error:
                error.filename = error.filename or str(self.path)  # a write knows no name
                raise
            _fold(known, whole, known.size, len(line))
            known.clock = None if isinstance(event.data, Waiting) else now
            return whole if kept is told else Event.read(kept)

    def find(self, event_id: str) -> Event | None:
        """The event with this id, or None."""
        with _guard:
            place = self._refreshed().places.get(event_id)
            return None if place is None else self._line_at(place)

    def told(self, event_id: str, what: type[D]) -> D | None:
        """What the event with this id tells, or None.

        Raises:
            ReportError: `unreadable_record`: it tells something else.
        """
        if (event := self.find(event_id)) is None:
            return None
        if isinstance(event.data, what):
            return event.data
        other = ReasonError("value_union_tag_invalid", limit=what.kind)
        reason = ReasonError("at", where=f"{event_id}.kind", what=other)
        raise ReportError("unreadable_record", path=str(self.path), reason=reason)

    def counted(self) -> Counter[str]:
        """Sums of the counts of all events."""
        with _guard:
            return Counter(self._refreshed().counts)

    def ended(self) -> bool:
        """Whether the run's last event stands in it."""
        with _guard:
            return self._refreshed().ended

    def elapsed_seconds(self) -> float:
        """Seconds at work so far: until now if this process wrote the last event, else until that event."""
        with _guard:
            known = self._refreshed()
            return known.elapsed + (time.monotonic() - known.clock if known.clock is not None else 0.0)

    def events(self) -> Iterator[Event]:
        """Every whole event in the order written; none where there is no file.

        Raises:
            ReportError: `unreadable_record`.
        """
        if not self.path.exists():
            return
        for number, line in enumerate(self._bytes().splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                return
            yield self._parsed(line, number)

    def since(self, place: int, count: int) -> tuple[list[Event], int]:
        """The whole events that stand behind a byte, and the byte behind the last of them.

        Args:
            place: where a line begins.
            count: lines before it, for whoever is told which one cannot be read.

        Raises:
            ReportError: `unreadable_record`.
        """
        try:
            with opened_plain(self.path) as stream:
                stream.seek(place)
                content = stream.read(LARGEST_LOG)
        except FileNotFoundError:
            return [], place
        except OSError as error:
            raise ReportError("unreadable_record", path=str(self.path), reason=because(error)) from None
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines(keepends=True)
        found = [self._parsed(line, number) for number, line in enumerate(lines, start=count + 1)]
        return found, place + len(whole)

    def _bytes(self) -> bytes:
        try:
            return read_plain(self.path, LARGEST_LOG)
        except OSError as error:
            raise ReportError("unreadable_record", path=str(self.path), reason=because(error)) from None

    def _refreshed(self) -> _Known:
        """What is known, brought up to date; another file in the same place is read anew."""
        known = _known.setdefault(self.path, _Known())
        _known.move_to_end(self.path)
        while len(_known) > _KEPT_LOGS:
            _known.popitem(last=False)
        try:
            file = os.stat(self.path)
        except FileNotFoundError:
            file = None
        size = 0 if file is None else file.st_size
        if size < known.size:
            known = _known[self.path] = _Known()
        known.file = file
        if size > known.size:
            for line in self._bytes()[known.size :].splitlines(keepends=True):
                if line.endswith(b"\n"):
                    _fold(known, self._parsed(line, len(known.places) + 1), known.size, len(line))
            known.clock = None
        return known

    def _write(self, line: bytes, file: os.stat_result | None) -> None:
        """Write a line at once: what is left of one that fails stands in the file, and nowhere else.

        Args:
            line: with its end.
            file: what stands in the log's place: where it is another one, that is what is written to.
        """
        stream = _open.get(self.path)
        if stream is not None and (file is None or not os.path.samestat(file, os.fstat(stream.fileno()))):
            stream.close()
            stream = None
        if stream is None:
            stream = FileIO(self.path, "ab", opener=private.opener)
        if self.path in _open:
            _open[self.path] = stream
        with nullcontext() if self.path in _open else stream:
            rest = memoryview(line)
            while rest:
                rest = rest[stream.write(rest) :]

    def _line_at(self, place: int) -> Event:
        with opened_plain(self.path) as stream:
            stream.seek(place)
            return self._parsed(stream.readline(), 0)

    def _parsed(self, line: bytes, number: int) -> Event:
        try:
            return Event.read(json.loads(line))
        except (ValueError, RecursionError, ReasonError) as error:
            raise ReportError(
                "unreadable_record", path=f"{self.path}:{number}", reason=because(error)
            ) from None


def _fold(known: _Known, event: Event, place: int, length: int) -> None:
    known.places.setdefault(event.id, place)
    known.counts.update(event.counts)
    known.ended = known.ended or isinstance(event.data, Finished)
    if event.elapsed_seconds is not None:
        known.elapsed = event.elapsed_seconds
    known.size += length
