"""Bars out of returns, days or hours: what every series without an edge and with one is made of.

Randomness comes in as a `numpy.random.Generator`, seeded at the edge.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.data.paths import reaches
from backtest.data.prices import validate_prices
from backtest.kernels.indicators import Floats
from vault.packaged import packaged_table

DAYS_A_YEAR = 252
DEVIATION = 0.01
"""Standard deviation of a day's return: 16 % a year."""
BEGINNING = "2015-01-01"

HOURS = 7
"""Hourly bars of a day: those of American shares, of which the first begins at half past nine."""
_OPENING = pd.Timedelta(hours=9, minutes=30)
NIGHT = 0.25
"""Share of a day's variance that comes while the exchange is closed."""
_SMILE = 1.0 + np.square(np.linspace(-1.0, 1.0, HOURS))


def frame(logs: Floats, first: float = 100.0, bars_a_day: int = 1) -> pd.DataFrame:
    """Prices from rows of (open, high, low, close), each the logarithm over the close of the bar before."""
    start = np.log(first) + np.concatenate([[0.0], np.cumsum(logs[:-1, 3])])
    prices = np.exp(start[:, None] + logs)
    index = pd.bdate_range(BEGINNING, periods=len(logs) // bars_a_day, name="time")
    if bars_a_day > 1:
        hours = _OPENING + pd.to_timedelta(np.arange(bars_a_day), unit="h")
        index = pd.DatetimeIndex(np.add.outer(index.to_numpy(), hours.to_numpy()).ravel(), name="time")
    columns = dict(zip(("open", "high", "low", "close"), prices.T, strict=True))
    return pd.DataFrame({**columns, "volume": 1_000.0}, index=index)


def bars_of(
    returns: Floats,
    generator: np.random.Generator,
    gaps: Floats | None = None,
    deviations: Floats | float = DEVIATION,
) -> Floats:
    """Rows for `frame`: the close moves by the return, high and low are those of a path from open to close.

    Shorter reaches would leave stops untouched whose price was passed: rules that trail a stop closely then
    win on a walk.

    Args:
        returns: logarithms of close over the close before.
        generator: randomness.
        gaps: logarithms of open over the close before; without, bars open where the one before closed.
        deviations: standard deviation of each bar's way from open to close.
    """
    opens = np.zeros(len(returns)) if gaps is None else gaps
    high, low = reaches(returns - opens, deviations, generator)
    return np.column_stack([opens, opens + high, opens + low, returns])


def hourly_bars(shocks: Floats, nights: Floats, generator: np.random.Generator, drift: float = 0.0) -> Floats:
    """Hourly rows for `frame`: volatility is twice as high at both ends of the day as in its middle.

    Wood, McInish & Ord 1985, Journal of Finance 40(3). A quarter of a day's variance comes overnight: the
    first bar opens away from the last close.

    Args:
        shocks: of the way from open to close of each bar, with a deviation of 1; whole days.
        nights: logarithm of each day's first open over the close before.
        generator: randomness.
        drift: logarithm of close over open that is added to each bar's.
    """
    a_day = DEVIATION * np.sqrt((1.0 - NIGHT) / np.square(_SMILE).sum()) * _SMILE
    deviations = np.tile(a_day, len(nights))
    gaps = np.zeros(len(shocks))
    gaps[::HOURS] = nights
    return bars_of(gaps + deviations * shocks + drift, generator, gaps, deviations)


def real_bars(bars: int, generator: np.random.Generator) -> Floats:
    """A stretch of a real index, each bar as logarithms over the close before it."""
    name = ("sp500", "nasdaq")[int(generator.integers(2))]
    table = validate_prices(packaged_table(name))
    start = int(generator.integers(1, len(table) - bars))
    part = table.iloc[start - 1 : start + bars]
    before = np.log(part["close"].to_numpy()[:-1])
    columns = [np.log(part[column].to_numpy()[1:]) - before for column in ("open", "high", "low", "close")]
    return np.column_stack(columns)
