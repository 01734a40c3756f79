"""Bars a year: what is traded, counted, and where the figure comes from.

The days and hours that occur tell the calendar, in whole weeks from the first bar on, so that neither the
zone in which times are kept nor the day on which a week begins matters. What the field publishes stays: 365
days of all bars for markets that never close, 252 days for weeks of five, 52 weeks, 12 months. Weeks of any
other shape, and bars that come when they come (of equal volume, of minutes with a trade), are counted over
elapsed time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.errors import RequestError
from backtest.types import plain

Integers = NDArray[np.int64]
Basis = Literal["given", "every_day", "five_days", "period", "counted", "week", "assumed"]

# Two ways of counting that differ by more are told.
DOUBT = 0.05

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_WEEK = 7 * _DAY
_AT_A_TIME = 2**14
_WEEKS = 365 / 7
_TRADING_DAYS = 252
_MONTH = 365.25 / 12
# Fewer weeks than this say nothing on how often bars are missing.
_WEEKS_COUNTED = 4
# A week of five days has four to five and a bit where half a Friday and a stub of a Sunday are traded.
_FIVE = (4.7, 5.3)
_ALL_WEEK = 6.7
# Bars are of one length where so many distances are within a tenth of the usual one.
_STEADY, _NEAR = 0.3, 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class BarsPerYear:
    """The number of bars per year used to annualise.

    Attributes:
        value: bars per year.
        basis: where it comes from: `given` by the caller; `every_day`, 365 days of all bars; `five_days`, 252
            days of a week of five; `period`, weeks, months or years as such; `counted`, bars over elapsed
            time; `week`, bars of a whole week, where too many are missing to count; `assumed`, the data is
            too short to show its weeks.
        other: what the other way gives, None where there is none: bars over elapsed time; for `counted` the
            usual distance between bars; for `given` what would have been inferred.
    """

    value: float
    basis: Basis
    other: float | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the two ways differ by more than `DOUBT`."""
        return self.other is not None and abs(self.other / self.value - 1.0) > DOUBT

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, with `doubtful`."""
        return {**asdict(self), "doubtful": self.doubtful}


def bars_per_year(index: pd.DatetimeIndex, given: float | None = None) -> BarsPerYear:
    """Bars a year of a price history.

    Args:
        index: times of the bars, sorted and unique.
        given: the figure as the caller knows it.

    Raises:
        RequestError: `unknown_periodicity`, with fewer than two bars, or bars more than 500 days apart, and
            none given.
    """
    try:
        found = _without_a_pause(index) or _inferred(index.as_unit("ns"))
    except RequestError:
        if given is None:
            raise
        return BarsPerYear(value=plain(given), basis="given")
    if given is not None:
        return BarsPerYear(value=plain(given), basis="given", other=found.value)
    other = found.other and round(found.other, 2)
    return replace(found, value=plain(round(found.value, 6)), other=other)


def _without_a_pause(index: pd.DatetimeIndex) -> BarsPerYear | None:
    """Of bars of less than five days at one distance, a week of them at least; None for others.

    Most histories are such, and long ones are looked at in the processor's cache.
    """
    stamps: Integers = index.asi8
    if stamps.size < 2:
        return None
    distance = stamps[1] - stamps[0]
    step = int(distance) * pd.Timedelta(1, unit=index.unit).as_unit("ns").value
    if step <= 0 or step >= 5 * _DAY or stamps.size * step < _WEEK:
        return None
    for start in range(0, stamps.size - 1, _AT_A_TIME):
        part = stamps[start : start + _AT_A_TIME + 1]
        if not (part[1:] - part[:-1] == distance).all():
            return None
    all_hours = 365 * _DAY / step
    return BarsPerYear(value=all_hours, basis="every_day", other=all_hours)


def _inferred(index: pd.DatetimeIndex) -> BarsPerYear:
    stamps: Integers = index.asi8
    if stamps.size < 2:
        raise RequestError("unknown_periodicity", bars=stamps.size)
    steps = np.diff(stamps)
    # One distance is mostly more frequent than all others, and then it is the median.
    alike = float(np.mean(steps == steps[0]))
    even = alike == 1.0
    step = float(steps[0] if alike > 0.5 else np.median(steps))
    if step > 500 * _DAY:
        raise RequestError("unknown_periodicity", bars=stamps.size)
    span = int(stamps[-1] - stamps[0])
    elapsed = steps.size / span * 365 * _DAY
    if step >= 5 * _DAY:
        return BarsPerYear(value=_periods(steps, step / _DAY), basis="period", other=elapsed)
    all_hours = 365 * _DAY / step
    wall: Integers = stamps if index.tz is None else index.tz_localize(None).asi8
    days = wall // _DAY
    a_day = np.diff(np.flatnonzero(np.diff(days, prepend=days[0] - 1, append=days[-1] + 1)))
    weeks = int((span + step) // _WEEK)
    in_weeks = np.bincount((stamps - stamps[0]) // _WEEK)[:weeks]
    if not even and np.mean(np.abs(steps - step) <= _NEAR * step) < _STEADY and (a_day > 2).any():
        return _counted(elapsed, all_hours, a_day, span)
    if weeks >= _WEEKS_COUNTED:
        elapsed = float(in_weeks.mean()) * _WEEKS
    if weeks < 1:
        return BarsPerYear(value=_assumed(wall, step, all_hours, a_day), basis="assumed")
    if step > 1.5 * _DAY:
        near = min((all_hours, all_hours * _TRADING_DAYS / 365), key=lambda one: abs(one / elapsed - 1.0))
        if abs(near / elapsed - 1.0) <= DOUBT:
            basis: Basis = "every_day" if near == all_hours else "five_days"
            return BarsPerYear(value=near, basis=basis, other=elapsed)
        return BarsPerYear(value=elapsed, basis="counted", other=None)
    return _by_weeks(in_weeks, a_day, elapsed, all_hours, span)


def _by_weeks(
    in_weeks: Integers, a_day: Integers, elapsed: float, all_hours: float, span: int
) -> BarsPerYear:
    """From the bars of the usual week and of the usual day.

    Args:
        in_weeks: bars of each whole week.
        a_day: bars of each day that has any.
        elapsed: bars a year over elapsed time.
        all_hours: bars a year without a pause.
        span: nanoseconds of the data.
    """
    usual, share = _usual(in_weeks[in_weeks > 0])  # a pause of years is no week
    other = elapsed if in_weeks.size >= _WEEKS_COUNTED else None
    if share < 0.5 and other is not None:
        # Hardly two weeks alike: bars are missing here and there, or are not of one length.
        if abs(all_hours / elapsed - 1.0) <= DOUBT:
            return BarsPerYear(value=all_hours, basis="every_day", other=elapsed)
        return _counted(elapsed, all_hours, a_day, span)
    usual_day = _usual(a_day)[0]
    days = usual / usual_day
    if days >= _ALL_WEEK:
        return BarsPerYear(value=usual * _WEEKS, basis="every_day", other=other)
    if _FIVE[0] <= days <= _FIVE[1]:
        return BarsPerYear(value=usual * _TRADING_DAYS / 5, basis="five_days", other=other)
    if in_weeks.size == 1 and days < _FIVE[0]:
        return BarsPerYear(value=usual_day * _TRADING_DAYS, basis="assumed")
    week = usual * _WEEKS
    if other is not None and abs(elapsed / week - 1.0) <= DOUBT:
        return BarsPerYear(value=elapsed, basis="counted", other=week)
    return BarsPerYear(value=week, basis="week", other=other)


def _usual(counts: Integers) -> tuple[int, float]:
    """The most frequent count, the larger of two, and its share."""
    found = np.bincount(counts)
    usual = found.size - 1 - int(found[::-1].argmax())
    return usual, float(found[usual] / counts.size)


def _counted(elapsed: float, all_hours: float, a_day: Integers, span: int) -> BarsPerYear:
    """Bars over elapsed time, beside what their usual distance and their usual day make of it."""
    every_day = a_day.size >= 0.9 * span / _DAY
    by_distance = all_hours if every_day else _TRADING_DAYS * float(np.median(a_day))
    return BarsPerYear(value=elapsed, basis="counted", other=by_distance)


def _periods(steps: Integers, days: float) -> float:
    """Bars a year of bars of several days: whole weeks, months or years where they are."""
    weeks, months = round(days / 7), round(days / _MONTH)
    if abs(days - 7 * weeks) < 0.5 and (days < 27 or bool((steps == steps[0]).all())):
        return 52 / weeks
    if months and abs(days - months * _MONTH) < 3.0:
        return 12 / months
    return 365 / days


def _assumed(wall: Integers, step: float, all_hours: float, a_day: Integers) -> float:
    """Bars a year of data that is too short to show its week."""
    days = wall // _DAY
    weekend = float(np.mean((days + 3) % 7 >= 5))  # 1970 began on a Thursday
    pauses = bool((np.diff(days) > 1).any())
    full = float(np.median(a_day)) > 0.9 * _DAY / step
    if step >= 0.8 * _DAY:
        return all_hours * _TRADING_DAYS / 365 if pauses or weekend <= 0.1 else all_hours
    if not pauses and (full or a_day.size == 1 or weekend > 0.1):
        return all_hours
    return _TRADING_DAYS * float(np.median(a_day))
