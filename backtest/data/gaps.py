"""Bars that are not there: where they are missing, and what a caller may have done about it.

The usual distance between bars is the median one. Days of shares have no nights: where whole hours or days of
the week are usually empty, only bars missing at usual times count, on the clock of the data's own zone.
Holidays are then gaps as well: a file does not tell them from an outage. Of bars closer than a second, of
bars of several days that make no whole week, and of bars of a month or longer no gap is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.errors import PriceError
from backtest.language.timeframes import length_of, timeframe, timeframe_of

MADE_UP = "made_up"
"""Column of prices that marks bars put where there were none: they carry a position and fill no order."""

Integers = NDArray[np.int64]

_NANO = 10**9
_DAY = 86_400 * _NANO
_WEEK = 7 * _DAY
_MONTH = 28 * _DAY
# A slot of the week is in use if it has a bar in more than a third of the weeks that have any.
_IN_USE = 3.0
_WEEKS_KNOWN = 3
_MOSTLY = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Bars that are not there.

    Attributes:
        after: time of the last bar before the gap.
        before: time of the first bar behind it.
        missing: how many bars would fit in between, at times at which there usually are bars.
    """

    after: pd.Timestamp
    before: pd.Timestamp
    missing: int


class Beat:
    """The rhythm of a price history: its bars' usual distance, its hours, and where it skips.

    Args:
        index: times of the bars, sorted and unique, between the years 1678 and 2262.
    """

    def __init__(self, index: pd.DatetimeIndex) -> None:
        self.index = index
        self._stamps: Integers = index.as_unit("ns").asi8

    @cached_property
    def step(self) -> int:
        """Nanoseconds between bars, usually (the median); 0 with fewer than two bars."""
        return int(np.median(np.diff(self._stamps))) if self._stamps.size > 1 else 0

    @property
    def timeframe(self) -> str | None:
        """Its name (`30m`, `1d`), None with fewer than two bars."""
        return timeframe_of(self.step / _NANO) if self.step else None

    @property
    def irregular(self) -> int:
        """Bars within a day that do not stand a whole number of bar lengths behind the one before."""
        if not 0 < self.step < _DAY:
            return 0
        return int((np.diff(self._stamps) % self.step != 0).sum())

    @cached_property
    def _slots(self) -> int:
        """Bar lengths in a week; 0 where gaps are not told."""
        if not _NANO <= self.step < _MONTH or (self.step > _DAY and _WEEK % self.step and self.step % _WEEK):
            return 0
        return max(1, _WEEK // self.step)

    def _slot(self, wall: Integers) -> Integers:
        """Where in its week a time on the wall's clock stands, in bar lengths."""
        # 1970 began on a Thursday; weeks begin on Monday.
        slots: Integers = (wall + 3 * _DAY) % _WEEK // self.step
        return slots

    @cached_property
    def _wall(self) -> Integers:
        wall: Integers = self.index.tz_localize(None).as_unit("ns").asi8
        return wall

    @cached_property
    def _moments(self) -> Integers:
        """When bars begin, in nanoseconds: days by the wall's clock, for one lasts 23 hours in spring."""
        return self._wall if self.step >= _DAY and self.index.tz is not None else self._stamps

    @cached_property
    def _skips(self) -> tuple[Integers, Integers]:
        """Rows behind which a bar or more would fit, and how many would, at any hour."""
        steps = np.diff(self._moments)
        rows = np.flatnonzero(steps >= 2 * self.step)
        return rows, steps[rows] // self.step - 1

    @cached_property
    def _usual(self) -> NDArray[np.bool_] | None:
        """Which slots of the week have bars; None where practically all have, or too little is known."""
        weeks = np.unique((self._wall + 3 * _DAY) // _WEEK).size
        if weeks < _WEEKS_KNOWN or self._slots <= 1 or _WEEK % self.step:
            return None
        counts = np.bincount(self._slot(self._wall), minlength=self._slots)
        usual: NDArray[np.bool_] = counts > weeks / _IN_USE
        return None if usual.mean() >= _MOSTLY else usual

    @property
    def sessions(self) -> bool:
        """Whether bars stand at some hours or days of the week only."""
        return bool(self._slots) and self._usual is not None

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """Where bars are missing, in order of time."""
        if not self._slots:
            return ()
        rows, missing = self._skips
        if self._usual is not None:
            # Without laying out whole weeks: a gap may last for centuries.
            weeks, rest = np.divmod(missing, self._slots)
            found, _ = self._at_usual_times(rows, rest)
            missing = weeks * self._usual.sum() + np.bincount(found, minlength=len(self.index))[rows]
        kept = missing > 0
        ends = zip(self.index[rows[kept]], self.index[rows[kept] + 1], missing[kept].tolist(), strict=True)
        return tuple(Gap(after=after, before=before, missing=count) for after, before, count in ends)

    def _at_usual_times(self, rows: Integers, counts: Integers) -> tuple[Integers, pd.DatetimeIndex]:
        """The next bars behind each row, as many as its count says: rows and times."""
        behind = np.repeat(rows, counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        times = self._times(self._moments[behind] + self.step * (np.arange(1, behind.size + 1) - before))
        if self._usual is None:
            return behind, times
        usual = self._usual[self._slot(times.tz_localize(None).as_unit("ns").asi8)]
        return behind[usual], times[usual]

    def _times(self, moments: Integers) -> pd.DatetimeIndex:
        """Bars' beginnings as times."""
        zone = self.index.tz
        times = pd.DatetimeIndex(moments.astype("datetime64[ns]"))
        if zone is None:
            return times
        if self._moments is self._stamps:
            return times.tz_localize("UTC").tz_convert(zone)
        first = np.ones(moments.size, dtype=bool)
        return times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")

    def missing_times(self) -> tuple[Integers, pd.DatetimeIndex]:
        """Each missing bar's time, and the row of the bar before its gap.

        Lays them out: ask `gaps` first how many there are.
        """
        rows, times = self._at_usual_times(*self._skips)
        inside = times < self.index[rows + 1]
        return rows[inside], times[inside].as_unit(self.index.unit)


def check_timeframe(beat: Beat, told: str) -> None:
    """Refuse a timeframe that the bars contradict.

    Raises:
        PriceError: `no_timeframe`, `timeframe_contradicts`.
    """
    name = told if told == beat.timeframe else timeframe(told)
    if name is None:
        raise PriceError("no_timeframe", name=told[:40])
    if beat.step and not _same_length(name, beat.step):
        raise PriceError("timeframe_contradicts", told=name, found=beat.timeframe or "-")


def _same_length(name: str, step: int) -> bool:
    if name.endswith("mo"):
        count = int(name.removesuffix("mo"))
        return 28 * count * _DAY <= step <= 31 * count * _DAY
    return length_of(name) * _NANO == step


def check_gaps(beat: Beat) -> None:
    """Refuse a history with gaps.

    Raises:
        PriceError: `gaps_refused`, naming the first.
    """
    if beat.gaps:
        first = beat.gaps[0]
        raise PriceError(
            "gaps_refused",
            count=len(beat.gaps),
            missing=sum(gap.missing for gap in beat.gaps),
            after=first.after.isoformat(),
            before=first.before.isoformat(),
        )


def filled(df: pd.DataFrame, beat: Beat) -> pd.DataFrame:
    """The history with a flat bar at the last close, and no volume, marked, for each that is missing.

    Args:
        df: canonical prices on the index of `beat`.
        beat: their rhythm.

    Returns:
        A new table; where no volume is known at all, that of new bars is not known either.

    Raises:
        PriceError: `gaps_too_wide`: more bars are missing than there are.
    """
    missing = sum(gap.missing for gap in beat.gaps)
    if missing > len(df):
        widest = max(beat.gaps, key=lambda gap: gap.missing)
        raise PriceError(
            "gaps_too_wide",
            missing=missing,
            bars=len(df),
            after=widest.after.isoformat(),
            before=widest.before.isoformat(),
        )
    if not missing:
        return df
    rows, times = beat.missing_times()
    close = df["close"].to_numpy()[rows]
    known = bool(df["volume"].notna().any())
    new = pd.DataFrame(
        {
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "volume": np.full(len(rows), 0.0 if known else np.nan),
            MADE_UP: True,
        },
        index=times,
    )
    if "funding_rate" in df:
        new["funding_rate"] = 0.0
    own = df if MADE_UP in df else df.assign(**{MADE_UP: False})
    whole = pd.concat([own, new]).sort_index(kind="stable")
    whole.index.name = df.index.name
    return whole
