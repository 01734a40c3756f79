"""A path as somebody typed it."""

from __future__ import annotations

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
        PathError: `unknown_user`, or `no_path` for what no file can be called.
    """
    if "\0" in str(told):
        raise PathError("no_path", path=str(told))
    try:
        return Path(told).expanduser()
    except RuntimeError:  # pathlib's word for a user that the system does not know
        raise PathError("unknown_user", path=str(told)) from None
