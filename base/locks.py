"""Locks between processes, apart from `base.private`: not every command that names a file needs one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from base import private


class Lock(Protocol):
    """A lock between processes."""

    def acquire(self) -> Any:
        """Take it; raises `filelock.Timeout` where somebody else has it."""

    def release(self) -> None:
        """Give it back."""

    def __enter__(self) -> Any:
        """Take it."""

    def __exit__(self, *_: Any) -> None:
        """Give it back."""


def lock(path: Path, timeout: float = -1, *, thread_local: bool = True) -> FileLock:
    """A lock whose file is private.

    Args:
        path: of the file.
        timeout: seconds to wait at most; -1 for any time.
        thread_local: whether the lock is a thread's; else the process's.
    """
    return FileLock(path, timeout=timeout, mode=private.FILE_MODE, thread_local=thread_local)
