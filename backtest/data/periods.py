"""Which bars make one of a higher timeframe, and at which of them it is complete: one pass, past rows only.

A higher bar is complete when no further bar of its period can come. What can come is told by the days so far:

- within a day, a bar can come where one of the last `DAYS` days and one of the last `WEEKS` of this weekday
  had one, never sooner than the shortest of the last `STEPS` distances;
- the day is over when none had a bar at a later hour and the session is as long as theirs were: both, since
  hours move with daylight saving where times are kept in UTC;
- the next day with bars is as far away as the nearest one after the last `WEEKS` days of this weekday.

While too little is known, and on days on which the clock is changed, only the distance between bars counts.
A holiday that no rule foretells leaves a higher bar open until the first bar behind it. A bar that comes
although its period was complete (a stray, hours that have changed, a stamp a moment too early) counts to the
next period: what was seen at a bar never changes, whatever follows. Where times are kept in UTC and a market
pauses within its day, that is one bar on the first day after clocks went back: times in the market's own zone
have no such day.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]

HOUR = 3_600 * 10**9
DAY = 24 * HOUR
UNITS = {"h": 0, "d": 1, "w": 2, "mo": 3}
# Midnights of zones from Delhi to Paris, written in UTC, are late on the day before.
MIDNIGHT_EAST = 15 * HOUR

STEPS, STEPS_KNOWN = 50, 2
DAYS, DAYS_KNOWN = 10, 5
WEEKS = 4
_MONTH = DAY * 365.25 / 12
_LONG = 20 * HOUR
_FAR = np.int64(2**62)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _month_of(day: int) -> int:
    """The number of a day's month since January 1970 (Hinnant, civil_from_days)."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153  # from March
    return (year + era * 400 - 1970) * 12 + month + 2


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _month_begin(month: int) -> int:
    """The day on which a month begins (Hinnant, days_from_civil)."""
    from_march = month + 1970 * 12 - 2
    year = from_march // 12
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (from_march % 12) + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def period_of(day: int, unit: int, count: int) -> int:
    """The number of a day's period of whole days, weeks from Monday, or months since 1970."""
    if unit == 1:
        return day // count
    if unit == 2:
        return (day + 3) // (7 * count)
    month: int = _month_of(day)
    return month // count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def period_begin(period: int, unit: int, count: int) -> int:
    """The day on which a period begins."""
    if unit == 1:
        return period * count
    if unit == 2:
        return period * 7 * count - 3
    day: int = _month_begin(period * count)
    return day


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shown(
    numbers: Integers,
    day_rows: Integers,
    stamps: Integers,
    wall: Integers,
    days: Integers,
    after: int,
    before: int,
) -> tuple[bool, bool, int]:
    """What some past days, by their numbers, had in the hours `after` and `before` (since midnight).

    Returns:
        Whether one of them had a bar in between, which ends the search; whether one had any bar `after`; the
        longest session.
    """
    later, longest = False, 0
    for number in numbers:
        first, stop = day_rows[number], day_rows[number + 1]
        midnight = days[first] * DAY
        low, high = first, stop
        while low < high:
            middle = (low + high) // 2
            if wall[middle] - midnight <= after:
                low = middle + 1
            else:
                high = middle
        if low < stop:
            if wall[low] - midnight < before:
                return True, True, longest
            later = True
        longest = max(longest, int(stamps[stop - 1] - stamps[first]))
    return False, later, longest


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def follow(
    stamps: Integers,
    wall: Integers,
    days: Integers,
    day_ends: Integers,
    in_utc: bool,
    unit: int,
    count: int,
    length: int,
) -> tuple[Integers, NDArray[np.bool_]]:
    """Walk along the bars once.

    Args:
        stamps: when each bar begins, nanoseconds since 1970.
        wall: the same on the wall's clock.
        days: the day of each bar by that clock, never going back.
        day_ends: when that day ends, on the clock of `stamps`.
        in_utc: whether times are kept in UTC: daily bars may then stand at midnight of another zone.
        unit: of the higher timeframe, by `UNITS`.
        count: units in a higher bar.
        length: nanoseconds of a higher bar within the day; 0 for whole days.

    Returns:
        The number of each bar's period, and whether that is complete at the bar's close.
    """
    size = stamps.size
    labels = np.empty(size, dtype=np.int64)
    complete = np.zeros(size, dtype=np.bool_)
    steps = np.zeros(STEPS, dtype=np.int64)
    shortest, shortest_row = np.int64(0), 0
    day_rows = np.empty(size + 1, dtype=np.int64)  # the first row of each day with bars
    days_seen = 0
    recent = np.empty(DAYS, dtype=np.int64)
    # Of each weekday: its last days (as numbers of days with bars), and how far the next ones were.
    like = np.zeros((7, WEEKS), dtype=np.int64)
    ahead = np.zeros((7, WEEKS), dtype=np.int64)
    like_seen = np.zeros(7, dtype=np.int64)
    for row in range(size):
        day = days[row]
        if row == 0 or day > days[row - 1]:
            if row > 0:
                weekday = (days[row - 1] + 3) % 7
                place = like_seen[weekday] % WEEKS
                like[weekday, place], ahead[weekday, place] = days_seen - 1, day - days[row - 1]
                like_seen[weekday] += 1
            day_rows[days_seen] = row
            days_seen += 1
        if row > 0:
            step = wall[row] - wall[row - 1]
            place = (row - 1) % STEPS
            steps[place] = step if step >= _LONG else stamps[row] - stamps[row - 1]
            if row == 1 or steps[place] <= shortest:
                shortest, shortest_row = steps[place], row
            elif row - shortest_row >= STEPS:
                shortest, shortest_row = steps.min(), row

        # The bar's period: its own, or the next one where that was complete.
        known = row >= STEPS_KNOWN
        late = in_utc and wall[row] - day * DAY >= MIDNIGHT_EAST
        lead = 1 if late and known and shortest >= _LONG else 0
        label = stamps[row] // length if length else period_of(day + lead, unit, count)
        if row > 0:
            label = max(label, labels[row - 1] + (1 if complete[row - 1] else 0))
        labels[row] = label
        if not known:
            continue

        # The first moment at which another bar can come today.
        soonest = stamps[row] + shortest
        over = soonest >= day_ends[row] or (shortest >= _LONG and wall[row] + shortest >= (day + 1) * DAY)
        end = (label + 1) * length if length else _FAR
        even_day = day_ends[row] - (stamps[row] - (wall[row] - day * DAY)) == DAY
        if not over and soonest < end and even_day:
            before = min(end - stamps[row] + wall[row], (day + 1) * DAY) - day * DAY
            after = wall[row] + shortest // 2 - day * DAY
            past = min(days_seen - 1, DAYS)
            for back in range(past):
                recent[back] = days_seen - 2 - back
            weekday = (day + 3) % 7
            soon, later, longest = _shown(recent[:past], day_rows, stamps, wall, days, after, before)
            if like_seen[weekday] >= WEEKS:
                own = _shown(like[weekday], day_rows, stamps, wall, days, after, before)
                soon, later, longest = soon and own[0], later and own[1], own[2]
            if (past >= DAYS_KNOWN or like_seen[weekday] >= WEEKS) and not soon:
                if later:
                    soonest = end
                else:
                    over = stamps[row] - stamps[day_rows[days_seen - 1]] >= longest - shortest // 2
        if not over:
            complete[row] = soonest >= end
            continue

        # No more bars today: the first day, and hour, at which one can come.
        weekday = (day + 3) % 7
        away = np.int64(1)
        if like_seen[weekday] >= WEEKS:
            away = ahead[weekday].min()
        if shortest >= _LONG:
            away = max(away, (wall[row] + shortest) // DAY - day)
        if length:
            complete[row] = max(soonest, day_ends[row] + (away - 1) * DAY - HOUR * (away > 1)) >= end
        elif unit == 3 and shortest >= 27 * DAY:
            complete[row] = (_month_of(day + lead) + int(np.round(shortest / _MONTH))) // count > label
        else:
            complete[row] = day + lead + away >= period_begin(label + 1, unit, count)
    return labels, complete
