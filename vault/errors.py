"""Errors of this room.

MarketError (base.errors.TypedError)    data that comes in is missing, unreadable or not what it must be
"""

from __future__ import annotations

from base.errors import TypedError


class MarketError(TypedError):
    """Data that cannot be used."""

    room = "market"
