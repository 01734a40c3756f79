"""Writing events from inside a node: into the run's record, and to whoever watches the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from langgraph.config import get_config, get_stream_writer

from backtest.coded.taking import named_in
from base.files import write_text_atomically
from nodes.context import Context
from nodes.forking import checkpoint_here
from nodes.run_lock import ENDED, holder
from nodes.serving import prices_of
from record.errors import ReportError
from record.events import EventData, Finished, Waiting
from record.record import RunRecord

_listener: ContextVar[Callable[[dict[str, Any]], None] | None] = ContextVar("listener", default=None)


@contextmanager
def telling(listener: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Call the listener with each event of the graphs that work within the block, in the node's thread."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def _thread() -> str | None:
    """The graph's thread; None where the graph keeps no checkpoints."""
    thread = get_config().get("configurable", {}).get("thread_id")
    return None if thread is None else str(thread)


def _mine(run: str) -> str:
    """Who holds the run when this node does."""
    return holder() or _thread() or run


def begin(context: Context, run: str, about: Mapping[str, Any]) -> None:
    """Begin a run's record.

    Args:
        context: the run's settings.
        run: its name.
        about: `graph`, and the graph's `input`.

    Raises:
        ReportError: `run_exists`, when the name is another run's; `run_busy`, when it is just being begun.
    """
    data = str(about["input"]["data"])
    # Whoever looks later may stand in another folder.
    place = Path(prices_of(data, context.home_path))
    source = str(place.absolute()) if place.is_file() else data
    log = RunRecord(context.home_path, run)
    mine = _mine(run)
    log.hold(mine)
    try:
        log.start({**about, "source": source, "context": context.model_dump(mode="json")}, _thread())
        for one in named_in(str(about["input"].get("spec"))):  # a strategy that is code: as it was
            write_text_atomically(log.folder / "code" / one.file.path.name, one.file.text)
    except BaseException:
        log.release(mine)
        raise


def record(
    context: Context,
    run: str,
    event_id: str,
    node: str,
    data: EventData,
    *,
    iteration: int = 0,
    cites: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
) -> str:
    """Append an event to the run's record, and tell whoever listens or reads the graph's stream; once each.

    The first event takes the run's lock, whoever runs the graph (the command, a notebook or the LangGraph
    server); it is free again when the run has ended, waits for a person or stops at an error, and when its
    process has died.

    Returns:
        The event's id, for later events to cite.

    Raises:
        ReportError: `run_busy`, when somebody else is at work on the run; `run_finished`: its record is
            closed.
    """
    log = RunRecord(context.home_path, run)
    mine = _mine(run)
    log.hold(mine)
    if log.log.find(event_id) is None:
        if log.log.ended():
            raise ReportError("run_finished", run=run)
        event = log.append(
            event_id,
            node,
            data,
            iteration=iteration,
            cites=cites,
            counts=counts,
            checkpoint=checkpoint_here(),
        )
        told = event.plain()
        get_stream_writer()(told)
        if (listener := _listener.get()) is not None:
            listener(told)
    if isinstance(data, Waiting | Finished):
        log.release()
    elif holder() == ENDED:
        log.release(mine)
    return event_id
