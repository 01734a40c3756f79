"""A PostgreSQL server of the tests' own, on a socket in a temporary folder: no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

USER = "threadx"
PASSWORD = "p/w@ 50%:#é-long"
_DEBIAN = Path("/usr/lib/postgresql")
_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=",
    "shared_buffers=16MB",
)


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


@dataclass
class Server:
    """A running server.

    Attributes:
        socket: folder of its socket.
        number: of the databases made so far.
    """

    socket: Path
    number: Iterator[int] = field(default_factory=count)

    def address(self, name: str, password: str = PASSWORD) -> str:
        """Of one database."""
        return (
            f"postgresql://{USER}:{quote(password, safe='')}@/{name}?host={quote(str(self.socket), safe='')}"
        )

    def new_database(self) -> str:
        """Make an empty database, and give its address."""
        name = f"db{next(self.number)}"
        self.execute(f"CREATE DATABASE {name}", self.address("postgres"))
        return self.address(name)

    def execute(self, statement: str, address: str) -> list[Any]:
        """One statement from outside."""
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []


@contextmanager
def postgres_server() -> Iterator[Server]:
    """Start one, as somebody who is not root, and stop it again."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="threadx-pg-"))
    who: dict[str, Any] = {}
    if sys.platform != "win32" and os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    secret, data = folder / "secret", folder / "data"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    common: dict[str, Any] = {
        **who,
        "cwd": folder,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    try:
        subprocess.run(
            [
                *(programs / "initdb", "-D", data, "-U", USER, "--pwfile", secret, "-A", "scram-sha-256"),
                *("--no-sync", "-E", "UTF8", "--locale=C"),
            ],
            check=True,
            **common,
        )
        settings = [part for one in _FAST for part in ("-c", one)]
        process = subprocess.Popen([programs / "postgres", "-D", data, "-k", folder, *settings], **common)
        try:
            server = Server(socket=folder)
            while True:
                try:
                    server.execute("SELECT 1", server.address("postgres"))
                    break
                except psycopg.OperationalError:
                    assert process.poll() is None, "the server has not started"
            yield server
        finally:
            process.send_signal(3)  # at once: nobody will read its files again
            process.wait()
    finally:
        shutil.rmtree(folder)
