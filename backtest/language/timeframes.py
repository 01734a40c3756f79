"""Names of timeframes: how they are written, and how long they are."""

from __future__ import annotations

import re

_DAY = 86_400

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": _DAY, "w": 7 * _DAY, "mo": 28 * _DAY}


_WRITTEN = re.compile(
    r"(\d{1,5})\s*(s|sec|m|min|h|hours?|d|days?|w|weeks?|mo|M|months?)", re.IGNORECASE | re.ASCII
)


_UNITS = {"sec": "s", "min": "m", "hour": "h", "day": "d", "week": "w", "month": "mo"}


def timeframe(words: str) -> str | None:
    """A timeframe spelt our way (`4h`, `1d`, `1w`, `1mo`) from how it was written, None if it is none.

    `60m` is `1h`; `1M` is a month and `1m` a minute, as on exchanges. What fits no whole number of times into
    a day (`7h`) is none.
    """
    match = _WRITTEN.fullmatch(words.strip())
    if match is None or int(match[1]) == 0:
        return None
    count = int(match[1])
    unit = "mo" if match[2] == "M" else match[2].lower()
    unit = _UNITS.get(unit.rstrip("s") or "s", unit)
    while unit in ("s", "m") and count % 60 == 0:
        count, unit = count // 60, "m" if unit == "s" else "h"
    if unit in ("s", "m", "h") and _DAY % (count * _SECONDS[unit]):
        return None
    return f"{count}{unit}"


def length_of(name: str) -> int:
    """Seconds of a timeframe spelt our way; of a month, those of the shortest."""
    count, unit = int(name.rstrip("smhdwo")), name.lstrip("0123456789")
    return count * _SECONDS[unit]


def timeframe_of(seconds: float) -> str:
    """The name of a distance between bars: `30m`, `4h`, `1d`, `1w`, `1mo`."""
    whole = max(1, round(seconds))
    if 28 * _DAY <= whole <= 31 * _DAY:
        return "1mo"
    for unit in ("w", "d", "h", "m"):
        if whole % _SECONDS[unit] == 0:
            return f"{whole // _SECONDS[unit]}{unit}"
    return f"{whole}s"
