"""SQLite files that cannot be read any more are put aside before they stop the work of everybody.

Nothing here opens such a file by itself. On POSIX a process that closes any handle of a file loses every lock
it holds on it (fcntl), SQLite's own among them. Another process then takes itself for the last one, and
deletes the write-ahead log under those that still work.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from filelock import FileLock

from base import private
from base.aside import BESIDE, set_aside
from base.plain_files import refuse_link

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PATIENCE_SECONDS = 30.0

_FOREIGN = "SELECT 1 FROM sqlite_master WHERE type = 'view' OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1"
"""What nobody here ever makes."""

_sound: dict[Path, tuple[int, int]] = {}
"""Files that were gone through here, with their number on the disk and their size then."""


def is_damaged(path: Path) -> bool:
    """Whether something of this name is there, and is no sound SQLite file.

    An empty file is sound: it is what SQLite itself leaves where nothing was written yet.

    Raises:
        sqlite3.Error, OSError: it cannot be told (no right, no memory, somebody keeps it locked).
    """
    if path.is_dir():
        return True
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            # Reading a view, or a table of a module, runs whatever query the sender of a file wrote into it.
            if connection.execute(_FOREIGN).fetchone():
                return True
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            return bool(found != "ok")
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return True
        raise


def put_aside_if_damaged(path: Path, lock: FileLock) -> Path | None:
    """Put a database aside that cannot be read, once a process and file.

    Args:
        path: of the database.
        lock: held by whoever makes its tables.

    Returns:
        Where it is kept; None where it is sound, or not there.

    Raises:
        sqlite3.Error, OSError: it cannot be told, or cannot be renamed; a link stands there, or beside it
            where SQLite writes too.
    """
    for ending in ("", *BESIDE):
        refuse_link(path.with_name(path.name + ending))
    if not path.exists() or _known(path):
        return None
    with lock:
        if is_damaged(path):
            return set_aside(path)
        found = path.stat()
        _sound[path] = found.st_ino, found.st_size
    return None


def make_private(path: Path) -> None:
    """Make an empty private file where there is none: SQLite would make a public one.

    Raises:
        OSError: it cannot be made.
    """
    if not path.exists():
        with suppress(FileExistsError):
            private.make_file(path)


def noticed(error: sqlite3.Error, path: Path) -> None:
    """Have a file looked at anew by whoever opens it next, where an error says that it was damaged since."""
    if _is_damage(error):
        _sound.pop(path, None)


def _known(path: Path) -> bool:
    """Whether it is the file that was gone through here, as far as a glance can tell."""
    if path not in _sound or not path.is_file():
        return False
    found, (number, size) = path.stat(), _sound[path]
    return found.st_ino == number and found.st_size >= size


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED
