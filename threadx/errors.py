"""Errors of this room.

ThreadxError (base.errors.TypedError)    a wrong option, an unwritable data folder, a run that failed
"""

from __future__ import annotations

from base.errors import TypedError


class ThreadxError(TypedError):
    """Something wrong at the face; its text is `command.error.<code>`."""

    room = "command"
