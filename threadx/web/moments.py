"""Moments and durations as people read them."""

from __future__ import annotations

from prompts import Words


def moment(words: Words, iso: str) -> str:
    """Date and minute of an ISO time in UTC, in words."""
    return words("web.moment", date=iso[:10], hour=iso[11:16]) if iso else "–"


def duration(words: Words, seconds: float) -> str:
    """Hours and minutes, or minutes and seconds."""
    whole = max(0, int(seconds))
    if whole >= 3600:
        return words("web.duration.hours", hours=whole // 3600, minutes=whole % 3600 // 60)
    return words("web.duration.minutes", minutes=whole // 60, seconds=whole % 60)
