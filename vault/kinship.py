"""Whether two price histories are of one market: by the correlation of their returns over the same time.

Hashes (`vault.fingerprints`) know prices that are equal. A basis point of noise, another ticker of the same
index, a fund on it, times in another zone, longer bars or a quote turned upside down make other hashes of the
same market; its returns remain. They are compared over steps of three lengths: noise in prices does not grow
with the step, returns do.

The bound lets the S&P 500 and the Nasdaq be two markets (0.89 over 1999–2018, 0.97 at most in two years) and
SPY and ^GSPC one (0.99 or more in every two years). Whoever adds as much noise as the market itself moves, or
shifts dates by weeks, is not recognised, and has no edge left to show either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.kernels.simulation import Floats
from vault.fingerprints import Times, bar_length, nanoseconds

ONE_MARKET = 0.98
"""The correlation of returns from which on two histories are of one market, either sign."""
SURE = 1.645
"""Standard errors (of Fisher's z) by which it must lie above the bound: 95 %, one-sided."""
LEAST_STEPS = 20
"""Steps in common below which nothing is said."""

_STEPS = (2_000, 250, 60)
_HOUR = 3_600 * 10**9
_SHIFTS = 26
"""Hours by which times may be told otherwise: zones, and bars named by their ends or by their days."""
_DAY = 24 * _HOUR
_COARSE = 10 * _DAY
_LIKELY = 0.8


class Seen(NamedTuple):
    """What is known of a history at some times.

    Attributes:
        logs: logarithms of the last closes; NaN before the first.
        fresh: whether that close is of the bar before, none being left out.
    """

    logs: Floats
    fresh: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Course:
    """Closes in the order of time.

    Attributes:
        closing: closing times, UTC nanoseconds.
        logs: logarithms of the closes.
    """

    closing: Times
    logs: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Course:
        """Of prices with a `close`, n rows; closes that are no prices are left out."""
        times, closes = nanoseconds(frame.index), frame["close"].to_numpy(dtype=np.float64)
        order = np.argsort(times, kind="stable")
        times, closes = times[order], closes[order]
        known = np.isfinite(closes) & (closes > 0.0)
        return cls(closing=(times + bar_length(times))[known], logs=np.log(closes[known]))

    def at(self, times: Times) -> Seen:
        """The last close known at each time."""
        places = np.searchsorted(self.closing, times, side="right") - 1
        known = np.maximum(places, 0)
        fresh = times - self.closing[known] < bar_length(self.closing)
        return Seen(np.where(places >= 0, self.logs[known], np.nan), fresh)


def correlation(one: Course, other: Course) -> float | None:
    """The correlation of returns by which two histories are of one market; None where they are not.

    Args:
        one: a history.
        other: another one, whose times may be shifted by a day and some.
    """
    if min(len(one.closing), len(other.closing)) <= LEAST_STEPS:
        return None
    begin = max(int(one.closing[0]), int(other.closing[0]))
    end = min(int(one.closing[-1]), int(other.closing[-1]))
    bars = bar_length(one.closing), bar_length(other.closing)
    if end <= begin or not _may_be(one, other, begin, end, max(bars)):
        return None
    grids = [_grid(begin, end, max(bars), steps) for steps in _STEPS]
    known = [one.at(grid) for grid in grids]
    # The shift is found on the finest steps; noise lowers all of its correlations alike.
    shift = max(_shifts(*bars), key=lambda by: abs(_of(known[0], other.at(grids[0] + by))[0]))
    found = (_of(mine, other.at(grid + shift)) for grid, mine in zip(grids, known, strict=True))
    alike = [value for value, steps in found if _one_market(value, steps)]
    return max(alike, key=abs, default=None)


def _may_be(one: Course, other: Course, begin: int, end: int, bar: int) -> bool:
    """Whether it is worth looking closer: over long steps no shift of hours hides a market."""
    if end - begin < _STEPS[-1] * _COARSE or bar > _DAY:
        return True
    grid = _grid(begin, end, _COARSE, _STEPS[0])
    return abs(_of(one.at(grid), other.at(grid))[0]) >= _LIKELY


def _grid(begin: int, end: int, least: int, steps: int) -> Times:
    return np.arange(begin, end + 1, max(least, (end - begin) // steps, 1), dtype=np.int64)


def _shifts(bar: int, other_bar: int) -> Iterator[int]:
    """What times may differ by, nothing first: hours, quarters of them for short bars, a bar of either."""
    yield 0
    yield from {bar, -bar, other_bar, -other_bar} - {0}
    parts = 4 if max(bar, other_bar) < _HOUR else 1
    for number in range(1, _SHIFTS * parts + 1):
        yield number * _HOUR // parts
        yield -number * _HOUR // parts


def _of(one: Seen, other: Seen) -> tuple[float, int]:
    """Correlation of the changes of both, and over how many steps; where neither moves nothing is known.

    Times at which a bar is left out in one of them are passed over.
    """
    told = np.isfinite(one.logs) & np.isfinite(other.logs) & (one.fresh == other.fresh)
    mine, theirs = np.diff(one.logs[told]), np.diff(other.logs[told])
    moving = (mine != 0.0) | (theirs != 0.0)
    mine, theirs = mine[moving], theirs[moving]
    if mine.size < LEAST_STEPS or np.ptp(mine) == 0.0 or np.ptp(theirs) == 0.0:
        return 0.0, mine.size
    return float(np.corrcoef(mine, theirs)[0, 1]), mine.size


def _one_market(value: float, steps: int) -> bool:
    if steps < LEAST_STEPS:
        return False
    sure = math.atanh(min(abs(value), 1.0 - 1e-12)) - SURE / math.sqrt(steps - 3)
    return sure >= math.atanh(ONE_MARKET)
