"""A path as somebody typed it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from base.errors import TypedError


class PathError(TypedError):
    """Words that name no path."""

    room = "base"


def typed_path(told: str | Path) -> Path:
    """The path that somebody wrote, with `~` as the folder of a user.

    Args:
        told: as it was written.

    Raises:
        PathError: `unknown_user`, `no_path` for what no file can be called, or `path_no_text` for bytes
            that are no text: records and tables could not name the file.
    """
    words = str(told)
    if "\0" in words:
        raise PathError("no_path", path=words)
    if (shown := words.encode(errors="replace").decode()) != words:
        raise PathError("path_no_text", path=shown)
    if not words.startswith("~"):
        return _path(words)
    try:
        return Path(told).expanduser()
    except RuntimeError:  # pathlib's word for a user that the system does not know
        raise PathError("unknown_user", path=str(told)) from None


@lru_cache(maxsize=64)
def _path(words: str) -> Path:
    """The path in words: a run asks for its data folder at every step, and reading it takes longest."""
    return Path(words)
