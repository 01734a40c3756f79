"""Metrics against empyrical-reloaded and against their formulas, on ordinary and on pathological curves."""

from __future__ import annotations

import warnings
from typing import Any

import arch.data.sp500
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, Metrics, StrategySpec, run_backtest
from backtest.kernels.simulation import BARS, ENTRY_PRICE, FIGURES, PROFIT, SIZE, TRADE_COLUMNS, measure
from tests.laws import cases

with warnings.catch_warnings():
    # Its imports of optional parts warn on some versions of pandas.
    warnings.simplefilter("ignore")
    import empyrical

NO_TRADES = np.empty((0, TRADE_COLUMNS))


def measured(equity: Any, capital: float, trades: Any = NO_TRADES, year: float = 252.0) -> Metrics:
    out = np.full(FIGURES, 123.0)
    measure(np.asarray(equity, dtype=float), capital, trades, len(trades), year, out)
    return Metrics.from_values(out.tolist())


def same(found: float | None, wanted: float) -> None:
    if not np.isfinite(wanted):
        assert found is None
    else:
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def compare(equity: Any, capital: float, found: Metrics | None = None) -> Metrics:
    """The return metrics of a curve beside empyrical's, of daily returns; those of `measure` by default."""
    values = np.concatenate(([capital], np.asarray(equity, dtype=float)))
    # A lost account has no returns any more.
    returns = np.where(values[:-1] > 0, values[1:] / np.where(values[:-1] > 0, values[:-1], 1.0) - 1.0, 0.0)
    found = found or measured(equity, capital)
    survived = values[-1] > 0  # empyrical has ratios of ruin, here they are undefined
    with np.errstate(all="ignore"):
        same(found.sharpe_ratio, empyrical.sharpe_ratio(returns) if survived else np.nan)
        same(found.sortino_ratio, empyrical.sortino_ratio(returns) if survived else np.nan)
        same(found.max_drawdown, empyrical.max_drawdown(returns))
        same(found.calmar_ratio, empyrical.calmar_ratio(returns) if survived else np.nan)
        same(found.cagr, empyrical.cagr(returns))
        same(found.volatility, empyrical.annual_volatility(returns))
        same(found.total_return, empyrical.cum_returns_final(returns))
    return found


@pytest.fixture(scope="module")
def stocks() -> pd.DataFrame:
    """The S&P 500, daily from 1999 to 2018, of the package arch."""
    return arch.data.sp500.load().drop(columns="Adj Close")


STRATEGIES: dict[str, tuple[StrategySpec, Costs]] = {
    "averages": (StrategySpec.preset("ma_crossover", fast_period=20, slow_period=100), Costs(fee_bps=5)),
    "bands, both sides, by risk": (
        StrategySpec.preset("bollinger_atr", risk_per_trade_pct=1.0, leverage=2.0, break_even_pct=3.0),
        Costs(fee_bps=2, spread_bps=2, borrow_bps_per_bar=0.5),
    ),
    "volatility target": (
        StrategySpec.preset("supertrend", volatility_target_pct=10.0, cooldown_bars=3),
        Costs(fee_fixed=1.0, slippage_atr=0.02),
    ),
    "buy and hold": (StrategySpec.preset("buy_and_hold"), Costs()),
}


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_backtests_of_the_s_and_p_500_agree_with_empyrical(
    stocks: pd.DataFrame, name: str, fill: Any
) -> None:
    spec, costs = STRATEGIES[name]
    result = run_backtest(stocks, spec, costs, fill)
    assert result.periods_per_year == 252
    assert result.metrics.n_trades == 1 if name == "buy and hold" else result.metrics.n_trades > 20
    compare(result.equity, 10_000.0, result.metrics)
    compare(result.equity, 10_000.0)


def falling(bars: int) -> pd.DataFrame:
    close = 100.0 * 0.97 ** np.arange(bars)
    return pd.DataFrame(
        {"open": close, "high": close * 1.001, "low": close * 0.99, "close": close},
        index=pd.date_range("2024-01-01", periods=bars, freq="B"),
    )


def always(**settings: Any) -> StrategySpec:
    return StrategySpec(name="always", entry_long="close > 0", **settings)


# What a curve is, its strategy on a price that falls by 3 % a day, and how many trades that makes in 40 days.
PATHOLOGICAL: dict[str, tuple[StrategySpec, int]] = {
    "no trade": (StrategySpec(name="never", entry_long="close > 1000"), 0),
    "one trade": (always(), 1),
    "all losses": (always(risk={"max_bars": 2}), 13),
    "bankruptcy": (always(sizing={"leverage": 20.0}), 1),
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_pathological_backtests_agree_with_empyrical(name: str) -> None:
    spec, count = PATHOLOGICAL[name]
    result = run_backtest(falling(40), spec)
    assert result.metrics.n_trades == count
    found = compare(result.equity, 10_000.0, result.metrics)
    assert compare(result.equity, 10_000.0).total_return == found.total_return
    if count:
        assert (found.win_rate, found.profit_factor) == (0.0, 0.0)
        assert found.best_trade is not None
        assert found.best_trade < 0
    if name == "bankruptcy":
        assert (found.total_return, found.cagr, found.max_drawdown, found.calmar_ratio) == (-1, -1, -1, None)
        assert result.trades["exit_reason"].tolist() == ["liquidation"]


@settings(max_examples=cases(60), deadline=None)
@given(st.lists(st.integers(50, 200), min_size=3, max_size=60).filter(lambda one: len(set(one)) > 2))
def test_agrees_with_empyrical(values: list[int]) -> None:
    compare(np.array(values, dtype=float), 100.0)


def test_no_movement() -> None:
    found = compare(np.full(10, 100.0), 100.0)
    assert found.sharpe_ratio is None
    assert found.sortino_ratio is None
    assert found.calmar_ratio is None
    assert (found.volatility, found.max_drawdown, found.total_return) == (0.0, 0.0, 0.0)


def test_only_losses() -> None:
    found = compare(100.0 * 0.99 ** np.arange(1, 40) * np.where(np.arange(39) % 2, 1.0, 0.999), 100.0)
    assert found.sharpe_ratio is not None
    assert found.sharpe_ratio < 0


def test_the_same_gain_on_every_bar_has_no_sharpe_ratio() -> None:
    """Its deviation is rounding noise; a ratio of 1e15 would be one too."""
    assert measured(100.0 * 1.01 ** np.arange(1, 40), 100.0).sharpe_ratio is None


def test_a_lost_account() -> None:
    found = measured([100.0, 50.0, 0.0, 0.0], 100.0)
    returns = np.array([0.0, -0.5, -1.0, 0.0])
    assert found.total_return == found.cagr == found.max_drawdown == -1.0
    assert found.volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(252))
    assert (found.sharpe_ratio, found.sortino_ratio, found.calmar_ratio) == (None, None, None)


def test_one_bar() -> None:
    found = measured([110.0], 100.0, year=1.0)
    assert (found.sharpe_ratio, found.volatility) == (None, None)
    assert found.total_return == pytest.approx(0.1)
    assert found.cagr == pytest.approx(0.1)


def test_trades() -> None:
    rows = np.zeros((4, TRADE_COLUMNS))
    rows[:, PROFIT] = [30.0, -10.0, 0.0, -5.0]
    rows[:, SIZE] = 2.0
    rows[:, ENTRY_PRICE] = 50.0
    rows[:, BARS] = [1, 2, 1, 1]
    found = measured(np.full(10, 100.0), 100.0, rows)
    assert found.n_trades == 4
    assert found.win_rate == 0.25
    assert found.profit_factor == 2.0
    assert found.expectancy == 3.75
    assert found.avg_trade == pytest.approx(0.0375)
    assert (found.best_trade, found.worst_trade) == (pytest.approx(0.3), pytest.approx(-0.1))
    assert found.exposure == 0.5


def test_without_a_loss_the_profit_factor_is_undefined_and_without_a_trade_all_are() -> None:
    rows = np.zeros((1, TRADE_COLUMNS))
    rows[:, [PROFIT, SIZE, ENTRY_PRICE]] = 1.0
    assert measured([101.0], 100.0, rows).profit_factor is None
    none = measured([100.0], 100.0)
    assert (none.win_rate, none.expectancy, none.avg_trade, none.best_trade, none.worst_trade) == (None,) * 5
    assert Metrics(**none.to_dict()) == none  # type: ignore[arg-type]


def test_buy_and_hold_is_the_price() -> None:
    close = np.array([100.0, 101.0, 99.0, 104.0, 103.0, 108.0])
    index = pd.date_range("2024-01-01", periods=6, freq="D")
    df = pd.DataFrame({"open": close, "high": close, "low": close, "close": close}, index=index)
    result = run_backtest(df, StrategySpec.preset("buy_and_hold"), fill="close", initial_capital=100.0)
    np.testing.assert_allclose(result.equity, close, rtol=1e-12)
    assert result.metrics.n_trades == 1
    assert result.metrics.exposure == pytest.approx(5 / 6)
