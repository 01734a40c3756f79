"""Errors of this room.

ThreadxError (base.errors.TypedError)    a wrong option, an unwritable data folder, a run that failed
ThreadxWarning (RuntimeWarning)          a sentence about what did not follow the work
"""

from __future__ import annotations

from base.errors import TypedError


class ThreadxError(TypedError):
    """Something wrong at the face; its text is `command.error.<code>`."""

    room = "command"


class ThreadxWarning(RuntimeWarning):
    """Something that is no fault of the work, which is done; the command tells it as a line."""
