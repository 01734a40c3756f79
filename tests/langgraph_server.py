"""A `langgraph dev` server of its own for the tests that need the real thing.

    with langgraph_server(folder) as server:
        client = get_client(url=server.url)

It works in a temporary folder with a copy of the project's `langgraph.json`, keeps its data under
`server.home`, and sees none of the machine's own settings.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from threadx.web import processes

PROJECT = Path(__file__).resolve().parents[1]
STARTS_WITHIN = 180
"""Seconds after which a server that does not answer is given up; the first start on a machine compiles."""

_FOREIGN = (
    "LANGSMITH",
    "LANGCHAIN",
    "LANGGRAPH",
    "PYTEST",
    "NICEGUI",
    "THREADX",
    "OLLAMA",
    "OPENAI",
    "OPENROUTER",
)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: where it listens.
        home: its data folder.
        folder: where it works; its log is `server.log` there.
        pid: its process.
    """

    url: str
    home: Path
    folder: Path
    pid: int

    @property
    def log(self) -> str:
        """Everything it has said."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without settings of the libraries involved, with `settings` added."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, "PYTHONPATH": str(PROJECT), **settings}


def answers(url: str) -> bool:
    """Whether the address answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the address answers; a server that ends or never answers fails with its log."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise AssertionError(f"no answer from {url} (exit {process.poll()}):\n{said}")
        time.sleep(0.1)


@contextlib.contextmanager
def started(
    arguments: list[str], folder: Path, environment: dict[str, str], ready: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server process while the block lasts, its words in `folder/server.log`.

    Args:
        arguments: of this Python.
        folder: where it works.
        environment: all of it.
        ready: address that answers once it is up.
    """
    log = folder / "server.log"
    with log.open("wb") as words:
        process = processes.start_apart([sys.executable, *arguments], words, environment, folder)
    try:
        wait_for(ready, process, log)
        yield process
    finally:
        processes.interrupt(process.pid)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            processes.kill(process.pid)
            process.wait()


@contextlib.contextmanager
def langgraph_server(folder: Path, *, jobs: int = 4, **settings: str) -> Iterator[Server]:
    """A `langgraph dev` server while the block lasts.

    Args:
        folder: an empty folder.
        jobs: runs at work at the same time.
        **settings: environment variables.
    """
    work, home = folder / "server", folder / "home"
    work.mkdir(exist_ok=True)
    shutil.copy(PROJECT / "langgraph.json", work)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = clean_environment(
        THREADX_HOME=str(home),
        LANGGRAPH_CLI_NO_ANALYTICS="1",
        LANGGRAPH_NO_VERSION_CHECK="true",
        LANGSMITH_TRACING="false",
        **settings,
    )
    arguments = ["-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", str(jobs)]
    with started(arguments, work, environment, f"{url}/ok") as process:
        yield Server(url, home, work, process.pid)
