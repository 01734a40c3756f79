"""Folders and files for the user alone: 0700 and 0600 on POSIX, whatever the process's umask.

On Windows a folder in the user's profile is the user's alone by the profile's own access list; nothing is
changed there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from base.plain_files import open_plain

FOLDER_MODE = 0o700
FILE_MODE = 0o600
SHARED_MODE = 0o644


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing; one that stands is left as it is.

    Raises:
        OSError: it cannot be made, or something else stands there.
    """
    missing = []
    for one in (path, *path.parents):
        if one.is_dir():
            break
        missing.append(one)
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)


def opener(name: str, flags: int) -> int:
    """For `open(path, "ab", opener=opener)`: a file that is made by it is private, and no link is followed.

    Raises:
        OSError: as `base.plain_files.open_plain`.
    """
    return open_plain(name, flags, FILE_MODE)


def make_file(path: Path) -> None:
    """Make an empty file.

    Raises:
        FileExistsError: it is there; nothing was opened.
        OSError: it cannot be made.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))


def mode_in(folder: Path) -> int:
    """Mode of a file written into a folder: private, unless the folder is one that others may read."""
    return SHARED_MODE if folder.stat().st_mode & stat.S_IROTH else FILE_MODE
