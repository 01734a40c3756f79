"""Append-only tables in one transaction at a time: in a SQLite file, or in the shared database.

The statements are written once, in what both know; `{id}` and `{bytes}` stand for the two words in which
they differ.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from base import locks, private
from base.databases import make_private, noticed, put_aside_if_damaged
from base.shared import DatabaseError, database_of

_WAIT_SECONDS = 60.0
_WORDS = {"id": "INTEGER PRIMARY KEY", "bytes": "BLOB"}


class Cursor(Protocol):
    """What a statement found or changed."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    @property
    def description(self) -> Any:
        """A tuple a column of what it found, its name first."""

    def fetchone(self) -> Any:
        """The next row; None where there is none."""

    def fetchall(self) -> list[Any]:
        """All rows."""


class Tables(Protocol):
    """Tables within one transaction: a `sqlite3.Connection`, or what stands for it."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """One statement with its values, each a question mark there."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """One statement with many rows of values; its `rowcount` is of all of them."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Tables that belong together, in which nothing is ever changed or deleted.

    Attributes:
        name: of all of them.
        version: of their shape; what is of an earlier one gets what it lacks.
        tables: the columns of each.
        begin: writes what stands in them first, in the same transaction.
    """

    name: str
    version: int
    tables: Mapping[str, str]
    begin: Callable[[Tables], None]


@contextmanager
def transaction(path: Path, schema: Schema) -> Iterator[Tables]:
    """One transaction; tables that are not there are made, and a damaged file is put aside.

    Args:
        path: of the file in the data folder, where its state lives in files.
        schema: whose tables.

    Raises:
        DatabaseError: the shared database cannot be used, or the tables are of a newer version.
        sqlite3.Error, OSError: the file cannot be used.
    """
    database = database_of(path.parent)
    with in_file(path, schema) if database is None else database.transaction(schema) as tables:
        yield tables


@contextmanager
def in_file(path: Path, schema: Schema) -> Iterator[Tables]:
    """The same in a SQLite file, wherever the state of its folder lives."""
    private.make_folder(path.parent)
    try:
        lock = locks.lock(path.with_name(f".{path.name}.lock"))
        put_aside_if_damaged(path, lock)
        make_private(path)
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as found:
            version = found.execute("PRAGMA user_version").fetchone()[0]
            if version > schema.version:
                raise DatabaseError("newer_state", where=str(path), found=version, known=schema.version)
            if version < schema.version:
                # Only one process makes the tables and turns on the write-ahead log, which SQLite refuses
                # to do while somebody else is writing.
                with lock:
                    found.execute("PRAGMA journal_mode = WAL")
                    found.execute("BEGIN IMMEDIATE")
                    _make(found, schema)
                    schema.begin(found)
                    found.execute(f"PRAGMA user_version = {schema.version}")
                    found.execute("COMMIT")
            found.execute("BEGIN IMMEDIATE")
            try:
                yield found
            except BaseException:
                found.execute("ROLLBACK")
                raise
            found.execute("COMMIT")
    except sqlite3.DatabaseError as reason:
        noticed(reason, path)
        raise


def _make(connection: sqlite3.Connection, schema: Schema) -> None:
    for name, columns in schema.tables.items():
        # A key of several columns is the table's own order: nothing else would ever look up a row's number.
        ordered = " WITHOUT ROWID" if "PRIMARY KEY (" in columns else ""
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns.format(**_WORDS)}){ordered}")
        for stays, what in (("stay", "UPDATE"), ("remain", "DELETE")):
            connection.execute(
                f"CREATE TRIGGER IF NOT EXISTS {name}_{stays} BEFORE {what} ON {name}"
                " BEGIN SELECT RAISE(ABORT, 'append-only'); END"
            )
