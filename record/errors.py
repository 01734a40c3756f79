"""Errors of this room.

ReportError (base.errors.TypedError)    a run that does not exist, is at work elsewhere, or whose record
                                        cannot be read; a picture that cannot be drawn as asked
"""

from __future__ import annotations

from base.errors import TypedError


class ReportError(TypedError):
    """Something about a run's record, or a picture."""

    room = "reports"
