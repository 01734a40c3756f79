"""Times of bars: hours, days, and the bars of a higher timeframe that are complete at each bar.

A bar's time is its beginning. Timeframes within a day begin at whole multiples of themselves since midnight
UTC; days, weeks (from Monday) and months begin at midnight in the data's own time zone, whatever daylight
saving does to it. Which higher bars are complete is told by `backtest.data.periods`.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.periods import UNITS, follow, period_begin
from backtest.errors import RequestError
from backtest.kernels.indicators import Floats
from backtest.language.timeframes import length_of, timeframe_of

Integers = NDArray[np.int64]

_DAY = 86_400
_NANO = 10**9


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
        self._given = times

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Beginnings of the bars, in nanoseconds."""
        return self._given.as_unit("ns")

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
        """A part of each bar's time, in the data's own time zone (`backtest.language.functions.CLOCK`)."""
        days = self._wall // (_DAY * _NANO)
        match name:
            case "minute":
                found = self._wall // (60 * _NANO) % 60
            case "hour":
                found = self._wall // (3_600 * _NANO) % 24
            case "weekday":
                found = (days + 3) % 7  # 1970 began on a Thursday
            case _:
                dates = days.astype("datetime64[D]")
                months = dates.astype("datetime64[M]")
                found = (dates - months).astype(np.int64) if name == "day" else months.astype(np.int64) % 12
                found = found + 1
        return found.astype(np.float64)

    def higher(self, name: str) -> HigherBars:
        """Group the bars into those of a higher timeframe.

        A higher bar is complete once no further bar of its period can come, by the calendar that the bars so
        far have shown (`backtest.data.periods.follow`); else at the first bar behind it. A bar that comes all
        the same counts to the next one: what has been seen never changes. A first bar that the data enters
        half-way is left out.

        Raises:
            RequestError: `timeframe_not_higher`: a quarter of all bars or more are as far apart. This is the
                only thing that the data as a whole decides, and it changes no value.
        """
        stamps: Integers = self.times.asi8
        count, unit = int(name.rstrip("smhdwo")), name.lstrip("0123456789")
        if stamps.size > 1:
            usual = float(np.quantile(np.diff(stamps), 0.25, method="lower")) / _NANO
            if length_of(name) <= usual:
                raise RequestError("timeframe_not_higher", timeframe=name, bars=timeframe_of(usual))
        length = length_of(name) * _NANO if unit in ("s", "m", "h") else 0
        labels, complete = follow(
            stamps,
            self._wall,
            self.days,
            self._day_ends(),
            str(self.times.tz) == "UTC",
            UNITS.get(unit, UNITS["h"]),
            count,
            length,
        )
        first: Integers = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
        numbers = np.zeros(labels.size, dtype=np.int64)
        numbers[first] = 1
        visible: Integers = np.cumsum(numbers) - 1 - ~complete
        begins = labels[first] * length if length else self._midnights(labels[first], count, unit)
        if stamps[0] > begins[0]:
            first, begins, visible = first[1:], begins[1:], visible - 1
        times = pd.DatetimeIndex(begins.astype("datetime64[ns]"))
        if self.times.tz is not None:
            times = times.tz_localize("UTC").tz_convert(self.times.tz)
        return HigherBars(first, times, np.maximum(visible, -1))

    def _day_ends(self) -> Integers:
        """When the day of each bar ends, in nanoseconds since 1970 (UTC where the data has a zone)."""
        if self.times.tz is None or str(self.times.tz) == "UTC":
            return (self.days + 1) * (_DAY * _NANO)
        changes = np.flatnonzero(np.diff(self.days, prepend=self.days[0] - 1))
        ends = self._midnights(self.days[changes] + 1, 1, "d")
        found: Integers = np.repeat(ends, np.diff(np.append(changes, self.days.size)))
        return found

    def _midnights(self, labels: Integers, count: int, unit: str) -> Integers:
        """When periods of whole days begin, in nanoseconds since 1970 (UTC where the data has a zone)."""
        days = np.array(
            [period_begin(label, UNITS[unit], count) for label in labels.tolist()], dtype=np.int64
        )
        midnights = pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[ns]"))
        if self.times.tz is not None:
            # Where a clock goes back over midnight the day begins the first time; where it jumps over
            # midnight, at the first moment that exists.
            midnights = midnights.tz_localize(
                self.times.tz, ambiguous=np.ones(len(midnights), dtype=bool), nonexistent="shift_forward"
            )
        found: Integers = midnights.asi8
        return found
