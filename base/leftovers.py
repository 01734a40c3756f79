"""Temporary files of processes that were killed: told by their names, and swept away.

A whole-file write goes to `.NAME.HOST-PID-….part` first. Such a file of a process that is dead belongs to
nobody; one of another machine, or of a number that a new process has by now, is left until it is a day old.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from functools import cache
from pathlib import Path

import psutil

ENDING = ".part"
_NAME = re.compile(r"\..+\.([0-9a-f]{6})-(\d+)-\w+\.part")
_FORMER = re.compile(r"\.(?:.+\.(?:json|jsonl|md|npz|parquet|html|pdf|svg|png)|dt=\d{8,10})\.[a-z0-9_]{8}")
"""As earlier versions named them, without a process."""
_OLD_SECONDS = 86_400.0


def beginning(name: str) -> str:
    """How a temporary file or folder of this process is named; a random part and `ENDING` follow."""
    return f".{name}.{_host()}-{os.getpid()}-"


def leftovers(folder: Path) -> list[Path]:
    """What killed processes have left in a folder, not below it; none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            hidden = [Path(entry.path) for entry in entries if entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(path for path in hidden if _is_left(path))


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes have left in a folder, and say what that was.

    Raises:
        OSError: the folder cannot be written.
    """
    found = leftovers(folder)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return found


def _is_left(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is not None and match[1] == _host() and not _is_alive(int(match[2])):
        return True
    if match is None and not _FORMER.fullmatch(path.name):
        return False
    try:
        return time.time() - path.stat().st_mtime > _OLD_SECONDS
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.pid_exists(pid))
    except OverflowError:  # no system counts that far
        return False


@cache
def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]
