"""Files appear whole or not at all, under names that every system can have."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from base import private
from base.leftovers import ENDING, beginning
from base.plain_files import opened_plain, refuse_link
from base.secrets import masked_text

_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_STREAM = re.compile(r"/dev/(stdout|stderr)|/(?:dev|proc/self)/fd/(\d+)")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE)

# Windows lets nobody replace or rename what somebody reads at that moment (a page, a virus scanner).
_PAUSES_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if sys.platform == "win32" else ()


def file_name(told: str) -> str:
    """A name for a file or folder that every system accepts, made of what somebody calls it.

    Windows forbids more than others: some characters, a dot or space at the end, the names of its devices
    (`CON`, `NUL`, `COM1`, with any ending).
    """
    name = _FORBIDDEN.sub("_", told).rstrip(" .") or "_"
    return f"_{name}" if _DEVICE.fullmatch(name) else name


def take_name(temporary: Path, path: Path) -> None:
    """Give a finished file or folder its name; a file of that name is replaced.

    Raises:
        OSError: the name cannot be had, or somebody keeps what is to be replaced open.
    """
    for pause in _PAUSES_SECONDS:
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    temporary.replace(path)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, named: bool = False) -> None:
    """Write a file so that a reader, or a crash, never sees half of it.

    The bytes go to a temporary file in the same folder, reach the disk, and then take the name in one step.

    Args:
        path: the file to make or replace; its folders are made. It is the user's alone unless its folder is
            one that others may read.
        write: called with the open binary file.
        named: whether the user named this path: what is no file there (a device, a pipe) is then written to
            as it stands, and a link keeps pointing where it does. In a data folder, which somebody may have
            sent, a link is refused, and what is no file is replaced.

    Raises:
        OSError: a link stands in a data folder; the folder cannot be written, or the disk is full; nothing
            is left behind. It names the path.
    """
    try:
        if named:
            _write_as_named(path, write)
        else:
            refuse_link(path)
            _replace(path, write)
    except OSError as error:
        if error.filename is None:  # a write knows no name
            error.filename = str(path)
        raise


def _write_as_named(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    if (open_already := _STREAM.fullmatch(str(path))) is not None or _is_a_channel(path):
        _write_through(path, open_already, write)
        return
    _replace(path.resolve() if path.is_symlink() else path, write)


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    private.make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=beginning(path.name), suffix=ENDING)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(private.mode_in(path.parent))
        take_name(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_a_channel(path: Path) -> bool:
    """Whether the path leads to a device or a pipe."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


def _write_through(
    path: Path, open_already: re.Match[str] | None, write: Callable[[IO[bytes]], object]
) -> None:
    """Write to a device or a pipe; where this process has it open already, after what it has said there."""
    if open_already is None:
        with open(path, "wb") as stream:
            write(stream)
        return
    number = {"stdout": 1, "stderr": 2}[open_already[1]] if open_already[1] else int(open_already[2])
    for spoken in (sys.stdout, sys.stderr):
        spoken.flush()
    with os.fdopen(os.dup(number), "wb") as stream:
        write(stream)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all.

    Raises:
        OSError: it cannot be read, or the target cannot be written.
    """
    with opened_plain(source) as given:
        write_atomically(target, lambda stream: shutil.copyfileobj(given, stream))


def write_text_atomically(path: Path, words: str, *, named: bool = False) -> None:
    """`write_atomically` for UTF-8 text with the line ends given, and without secrets (`base.secrets`)."""
    write_atomically(path, lambda stream: stream.write(masked_text(words).encode()), named=named)
