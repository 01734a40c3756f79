"""Where the state of a data folder lives: in its files, or in the database that `THREADX_DATABASE` names.

The database is for several processes and machines at once: ledger, openings, lessons, checkpoints and locks
stand there, and prices and the files of runs stay in the data folder, which all of them mount. A folder whose
state has gone into a database says so itself (`home.json`), so that nobody begins a second, empty ledger
beside it by forgetting the variable, or by mistyping it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from base import locks, private
from base.files import write_text_atomically
from base.locks import Lock
from base.plain_files import read_plain
from base.reasons import because
from base.schema import DatabaseError

if TYPE_CHECKING:
    from base.postgres import Database

VARIABLE = "THREADX_DATABASE"
SCHEMES = ("postgresql://", "postgres://")
MARK = "home.json"
VERSION = 1
"""Of a data folder that says where its state lives."""

STATE_FILES = ("ledger.sqlite", "memory.sqlite", "datasets/holdout_openings.jsonl")
"""What a data folder without a database keeps. Checkpoints are none of it: records do without them."""

_bound: dict[tuple[Path, str], Database] = {}


class _Versioned(BaseModel):
    version: int


class Mark(BaseModel):
    """What a data folder says of itself.

    Attributes:
        version: of this file.
        home: identity of the folder, wherever it is mounted.
        database: identity of the database in which its state lives; None for files, whatever is set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    home: str = Field(pattern="^[0-9a-f]{32}$")
    database: str | None


def address() -> str | None:
    """The address in the environment; None where state lives in files."""
    return os.environ.get(VARIABLE, "").strip() or None


def check_address() -> None:
    """Refuse what cannot be a database's address, also where nothing of its state is asked for.

    Raises:
        DatabaseError: `database_address`.
    """
    if (told := address()) is not None:
        _check(told)


def database_of(home: Path) -> Database | None:
    """The database in which the state of a data folder lives; None where it lives in files.

    Raises:
        DatabaseError: the address is none, the driver is not installed, the server cannot be reached; the
            folder's state lives elsewhere than the environment says, or is of a newer version.
        OSError: the folder cannot be written.
    """
    told = address()
    if told is not None and (known := _bound.get((home, told))) is not None:
        return known
    kept = _mark(home).database if (home / MARK).exists() else ""
    if told is None:
        if kept:
            raise DatabaseError("home_in_database", home=str(home), database=kept)
        return None
    if kept is None:
        return None
    _bound[home, told] = database = _bind(home, told)
    return database


def require_state(home: Path) -> None:
    """Make sure that the state of a data folder can be had, for who would not come to ask for it.

    Raises:
        DatabaseError, OSError: see `database_of`.
    """
    if home.is_dir():
        database_of(home)
    elif (told := address()) is not None:  # no folder is made by looking
        connected(told)


@contextmanager
def scratch_home(prefix: str) -> Iterator[Path]:
    """A data folder that is gone after the block; what is done there counts nowhere else.

    Args:
        prefix: of its name.
    """
    with TemporaryDirectory(prefix=prefix) as folder:
        home = Path(folder)
        if address() is not None:
            _write(home, None)
        yield home


def connected(told: str) -> Database:
    """The database at an address, its tables of identity made; no data folder is bound to it.

    Raises:
        DatabaseError: see `database_of`.
    """
    _check(told)
    try:
        driver = import_module("base.postgres")
    except ImportError:
        raise DatabaseError("database_driver") from None
    found: Database = driver.Database(told)
    return found


def bind(home: Path, database: Database) -> None:
    """Write down that the state of a folder lives in a database, and know the folder by its identity.

    Raises:
        DatabaseError: `other_database`, `newer_state`.
        OSError: the folder cannot be written.
    """
    private.make_folder(home)
    with locks.lock(home / f".{MARK}.lock"):
        if not (home / MARK).exists():
            _write(home, database.identity)
    mark = _mark(home)
    if mark.database != database.identity:
        raise DatabaseError("other_database", home=str(home), address=database.shown)
    database.home = mark.home


def lock(home: Path, name: str, timeout: float = -1) -> Lock:
    """A lock of whoever works with a data folder, on whichever machine; a process's and not a thread's.

    Args:
        home: the data folder.
        name: of the lock's file in it.
        timeout: seconds to wait at most; -1 for any time.

    Raises:
        DatabaseError, OSError: see `database_of`.
    """
    database = database_of(home)
    if database is None:
        return locks.lock(home / name, timeout=timeout, thread_local=False)
    return database.lock(name, home / name, timeout)


def require(lock: Lock) -> None:
    """Make sure that a lock that was taken is still held.

    Raises:
        DatabaseError: `database_unusable`: its session has ended.
    """
    if (require_held := getattr(lock, "require", None)) is not None:  # a file's lock cannot be lost
        require_held()


def state_files(home: Path) -> list[Path]:
    """Files of a folder that hold state which a database would not know."""
    return [home / name for name in STATE_FILES if (home / name).exists()]


def _check(told: str) -> None:
    if not told.startswith(SCHEMES):
        raise DatabaseError("database_address")


def _bind(home: Path, told: str) -> Database:
    database = connected(told)
    if not (home / MARK).exists() and state_files(home):
        raise DatabaseError("home_in_files", home=str(home))
    bind(home, database)
    return database


def _write(home: Path, database: str | None) -> None:
    mark = Mark(version=VERSION, home=uuid4().hex, database=database)
    write_text_atomically(home / MARK, mark.model_dump_json(indent=1) + "\n")


def _mark(home: Path) -> Mark:
    path = home / MARK
    try:
        content = read_plain(path)
        version = _Versioned.model_validate_json(
            content
        ).version  # a newer one may hold what nobody knows here
        if version > VERSION:
            raise DatabaseError("newer_state", where=str(path), found=version, known=VERSION)
        return Mark.model_validate_json(content)
    except (OSError, ValidationError) as error:
        raise DatabaseError("damaged_home", path=str(path), reason=because(error)) from error
