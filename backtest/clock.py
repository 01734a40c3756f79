"""Times of bars: hours, days, and the bars of a higher timeframe that are complete at each bar.

A bar's time is its beginning. Timeframes within a day begin at whole multiples of themselves since midnight
UTC; days, weeks (from Monday) and months begin at midnight in the data's own time zone, whatever daylight
saving does to it.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.errors import RequestError
from backtest.indicators import Floats

Integers = NDArray[np.int64]

_DAY = 86_400
_NANO = 10**9
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


class HigherBars(NamedTuple):
    """The bars of a higher timeframe.

    Attributes:
        first: index of the first bar of each.
        times: when each begins.
        visible: at each bar, the last of them that is complete at its close; -1 before the first.
    """

    first: Integers
    times: pd.DatetimeIndex
    visible: Integers


class Clock:
    """Times of one price history, as the language sees them.

    Args:
        times: beginnings of the bars, sorted and unique; naive or in one time zone.
    """

    def __init__(self, times: pd.DatetimeIndex) -> None:
        self.times = times.as_unit("ns")

    @cached_property
    def _wall(self) -> Integers:
        """Nanoseconds on the clock on the wall, since 1970."""
        wall: Integers = self.times.tz_localize(None).asi8
        return wall

    @cached_property
    def days(self) -> Integers:
        """Days since 1970 in the data's own time zone, never going back."""
        days: Integers = np.maximum.accumulate(self._wall // (_DAY * _NANO))
        return days

    def field(self, name: str) -> Floats:
        """`hour` (0 to 23) or `weekday` (0 is Monday) of each bar, in the data's own time zone."""
        if name == "hour":
            return (self._wall // (3_600 * _NANO) % 24).astype(np.float64)
        # 1970 began on a Thursday.
        return ((self._wall // (_DAY * _NANO) + 3) % 7).astype(np.float64)

    def higher(self, name: str) -> HigherBars:
        """Group the bars into those of a higher timeframe.

        A higher bar is complete once the bar that ends where it ends has closed; where that one is missing,
        at the first bar behind. The length of a bar is the smallest distance between two, so that no bar can
        still join what was taken for complete. A first bar that the data enters half-way is left out.

        Raises:
            RequestError: `timeframe_not_higher`.
        """
        stamps: Integers = self.times.asi8
        count, unit = int(name.rstrip("smhdwo")), name.lstrip("0123456789")
        if stamps.size > 1:
            steps = np.diff(stamps)
            usual = float(np.median(steps)) / _NANO
            if length_of(name) <= usual:
                raise RequestError("timeframe_not_higher", timeframe=name, bars=timeframe_of(usual))
            step = int(steps.min())
        else:
            step = 0
        if unit in ("s", "m", "h"):
            length = count * _SECONDS[unit] * _NANO
            numbers = stamps // length
        else:
            numbers = self._calendar(count, unit)
        first: Integers = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        labels = numbers[first]
        if unit in ("s", "m", "h"):
            begins, ends = labels * length, (labels + 1) * length
        else:
            begins, ends = self._midnights(labels, count, unit), self._midnights(labels + 1, count, unit)
        visible: Integers = np.searchsorted(ends, stamps + step, side="right") - 1
        if stamps[0] > begins[0]:
            first, begins, visible = first[1:], begins[1:], visible - 1
        times = pd.DatetimeIndex(begins.astype("datetime64[ns]"))
        if self.times.tz is not None:
            times = times.tz_localize("UTC").tz_convert(self.times.tz)
        return HigherBars(first, times, np.maximum(visible, -1))

    def _calendar(self, count: int, unit: str) -> Integers:
        """The number of each bar's period of whole days, weeks or months since 1970."""
        if unit == "d":
            return self.days // count
        if unit == "w":
            return (self.days + 3) // (7 * count)
        months: Integers = self.days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return months // count

    def _midnights(self, labels: Integers, count: int, unit: str) -> Integers:
        """When periods of whole days begin, in nanoseconds since 1970 (UTC where the data has a zone)."""
        if unit == "mo":
            dates = (labels * count).astype("datetime64[M]").astype("datetime64[D]")
        else:
            dates = (labels * count if unit == "d" else labels * 7 * count - 3).astype("datetime64[D]")
        midnights = pd.DatetimeIndex(dates.astype("datetime64[ns]"))
        if self.times.tz is not None:
            # Where a clock goes back over midnight the day begins the first time; where it jumps over
            # midnight, at the first moment that exists.
            midnights = midnights.tz_localize(
                self.times.tz, ambiguous=np.ones(len(midnights), dtype=bool), nonexistent="shift_forward"
            )
        found: Integers = midnights.asi8
        return found
