"""The graphs as the LangGraph server runs them (`langgraph.json`): their settings come from requests."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from base.errors import in_language
from base.reasons import ENDINGS, whole
from graphs.door import Door, language_of
from graphs.ensemble import graph as _ensemble
from graphs.locked import AttendedDoor
from graphs.optimization import graph as _optimization
from graphs.review import graph as _review


@contextmanager
def _told(context: Any) -> Iterator[None]:
    """The server tells its clients an error's own words: they are to be ours, not the system's."""
    with in_language(language_of(context)):
        try:
            yield
        except ENDINGS as error:
            raise whole(error) from error


class ServedDoor(Door):
    """The door of a graph whose callers are whoever reaches the server."""

    served = True

    def stream(self, *given: Any, **settings: Any) -> Iterator[Any]:
        """As every door's; what the system refuses is told in the reader's language."""
        with _told(settings.get("context")):
            yield from super().stream(*given, **settings)

    async def astream(self, *given: Any, **settings: Any) -> AsyncIterator[Any]:
        """As every door's; what the system refuses is told in the reader's language."""
        with _told(settings.get("context")):
            async for part in super().astream(*given, **settings):
                yield part


class ServedAttendedDoor(ServedDoor, AttendedDoor):
    """The same, under the ensemble's lock."""


optimization = ServedDoor(**vars(_optimization))
review = ServedDoor(**vars(_review))
ensemble = ServedAttendedDoor(**vars(_ensemble))

# What is loaded by now stays for ever: looking through it for garbage would hold every request for 0.2 s.
gc.freeze()
