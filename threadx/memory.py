"""The store in which finished runs leave their lessons: `<home>/memory.sqlite`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langgraph.store.sqlite import SqliteStore


@contextmanager
def lesson_store(home: Path) -> Iterator[SqliteStore]:
    """A store for one run of a graph; several processes may have it open."""
    # The store opens its own transactions.
    connection = sqlite3.connect(
        home / "memory.sqlite", check_same_thread=False, timeout=30, isolation_level=None
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        store = SqliteStore(connection)
        store.setup()
        yield store
    finally:
        connection.close()
