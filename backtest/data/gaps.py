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

    def _skips(self) -> list[int]:
        """Rows behind which a bar or more would fit."""
        found: list[int] = np.flatnonzero(np.diff(self._moments) >= 2 * self.step).tolist()
        return found

    def _between(self, place: int) -> int:
        """Bars that would fit behind the one at `place`, at any hour."""
        return int((self._moments[place + 1] - self._moments[place]) // self.step) - 1

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
        found = []
        for place in self._skips():
            missing = self._missing(place)
            if missing > 0:
                found.append(Gap(after=self.index[place], before=self.index[place + 1], missing=missing))
        return tuple(found)

    def _missing(self, place: int) -> int:
        """Bars missing behind the bar at `place`, without laying them out: a gap may last for centuries."""
        between = self._between(place)
        if self._usual is None:
            return between
        weeks, rest = divmod(between, self._slots)
        return weeks * int(self._usual.sum()) + int(self._at_usual_times(place, rest).size)

    def _times(self, place: int, count: int) -> pd.DatetimeIndex:
        """Where the next `count` bars behind the one at `place` would stand."""
        steps = self.step * np.arange(1, count + 1)
        zone = self.index.tz
        times = pd.DatetimeIndex((self._moments[place] + steps).astype("datetime64[ns]"))
        if zone is None:
            return times
        if self._moments is self._stamps:
            return times.tz_localize("UTC").tz_convert(zone)
        first = np.ones(count, dtype=bool)
        return times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")

    def _at_usual_times(self, place: int, count: int) -> pd.DatetimeIndex:
        times = self._times(place, count)
        if self._usual is None:
            return times
        return times[self._usual[self._slot(times.tz_localize(None).as_unit("ns").asi8)]]

    def missing_times(self) -> tuple[Integers, pd.DatetimeIndex]:
        """Each missing bar's time, and the row of the bar before its gap.

        Lays them out: ask `gaps` first how many there are.
        """
        rows: list[Integers] = []
        times: list[pd.DatetimeIndex] = []
        for place in self._skips():
            found = self._at_usual_times(place, self._between(place))
            found = found[found < self.index[place + 1]]
            rows.append(np.full(len(found), place, dtype=np.int64))
            times.append(found.as_unit(self.index.unit))
        if not rows:
            return np.empty(0, dtype=np.int64), self.index[:0]
        return np.concatenate(rows), pd.DatetimeIndex(times[0].append(times[1:]))


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
