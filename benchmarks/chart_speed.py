"""Time to draw charts of 100,000 bars, from arrays to the finished file; promise: under a second each.

    python -m benchmarks.chart_speed

The renderer starts once a process; that first picture is told apart. Charts whose size does not depend on the
number of bars (convergence, debates, folds) are drawn from a run; one stands here beside them.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable

import altair as alt
import numpy as np
import pandas as pd

from backtest import StrategySpec, run_backtest
from prompts import Words
from reports.charts.convergence import convergence_chart
from reports.charts.equity import equity_chart
from reports.charts.indicators import strategy_indicators
from reports.charts.price import price_chart
from reports.pictures import SUFFIXES, picture

PROMISED_SECONDS = 1.0
SEED = 7


def synthetic_prices(bars: int) -> pd.DataFrame:
    """A geometric walk of five-minute bars."""
    generator = np.random.default_rng(SEED)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.001, bars)))
    start = np.concatenate([[100.0], close[:-1]])
    spread = 1.0 + np.abs(generator.normal(0.0, 0.0005, bars))
    return pd.DataFrame(
        {
            "open": start,
            "high": np.maximum(start, close) * spread,
            "low": np.minimum(start, close) / spread,
            "close": close,
            "volume": generator.uniform(1e3, 2e3, bars),
        },
        index=pd.date_range("2020-01-01", periods=bars, freq="5min", tz="UTC"),
    )


def charts(bars: int) -> dict[str, Callable[[], alt.TopLevelMixin]]:
    """What is drawn, by name."""
    words, prices = Words("en"), synthetic_prices(bars)
    spec = StrategySpec.preset("ma_crossover", fast_period=20, slow_period=100)
    tested = run_backtest(prices, spec)
    indicators = strategy_indicators(prices, spec)
    history = [
        {
            "iteration": number,
            "score": 2.0 + number / 100,
            "analyst_score": 3.0,
            "trials": [
                {"sentence": f"change {place}", "score": 1.0 + place / 10, "outcome": "adopted"}
                for place in range(4)
            ],
        }
        for number in range(1, 201)
    ]
    print(f"{len(prices):,} bars, {len(tested.trades):,} trades, {len(indicators)} indicators")
    return {
        "equity, drawdown, trades": lambda: equity_chart(tested, words, closes=prices["close"]),
        "price, indicators, trades": lambda: price_chart(
            prices, words, indicators=indicators, trades=tested.trades
        ),
        "convergence, 200 iterations": lambda: convergence_chart(2.0, history, words, target_score=8.0),
    }


def main() -> int:
    """Measure, print a table, and say by the exit code whether the promise is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    drawn = charts(chosen.bars)
    began = time.perf_counter()
    picture(next(iter(drawn.values()))(), ".svg")
    print(f"the first picture of the process: {time.perf_counter() - began:.2f} s")
    kept = True
    for name, draw in drawn.items():
        for suffix in SUFFIXES:
            taken = []
            for _ in range(chosen.runs):
                began = time.perf_counter()
                picture(draw(), suffix)
                taken.append(time.perf_counter() - began)
            kept = kept and statistics.median(taken) < PROMISED_SECONDS
            print(f"{name:30s} {suffix:5s} median {statistics.median(taken):.3f} s, most {max(taken):.3f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
