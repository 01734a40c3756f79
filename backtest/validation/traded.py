"""What a run trades on: the prices of one instrument, or of several by name, under the same questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.together import Instruments
from backtest.engine.pooled import PooledResult, Universe
from backtest.engine.run import BacktestResult, Market, open_market, run_backtest
from backtest.strategy import StrategySpec
from backtest.types import Costs, Fill
from backtest.validation.stress import PooledCase, StressCase
from backtest.validation.trials import market_returns

Traded = pd.DataFrame | Instruments


def opened(prices: Traded, costs: Costs, fill: Fill) -> Market | Universe:
    """Kept open for many strategies; as `Universe` and `open_market`."""
    if isinstance(prices, Mapping):
        return Universe(prices, costs, fill)
    return open_market(prices, costs, fill, None, 10_000.0, None)


def times_of(market: Market | Universe) -> pd.DatetimeIndex:
    """Its bars, or the times of its common clock."""
    return market.clock.times if isinstance(market, Universe) else market.index


def backtest_of(
    prices: Traded,
    spec: StrategySpec,
    costs: Costs,
    fill: Fill,
    trade_from: Mapping[str, pd.Timestamp] | None = None,
) -> BacktestResult:
    """One backtest, or that of the pooled account.

    Args:
        prices: of one instrument, or of several by name.
        spec: the strategy.
        costs: of trading.
        fill: where orders are filled.
        trade_from: start of trading, of one instrument under its own name.

    Raises:
        BacktestError: as `backtest.run_backtest` and `backtest.universe.run_backtest`.
    """
    if isinstance(prices, Mapping):
        every = Universe(prices, costs, fill, trade_from=trade_from)
        every.need(spec)
        return every.run(spec)
    start = None if trade_from is None else next(iter(trade_from.values()))
    return run_backtest(prices, spec, costs=costs, fill=fill, trade_from=start)


def closes_of(prices: Traded) -> pd.Series | None:
    """Closes of one instrument; a pooled backtest carries those of its own."""
    return None if isinstance(prices, Mapping) else prices["close"]


def shown_prices(prices: Traded, result: BacktestResult) -> pd.DataFrame:
    """What a chart shows: the prices, or of several instruments a basket that holds equal parts of all.

    Each column of the basket is its value at the close, 100 at the first; there is no volume.
    """
    if not isinstance(result, PooledResult):
        assert isinstance(prices, pd.DataFrame)
        return prices
    value = 100.0 * np.cumprod(1.0 + market_returns(result))
    columns = dict.fromkeys(("open", "high", "low", "close"), value)
    return pd.DataFrame({**columns, "volume": np.zeros(value.size)}, index=result.index)


def stress_case(
    prices: Traded, spec: StrategySpec, costs: Costs, fill: Fill, **further: Any
) -> StressCase | PooledCase:
    """One strategy under test; arguments and errors as `StressCase.open`."""
    if isinstance(prices, Mapping):
        return PooledCase.open(prices, spec, costs, fill, **further)
    return StressCase.open(prices, spec, costs, fill, **further)
