"""Locks between processes, apart from `base.private`: not every command that names a file needs one."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from base import private


def lock(path: Path, timeout: float = -1, *, thread_local: bool = True) -> FileLock:
    """A lock whose file is private.

    Args:
        path: of the file.
        timeout: seconds to wait at most; -1 for any time.
        thread_local: whether the lock is a thread's; else the process's.
    """
    return FileLock(path, timeout=timeout, mode=private.FILE_MODE, thread_local=thread_local)
