"""Append-only tables in one transaction at a time: in a SQLite file, or in the shared database.

The statements are written once, in what both know; `{id}` and `{bytes}` stand for the two words in which
they differ.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from base import locks, private
from base.databases import make_private, noticed, put_aside_if_damaged
from base.schema import DatabaseError, Schema, Tables
from base.shared import database_of

_WAIT_SECONDS = 60.0
_WORDS = {"id": "INTEGER PRIMARY KEY", "bytes": "BLOB"}


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
