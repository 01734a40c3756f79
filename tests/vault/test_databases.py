"""A database that several processes work on, opened again and again by one of them."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from base import locks
from base.databases import is_damaged, make_private, noticed, put_aside_if_damaged

OTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
connection.execute("INSERT INTO rows VALUES (2)")
connection.commit()
connection.close()
"""


def test_opening_it_again_takes_no_lock_from_those_at_work(tmp_path):
    """The last process to leave a database deletes its write-ahead log: it must know of the others."""
    path = tmp_path / "rows.sqlite"
    lock = locks.lock(tmp_path / ".rows.lock")
    make_private(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE rows (number)")
        for _ in range(2):  # the first look goes through the file, the next only glances at it
            put_aside_if_damaged(path, lock)
            make_private(path)
        subprocess.run([sys.executable, "-c", OTHER_PROCESS, path], check=True)
        assert path.with_name("rows.sqlite-wal").exists()
        connection.execute("INSERT INTO rows VALUES (3)")
        with closing(sqlite3.connect(path)) as later:
            assert later.execute("SELECT number FROM rows ORDER BY number").fetchall() == [(2,), (3,)]


@pytest.mark.parametrize("content", [b"no database", b"\0" * 8192, b"SQLite format 3\0", b"x" * 600])
def test_what_was_damaged_since_the_last_look_is_put_aside_at_the_next(tmp_path, content):
    path = tmp_path / "rows.sqlite"
    lock = locks.lock(tmp_path / ".rows.lock")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rows (number)")
    assert put_aside_if_damaged(path, lock) is None
    path.write_bytes(content.ljust(path.stat().st_size, b"\0"))
    assert is_damaged(path)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError) as refused:
        connection.execute("SELECT * FROM rows")
    noticed(refused.value, path)
    kept = put_aside_if_damaged(path, lock)
    assert kept is not None
    assert kept.read_bytes().startswith(content)
    assert not path.exists()


ENDLESS = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS number FROM r WHERE n < 0"
)


@pytest.mark.parametrize(
    "foreign", [f"CREATE VIEW rows AS {ENDLESS}", "CREATE VIRTUAL TABLE rows USING fts5(number)"]
)
def test_a_database_that_asks_questions_of_its_own_is_put_aside(tmp_path, foreign):
    """Somebody sent a file whose table is a query without an end, which no Ctrl-C stops."""
    path = tmp_path / "checkpoints.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(foreign)
    assert put_aside_if_damaged(path, locks.lock(tmp_path / ".rows.lock")) is not None
    assert not path.exists()
