"""A run's log as anybody reads it: one JSON object a line; and the events that such lines are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from record.events import Event
from record.record import RunRecord


def lines(record: RunRecord) -> list[dict[str, Any]]:
    """Every whole line of a run's log; none before the run has begun."""
    if not record.events_path.exists():
        return []
    content = record.events_path.read_bytes().splitlines(keepends=True)
    return [json.loads(line) for line in content if line.endswith(b"\n")]


def typed(told: Iterable[Mapping[str, Any]]) -> list[Event]:
    """The events of lines, or of a graph's stream."""
    return [Event.read(line) for line in told]
