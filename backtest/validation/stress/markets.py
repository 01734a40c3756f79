"""Where the result comes from: kinds of market, and other instruments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.engine.run import run_backtest
from backtest.errors import BacktestError
from backtest.kernels.simulation import Floats
from backtest.statistics.returns import moments
from backtest.validation.stress.case import AnyCase, Finding, skipped
from backtest.validation.stress.entry import StressTest
from backtest.validation.trials import excess_returns

REGIMES = ("quiet_up", "quiet_down", "lively_up", "lively_down")
_LEAST_SHARE = 0.05
_VOLATILITY_BARS, _TREND_BARS = 50, 100


def regime_of_each_bar(closes: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Index into `REGIMES` by what was known at the close before each bar; -1 while nothing is.

    Lively is a standard deviation of the last 50 returns above its median so far; up is a close above that of
    100 bars before.
    """
    prices = pd.Series(closes)
    volatility = prices.pct_change().rolling(_VOLATILITY_BARS).std()
    lively = (volatility > volatility.expanding().median()).to_numpy()
    change = (prices / prices.shift(_TREND_BARS) - 1.0).to_numpy()
    found = np.where(change > 0.0, 0, 1) + np.where(lively, 2, 0)
    found[np.isnan(change) | volatility.isna().to_numpy()] = -1
    return np.concatenate([[-1], found[:-1]])


def regimes(case: AnyCase) -> Finding:
    """Excess Sharpe ratio in quiet and lively, rising and falling markets.

    The figure is the share of the kinds of market with a positive excess; kinds that make up less than 5 % of
    the bars do not count.
    """
    kinds = np.concatenate([regime_of_each_bar(part.closes) for part in case.parts])
    excess = np.concatenate([excess_returns(part.result, part.closes) for part in case.parts])
    root = case.result.periods_per_year**0.5
    found: dict[str, float] = {}
    for place, name in enumerate(REGIMES):
        part = excess[kinds == place]
        if len(part) >= max(2, _LEAST_SHARE * len(excess)):
            found[name] = float(moments(part).sharpe * root)
    if len(found) < 2 or len(case.result.trade_values) == 0:
        return skipped("regimes")
    positive = sum(ratio > 0.0 for ratio in found.values())
    share = positive / len(found)
    return Finding(
        name="regimes",
        outcome="passed" if share >= 0.75 else "weak" if share >= 0.5 else "failed",
        figure=share,
        fields={"positive": positive, "regimes": len(found), "worst": min(found.values()), **found},
    )


def other_symbols(case: AnyCase) -> Finding:
    """The same strategy and parameters on other instruments. The figure is the share with an excess."""
    ratios = []
    for name in sorted(case.others):
        prices = case.others[name]
        try:
            result = run_backtest(prices, case.spec, case.costs, case.fill)
        except BacktestError:
            continue  # too short for the strategy, or without the volume it needs
        excess = moments(excess_returns(result, prices["close"]))
        ratios.append(excess.sharpe * result.periods_per_year**0.5)
    if not ratios:
        return skipped("other_symbols")
    positive = sum(ratio > 0.0 for ratio in ratios)
    share = positive / len(ratios)
    return Finding(
        name="other_symbols",
        outcome="passed" if share >= 0.5 else "weak" if positive else "failed",
        figure=share,
        fields={"positive": positive, "symbols": len(ratios), "median": float(np.median(ratios))},
    )


TESTS = (
    StressTest(name="regimes", run=regimes, failing="told"),
    StressTest(name="other_symbols", run=other_symbols, failing="told"),
)
