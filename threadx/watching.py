"""Letting a graph work while somebody is told of every event as it happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from nodes.context import Context
from nodes.run_events import telling

Watcher = Callable[[dict[str, Any]], None]


class _Watching:
    """A watcher that is told one event at a time, and nothing more once it has failed."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._one_at_a_time = threading.Lock()
        self._failure: Exception | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Tell it; a step at work comes to its end whatever the watcher makes of it."""
        with self._one_at_a_time:
            if self._failure is None:
                try:
                    self._watch(event)
                except Exception as error:
                    self._failure = error

    def check(self) -> None:
        """Raise what the watcher raised."""
        if self._failure is not None:
            raise self._failure


def go_through(
    graph: CompiledStateGraph[Any, Any, Any, Any],
    begin: Any,
    config: RunnableConfig,
    *,
    context: Context,
    watch: Watcher,
    **how: Any,
) -> None:
    """Let a graph work until it ends or waits.

    Events do not take the way of the graph's stream: with somebody at its end LangGraph runs every step in a
    thread of its own and wakes two more for each event, which is a tenth of what an iteration costs.

    Args:
        graph: whose nodes record events.
        begin: its input; None to go on.
        config: as the graph takes it.
        context: the run's settings.
        watch: called with every event as it happens, in the thread of the node. What it raises is raised
            here when the step at work has ended.
        **how: what else the graph's `stream` takes.
    """
    watching = _Watching(watch)
    parts = graph.stream(begin, config, context=context, stream_mode="updates", **how)
    # Who leaves before the last part has the graph end its work while its files are open.
    with telling(watching), closing(parts):  # type: ignore[type-var]  # a generator, by another name
        for _ in parts:
            watching.check()
    watching.check()
