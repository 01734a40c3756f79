"""Daily bars out of returns: what every series without an edge and with one is made of.

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


def frame(logs: Floats, first: float = 100.0) -> pd.DataFrame:
    """Prices from rows of (open, high, low, close), each the logarithm over the close of the bar before."""
    start = np.log(first) + np.concatenate([[0.0], np.cumsum(logs[:-1, 3])])
    prices = np.exp(start[:, None] + logs)
    index = pd.bdate_range(BEGINNING, periods=len(logs), name="time")
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


def real_bars(bars: int, generator: np.random.Generator) -> Floats:
    """A stretch of a real index, each bar as logarithms over the close before it."""
    name = ("sp500", "nasdaq")[int(generator.integers(2))]
    table = validate_prices(packaged_table(name))
    start = int(generator.integers(1, len(table) - bars))
    part = table.iloc[start - 1 : start + bars]
    before = np.log(part["close"].to_numpy()[:-1])
    columns = [np.log(part[column].to_numpy()[1:]) - before for column in ("open", "high", "low", "close")]
    return np.column_stack(columns)
