"""Reading a run's log while somebody else writes it."""

from __future__ import annotations

from record.events import Event
from record.record import RunRecord


class LogReader:
    """Reads a run's log as it grows, each event once.

    A look at a file that has not grown costs one `stat`, and at one that has no more than what is new.

    Attributes:
        size: of the log when it was last read.
    """

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self.size = -1
        self._place = self._taken = 0

    def new_events(self) -> list[Event]:
        """The events written since the last call.

        Raises:
            ReportError: `unreadable_record`.
        """
        path = self._record.events_path
        size = path.stat().st_size if path.is_file() else 0
        if size == self.size:
            return []
        events, self._place = self._record.log.since(self._place, self._taken)
        self.size = size
        self._taken += len(events)
        return events
