"""Writing events from inside a node: into the run's record, and to whoever watches the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.config import get_stream_writer

from nodes.context import Context
from reports.record import RunRecord


def record(
    context: Context,
    run: str,
    event_id: str,
    kind: str,
    node: str,
    *,
    iteration: int = 0,
    cites: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> str:
    """Append an event to the run's record and send it down the graph's custom stream.

    Returns:
        The event's id, for later events to cite.
    """
    event = RunRecord(context.home_path, run).append(
        event_id, kind, node, iteration=iteration, cites=cites, data=data
    )
    get_stream_writer()(event)
    return event_id
