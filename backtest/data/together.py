"""Several instruments on one clock: the times at which at least one of them has a bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.errors import BacktestError, RequestError
from backtest.language.timeframes import timeframe_of

Instruments = Mapping[str, pd.DataFrame]
Integers = NDArray[np.int64]
_TELLING = 20
"""Distances between bars from which on most of them tell how long a bar is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommonClock:
    """The times of several instruments.

    Attributes:
        times: sorted and unique; where the instruments are of different time zones, in UTC.
        rows: by instrument, the place of each of its bars on the clock.
    """

    times: pd.DatetimeIndex
    rows: dict[str, Integers]

    def spread(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of an instrument's bars on the clock, NaN where it has no bar."""
        found = np.full(len(self.times), np.nan)
        found[self.rows[name]] = values
        return found

    def missing(self, name: str) -> int:
        """Times between an instrument's first and last bar at which others have a bar and it has none."""
        rows = self.rows[name]
        return int(rows[-1] - rows[0]) + 1 - rows.size


def by_name(tables: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Names and tables of an argument that is called `name`.

    Raises:
        RequestError: `not_by_name`.
    """
    if not isinstance(tables, Mapping):
        raise RequestError("not_by_name", name=name, kind=type(tables).__name__)
    yield from tables.items()


def _step(index: pd.DatetimeIndex) -> int | None:
    """The distance of most bars, in nanoseconds; None where no distance is that of most, or bars are few."""
    steps, counts = np.unique(np.diff(index.as_unit("ns").asi8), return_counts=True)
    if counts.sum() < _TELLING or 2 * counts.max() <= counts.sum():
        return None
    return int(steps[counts.argmax()])


def common_clock(indexes: Mapping[str, pd.DatetimeIndex]) -> CommonClock:
    """One clock for several instruments; equal times are equal moments.

    Args:
        indexes: the times of each, sorted and unique.

    Raises:
        RequestError: `no_instruments`; `instrument_time_zone` where some have a time zone and some do not;
            `instrument_timeframe` where their bars are not of one length: a longer bar would be known on the
            clock before it is over.
    """
    if not indexes:
        raise RequestError("no_instruments")
    first = next(iter(indexes.values()))
    for name, index in indexes.items():
        if (index.tz is None) != (first.tz is None):
            raise RequestError("instrument_time_zone", name=name)
    steps = {name: step for name, step in ((name, _step(index)) for name, index in indexes.items()) if step}
    for name, step in steps.items():
        if step != (other := next(iter(steps.items())))[1]:
            raise RequestError(
                "instrument_timeframe",
                name=name,
                found=timeframe_of(step / 10**9),
                other=other[0],
                told=timeframe_of(other[1] / 10**9),
            )
    zone = first.tz if all(str(index.tz) == str(first.tz) for index in indexes.values()) else "UTC"
    moments = {
        name: (index if zone is None else index.tz_convert(zone)).as_unit("ns")
        for name, index in indexes.items()
    }
    stamps = moments[next(iter(moments))].asi8
    for index in moments.values():
        if not np.array_equal(index.asi8, stamps):
            stamps = np.union1d(stamps, index.asi8)
    times = pd.DatetimeIndex(stamps.view("M8[ns]"), name="time")
    if zone is not None:
        times = times.tz_localize("UTC").tz_convert(zone)
    return CommonClock(
        times=times, rows={name: np.searchsorted(stamps, index.asi8) for name, index in moments.items()}
    )


@contextmanager
def instrument(name: str) -> Iterator[None]:
    """Tell whose refusal it is.

    Raises:
        RequestError: `instrument_refused`, with the reason.
    """
    try:
        yield
    except BacktestError as error:
        raise RequestError("instrument_refused", name=name, reason=error) from None
