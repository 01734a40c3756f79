"""Append-only tables in one transaction at a time: in a SQLite file, or in the shared database.

The statements are written once, in what both know; `{id}` and `{bytes}` stand for the two words in which
they differ.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
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
        with _connection(path, schema) as found:
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


@dataclass
class _Kept:
    """A connection that serves one transaction on its file after the other."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    process: int = field(default_factory=os.getpid)
    users: int = 0
    connection: sqlite3.Connection | None = None
    file: tuple[int, int] | None = None

    def at(self, path: Path, schema: Schema) -> sqlite3.Connection:
        """The connection; a new one where another file stands in the place of the one it has open."""
        if self.connection is not None and self.file != _number(path):
            self.close()
        if self.connection is None:
            self.connection = _opened(path, schema)
            self.file = _number(path)
        return self.connection

    def close(self) -> None:
        """Close it; the next transaction opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


_kept: dict[Path, _Kept] = {}
_guard = threading.Lock()


@contextmanager
def kept_open(path: Path) -> Iterator[None]:
    """Let one connection serve every transaction on a SQLite file within the block, in whichever thread.

    Opening it takes longer than a transaction does, and who closes the last one writes the whole log back
    into the file. For others nothing changes: between transactions it locks nothing, and what was written is
    on the disk when its transaction ends.
    """
    with _guard:
        kept = _kept.setdefault(path, _Kept())
        kept.users += 1
    try:
        yield
    finally:
        with _guard:
            kept.users -= 1
            last = not kept.users
            if last:
                del _kept[path]
        if last:
            with kept.lock:
                kept.close()


@contextmanager
def _connection(path: Path, schema: Schema) -> Iterator[sqlite3.Connection]:
    """The connection that is kept open, or one of its own."""
    kept = _kept.get(path)
    if kept is None or kept.process != os.getpid():  # a connection does not survive a fork
        with closing(_opened(path, schema)) as found:
            yield found
        return
    with kept.lock:
        try:
            yield kept.at(path, schema)
        except BaseException:
            kept.close()  # whatever its transaction has come to
            raise


def _opened(path: Path, schema: Schema) -> sqlite3.Connection:
    """A connection to a sound file that has the tables."""
    lock = locks.lock(path.with_name(f".{path.name}.lock"))
    put_aside_if_damaged(path, lock)
    make_private(path)
    found = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
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
    except BaseException:
        found.close()
        raise
    return found


def _number(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that takes its name; None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
