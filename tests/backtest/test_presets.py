"""The presets' rules, replayed bar by bar from TA-Lib's indicators: when they enter and why they leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from backtest import PRESETS, StrategySpec, run_backtest


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    random = np.random.default_rng(11)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.012, 1_500)))
    opening = np.concatenate(([100.0], close[:-1]))
    return pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * (1.0 + np.abs(random.normal(0.0, 0.004, 1_500))),
            "low": np.minimum(opening, close) * (1.0 - np.abs(random.normal(0.0, 0.004, 1_500))),
            "close": close,
            "volume": 1.0,
        },
        index=pd.date_range("2024-01-01", periods=1_500, freq="h"),
    )


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trades(prices: pd.DataFrame, name: str) -> None:
    assert run_backtest(prices, StrategySpec.preset(name)).metrics.n_trades > 0


def entries(prices: pd.DataFrame, name: str, side: str) -> set[int]:
    """Bars whose signal opened a position."""
    trades = run_backtest(prices, StrategySpec.preset(name)).trades
    times = trades.loc[trades["side"] == side, "entry_time"]
    return set(prices.index.get_indexer(pd.DatetimeIndex(times)) - 1)


def test_bollinger_atr(prices: pd.DataFrame) -> None:
    close = prices["close"].to_numpy()
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    score = (close - middle) / talib.STDDEV(close, 20, 1.0)
    longs = set(np.flatnonzero((prices["low"].to_numpy() < lower) & (score < -1.5)))
    shorts = set(np.flatnonzero((prices["high"].to_numpy() > upper) & (score > 1.5)))
    found_long, found_short = (
        entries(prices, "bollinger_atr", "long"),
        entries(prices, "bollinger_atr", "short"),
    )
    assert found_long
    assert found_short
    assert found_long <= longs
    assert found_short <= shorts
    result = run_backtest(prices, StrategySpec.preset("bollinger_atr"))
    atr = talib.ATR(*(prices[name].to_numpy() for name in ("high", "low", "close")), 14)
    stopped = result.trades[result.trades["exit_reason"] == "stop"]
    assert len(stopped) > 0
    for trade in stopped.itertuples():
        signal = prices.index.get_loc(trade.entry_time) - 1
        level = trade.entry_price - (2.0 if trade.side == "long" else -2.0) * atr[signal]
        opening = prices.loc[trade.exit_time, "open"]
        passed = opening <= level if trade.side == "long" else opening >= level
        assert trade.exit_price == pytest.approx(opening if passed else level, rel=1e-12)
    left = result.trades[(result.trades["exit_reason"] == "signal") & (result.trades["side"] == "long")]
    bars = prices.index.get_indexer(pd.DatetimeIndex(left["exit_time"])) - 1
    assert (close[bars] > middle[bars]).all()


def test_adx_stochastic_and_keltner_enter_on_their_rules(prices: pd.DataFrame) -> None:
    high, low, close = (prices[name].to_numpy() for name in ("high", "low", "close"))
    plus, minus = talib.PLUS_DI(high, low, close, 14), talib.MINUS_DI(high, low, close, 14)
    trend = set(np.flatnonzero((plus > minus) & (talib.ADX(high, low, close, 14) > 25)))
    assert entries(prices, "adx_trend", "long") <= trend
    fast, slow = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    before, now = np.roll(fast <= slow, 1), fast > slow
    assert entries(prices, "stochastic_reversion", "long") <= set(np.flatnonzero(before & now & (fast < 20)))
    channel = talib.EMA(close, 20) + 2.0 * talib.ATR(high, low, close, 10)
    assert entries(prices, "keltner_breakout", "long") <= set(np.flatnonzero(close > channel))


def test_risk_that_a_preset_brings_can_be_changed_and_turned_off() -> None:
    assert StrategySpec.preset("bollinger_atr").risk.stop_loss_atr == 2.0
    assert StrategySpec.preset("bollinger_atr", stop_loss_atr=3).risk.stop_loss_atr == 3
    assert StrategySpec.preset("bollinger_atr", stop_loss_atr=None).risk.stop_loss_atr is None
