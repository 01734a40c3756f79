"""A graph whose runs all hold the ensemble's lock, however they are started.

`invoke`, `batch`, `stream`, `stream_events` and their asynchronous sisters all come through `stream` or
`astream`, and so does the LangGraph server: the lock is taken there, and released when the run ends, fails,
is cancelled or waits at an interrupt. A resumed run takes the lock again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig

from base.errors import in_language
from graphs.door import EnsembleDoor, RunGraph, language_of, settings_given
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.lease import LEASE, Lease, lease_of
from nodes.ensemble.operation.locked import attended
from nodes.ensemble.state import EnsembleInput
from nodes.given import read_input


class AttendedDoor(EnsembleDoor):
    """The door, under the lock."""

    def stream(self, input: Any, config: RunnableConfig | None = None, **settings: Any) -> Iterator[Any]:
        """As every compiled graph's, under the lock.

        Raises:
            SettingError: a key or a value is refused.
            BusyError: another run is in progress in the data folder.
        """
        with in_language(language_of(settings.get("context"))):
            config = self.received(config, settings.get("context"))
        with _held(input, config, settings) as lease:
            yield from super().stream(input, _with(config, lease), **settings)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **settings: Any
    ) -> AsyncIterator[Any]:
        """As every compiled graph's, under the lock.

        Raises:
            SettingError: a key or a value is refused.
            BusyError: another run is in progress in the data folder.
        """
        with in_language(language_of(settings.get("context"))):
            config = self.received(config, settings.get("context"))
        async with _off_the_loop(_held(input, config, settings)) as lease:
            async for part in super().astream(input, _with(config, lease), **settings):
                yield part


class AttendedGraph(RunGraph):
    """The ensemble's graph under construction."""

    door = AttendedDoor


@contextmanager
def _held(given: Any, config: RunnableConfig | None, settings: Mapping[str, Any]) -> Iterator[Lease]:
    """The caller's lease where there is one (a backfill's over many hours), else one for this run."""
    if (held := lease_of(config)) is not None:
        yield held
        return
    with in_language(language_of(settings.get("context"))):
        context = settings_given(EnsembleContext, settings.get("context"))
    with in_language(context.language):
        # Before the lock: what is refused keeps no run waiting that is due, and is no failure.
        fresh = isinstance(given, Mapping | EnsembleInput)
        as_of = read_input(EnsembleInput, given).as_of if fresh else None
        with attended(context, as_of) as lease:
            yield lease


@asynccontextmanager
async def _off_the_loop(held: AbstractContextManager[Lease]) -> AsyncIterator[Lease]:
    """A lock on files is taken and given back in a thread: the server's loop must not wait for a disk."""
    lease = await asyncio.to_thread(held.__enter__)
    try:
        yield lease
    except BaseException as error:
        if not await asyncio.to_thread(held.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(held.__exit__, None, None, None)


def _with(config: RunnableConfig | None, lease: Lease) -> RunnableConfig:
    """The call's configuration with the lease, for the node that publishes; no checkpoint keeps it."""
    given = config or {}
    return {**given, "configurable": {**given.get("configurable", {}), LEASE: lease}}
