"""The state of a data folder carried from its files into the shared database: once, whole, and only there.

The chain of the ledger and the log of openings go over link by link, so that every head that a run has on
record is found again. The files stay under another name; checkpoints stay behind, since an interrupted run
is gone through again from its record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from langgraph.store.base import BaseStore
from langgraph.store.sqlite import SqliteStore

from base import locks
from base.aside import BESIDE
from base.schema import DatabaseError, Tables
from base.shared import STATE_FILES, address, bind, connected, database_of
from base.tables import in_file
from threadx.checkpoints import database, lessons
from vault import ledger_chain, openings
from vault.ledger import SCHEMA

if TYPE_CHECKING:
    from base.postgres import Database

MOVED = ".moved"
_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a data folder's state holds now, and where it lives.

    Attributes:
        versions: of the ledger and of the log of openings.
        database: address of the database, without secrets; None where state lives in files.
        trials: rows of the ledger, large searches among them.
        openings: of holdouts.
        lessons: of finished runs that were carried over by this call.
        moved: files that were carried over by this call, under their new names.
    """

    versions: dict[str, int]
    database: str | None
    trials: int
    openings: int
    lessons: int
    moved: tuple[str, ...]


def migrate(home: Path) -> Carried:
    """Bring the state of a data folder to this version, into the database where the environment names one.

    Raises:
        DatabaseError: `database_in_use`: other trials or openings stand there already; see
            `base.shared.database_of`.
        OSError, sqlite3.Error: the folder cannot be written, or its ledger not be read.
    """
    versions = {"ledger": SCHEMA.version, "openings": openings.SCHEMA.version}
    told = address()
    with locks.lock(home / ".migrate.lock"):
        if told is None:
            database_of(home)  # refuses a folder whose state is in a database already
            with in_file(home / "ledger.sqlite", SCHEMA) as tables:
                rows = _rows(tables)
            seen = len(openings.written_lines(_log(home)))
            return Carried(versions=versions, database=None, trials=rows, openings=seen, lessons=0, moved=())
        shared = connected(told)
        with shared.transaction(SCHEMA) as ledger, shared.transaction(openings.SCHEMA) as log:
            if (home / "ledger.sqlite").exists():
                with in_file(home / "ledger.sqlite", SCHEMA) as old:
                    _carry_ledger(old, ledger, shared)
            _carry_openings(home, log, shared)
            rows = _rows(ledger)
            seen = len(log.execute("SELECT number FROM openings").fetchall())
        bind(home, shared)
        learned = _carry_lessons(home)
        moved = tuple(_moved(home / name) for name in STATE_FILES if (home / name).exists())
    return Carried(
        versions=versions,
        database=shared.shown,
        trials=rows,
        openings=seen,
        lessons=learned,
        moved=tuple(Path(name).relative_to(home).as_posix() for name in moved),
    )


def _carry_ledger(old: Tables, new: Tables, shared: Database) -> None:
    """Every row with its number, and the chain as it stands."""
    head = ledger_chain.head(old)
    there = new.execute("SELECT hash FROM links WHERE number = ?", (head.number,)).fetchone()
    if there == (head.hash,):
        return  # a call before this one got so far
    if _rows(new):
        raise DatabaseError("database_in_use", address=shared.shown)
    shared.clear(new, SCHEMA)
    for name in SCHEMA.tables:
        found = old.execute(f"SELECT * FROM {name}")
        columns = [column[0] for column in found.description]
        marks = ", ".join("?" * len(columns))
        new.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", found.fetchall())
    for name in ("trials", "searches"):
        new.execute(
            f"SELECT setval(pg_get_serial_sequence(?, 'id'), GREATEST(MAX(id), 1)) FROM {name}", (name,)
        )


def _carry_openings(home: Path, log: Tables, shared: Database) -> None:
    lines = openings.written_lines(_log(home))
    there = [bytes(line) for (line,) in log.execute("SELECT line FROM openings ORDER BY number").fetchall()]
    if there[: len(lines)] == lines:
        return
    if there:
        raise DatabaseError("database_in_use", address=shared.shown)
    log.executemany(openings.ADD, [*enumerate(lines, start=1)])


def _carry_lessons(home: Path) -> int:
    """What is there already under the same name is written over by the same."""
    path = home / "memory.sqlite"
    if not path.exists():
        return 0
    carried = 0
    with database(path, SqliteStore, isolation_level=None) as old, lessons(home) as new:
        for namespace in _pages(old):
            for start in count(0, _PAGE):
                items = old.search(namespace, limit=_PAGE, offset=start)
                for item in items:
                    if item.namespace == namespace:
                        new.put(namespace, item.key, item.value, index=False)
                        carried += 1
                if len(items) < _PAGE:
                    break
    return carried


def _pages(store: BaseStore) -> Iterator[tuple[str, ...]]:
    for start in count(0, _PAGE):
        found = store.list_namespaces(limit=_PAGE, offset=start)
        yield from found
        if len(found) < _PAGE:
            return


def _rows(tables: Tables) -> int:
    found = tables.execute(
        "SELECT (SELECT COUNT(*) FROM trials) + (SELECT COUNT(*) FROM searches)"
    ).fetchone()
    return int(found[0])


def _log(home: Path) -> Path:
    return home / "datasets" / openings.LOG


def _moved(path: Path) -> str:
    """Give a file, and what SQLite keeps beside it, another name."""
    for ending in ("", *BESIDE):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.replace(path.with_name(f"{path.name}{MOVED}{ending}"))
    return str(path.with_name(path.name + MOVED))
