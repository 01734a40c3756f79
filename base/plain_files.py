"""Plain files of a data folder, which somebody may have sent: read within bounds, written through no link.

A link may lead to any file of the user's, a device never ends, and a pipe waits for whoever never comes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST = 64 * 1024**2
"""Bytes of a small file: JSON, or a text."""

LARGEST_LOG = 1024**3
"""Bytes of a log."""

# Windows knows none of them, and has no pipes among its files; there it is binary or text that must be said.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_AS_IT_IS = getattr(os, "O_BINARY", 0)


def refuse_link(path: Path) -> None:
    """Refuse to write where a link stands.

    Raises:
        OSError: `EMLINK`: it is a link.
    """
    if path.is_symlink():
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK), str(path))


def open_plain(name: str | Path, flags: int, mode: int = 0o666) -> int:
    """Open a plain file for writing; the last part of its path is no link.

    Raises:
        OSError: `EMLINK` for a link, `ESPIPE` for a device or a pipe; nothing was changed.
    """
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(name)
        if stat.S_ISLNK(found.st_mode):
            refuse_link(Path(name))
        _require(found, name)  # a pipe that nobody reads cannot even be opened
    # The file is made empty only once it is known what it is.
    descriptor = os.open(name, (flags & ~os.O_TRUNC) | _NO_LINK | _AT_ONCE, mode)
    try:
        _require(os.fstat(descriptor), name)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def require_plain(path: Path) -> None:
    """Refuse what is no file; a link may lead to one.

    Raises:
        OSError: it is not there, a folder (`EISDIR`), or a device or a pipe (`ESPIPE`).
    """
    _require(path.stat(), path)


def opened_plain(path: Path) -> BinaryIO:
    """A plain file, open for reading from its beginning, for what is not read whole.

    Raises:
        OSError: as `require_plain`.
    """
    require_plain(path)  # some devices do something as soon as they are opened
    stream = os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE | _AS_IT_IS), "rb")
    try:
        _require(os.fstat(stream.fileno()), path)
    except OSError:
        stream.close()
        raise
    return stream


def read_plain(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a plain file.

    Args:
        path: of the file, or of a link to one.
        most: bytes that it may have.

    Raises:
        OSError: as `require_plain`; `EFBIG`: it is larger.
    """
    with opened_plain(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        content = b"" if size > most else stream.read(most + 1)
        if max(size, len(content)) > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return content


def read_plain_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a small plain file, with line ends as Python reads them.

    Raises:
        OSError: as `read_plain`.
        UnicodeDecodeError: it is no text.
    """
    return read_plain(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def _require(found: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE), str(path))
