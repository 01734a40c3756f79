"""Calls to a server of one's own go in turn: it has one card, and deadlines begin with the turn.

So nobody loses its time to the queue. Hosted services queue for themselves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from providers.reference import Reference
from providers.registry import provider_of
from providers.settings import ProviderSettings

AT_ONCE = "OLLAMA_NUM_PARALLEL"
"""Ollama's own variable: how many calls it takes at once."""

_servers: dict[tuple[str, str], threading.BoundedSemaphore] = {}
_table = threading.Lock()


@contextmanager
def turn(reference: Reference, settings: ProviderSettings) -> Iterator[None]:
    """The turn of one call; at once for a hosted service."""
    provider = provider_of(reference)
    if not provider.local(settings):
        yield
        return
    with _table:
        server = (provider.name, provider.address(settings))
        waiting = _servers.setdefault(server, threading.BoundedSemaphore(_at_once()))
    with waiting:
        yield


def _at_once() -> int:
    said = os.environ.get(AT_ONCE, "")
    return max(1, int(said)) if said.isdecimal() else 1
