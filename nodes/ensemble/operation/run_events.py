"""The events of an ensemble run, in the same kind of record as an optimisation's."""

from __future__ import annotations

from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.state import EnsembleState
from nodes.run_events import record
from record.events import EventData


def note(
    state: EnsembleState,
    context: EnsembleContext,
    event_id: str,
    node: str,
    data: EventData,
    turn: int = 0,
) -> None:
    """Append an event to the run's record; a back-run keeps none, its partitions tell everything."""
    if state["run"]:
        record(context, state["run"], event_id, node, data, iteration=turn)
