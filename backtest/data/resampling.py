"""Longer bars out of shorter ones, by the same clock as `at(...)` of the strategy language."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.data.gaps import MADE_UP
from backtest.data.prices import FUNDING
from backtest.errors import PriceError
from backtest.language.timeframes import timeframe as spelt


def joined(prices: PriceArrays, first: NDArray[np.int64]) -> PriceArrays:
    """The bars between one beginning and the next, each run of them as one bar.

    Args:
        prices: n bars.
        first: m positions at which a longer bar begins, ascending; bars before the first are left out.

    Returns:
        m bars: first open, highest high, lowest low, last close, sum of volume (NaN where one is unknown).
    """
    if not first.size:
        return PriceArrays(*(values[:0] for values in prices))
    last = np.append(first[1:], len(prices.close)) - 1
    return PriceArrays(
        prices.open[first],
        np.maximum.reduceat(prices.high, first),
        np.minimum.reduceat(prices.low, first),
        prices.close[last],
        np.add.reduceat(prices.volume, first),
    )


def resample_bars(prices: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Prices as longer bars; one that the data enters half-way or does not see the end of is left out.

    Bars within a day begin at whole multiples of themselves since midnight UTC; days, weeks (from Monday) and
    months at midnight in the data's own time zone. Funding rates are added up; a longer bar is marked
    `made_up` where all its bars are.

    Args:
        prices: as `validate_prices` gives them, n rows.
        timeframe: of the longer bars: `4h`, `1d`, `1w`, `1mo`.

    Returns:
        The same columns, fewer rows; perhaps none.

    Raises:
        PriceError: `no_timeframe`.
        RequestError: `timeframe_not_higher`.
    """
    name = spelt(timeframe)
    if name is None:
        raise PriceError("no_timeframe", name=timeframe[:40])
    begins = Clock(pd.DatetimeIndex(prices.index)).higher(name)
    first, complete = begins.first, int(begins.visible[-1]) + 1
    arrays = PriceArrays(*(prices[one].to_numpy(dtype=np.float64) for one in PriceArrays._fields))
    found = pd.DataFrame(joined(arrays, first)._asdict(), index=begins.times.rename(prices.index.name))
    if FUNDING in prices:
        found[FUNDING] = np.add.reduceat(prices[FUNDING].to_numpy(), first) if first.size else 0.0
    if MADE_UP in prices:
        marks = prices[MADE_UP].to_numpy(dtype=np.bool_)
        found[MADE_UP] = np.logical_and.reduceat(marks, first) if first.size else False
    return found.iloc[:complete]
