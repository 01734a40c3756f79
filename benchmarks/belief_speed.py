"""How long it takes to say what may be believed of one variant.

    python -m benchmarks.belief_speed [PRICES] [--bars 20000]

Promises: all stress tests and statistics of a variant on 20,000 bars in 2 s on two cores; CSCV with 16 blocks
over 100 variants in 1 s; walk-forward tests with 8 folds of 400 configurations within three times the cost of
one plain sweep of the same bars. Each figure is the best of five, in seconds on the clock and of processor
time; the second is the one to compare on a machine that others use too.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pandas as pd

from backtest import Costs, StrategySpec, sweep, validate_prices
from backtest.statistics.bootstrap import return_intervals
from backtest.statistics.overfitting import (
    autocorrelation_adjusted_sharpe,
    data_snooping,
    effective_trials,
    familywise_p_value,
    probability_of_backtest_overfitting,
)
from backtest.statistics.returns import bar_returns, moments
from backtest.validation.stress import StressCase, stress_tests
from backtest.validation.trials import TRIAL_BLOCKS, block_sums, excess_returns
from backtest.validation.walk_forward import combinatorial_cross_validation, walk_forward

GRID = {"fast_period": range(3, 23), "slow_period": range(30, 130, 5)}
COSTS = Costs(fee_bps=10, slippage_bps=2)
SPEC = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
VARIANTS = 100


def made_up(bars: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.004, bars)))
    opened = np.concatenate([close[:1], close[:-1]])
    reach = np.abs(random.normal(0.0, 0.002, (2, bars)))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * (1 + reach[0]),
            "low": np.minimum(opened, close) * (1 - reach[1]),
            "close": close,
            "volume": 1.0,
        },
        index=pd.date_range("2024-01-01", periods=bars, freq="30min"),
    )


def best(work: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """Seconds on the clock and of the processor, the least of each; the first run only compiles."""
    work()
    clock, processor = [], []
    for _ in range(times):
        begun, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    return min(clock), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prices", nargs="?")
    parser.add_argument("--bars", type=int, default=20_000)
    chosen = parser.parse_args()
    table = pd.read_parquet(chosen.prices) if chosen.prices else made_up(chosen.bars)
    prices = validate_prices(table).iloc[-chosen.bars :]
    random = np.random.default_rng(2)
    trials = random.normal(0.0, 0.005, (len(prices), VARIANTS))
    blocks = np.column_stack([block_sums(column, TRIAL_BLOCKS) for column in trials.T])

    def opened() -> StressCase:
        return StressCase.open(prices, SPEC, COSTS, generator=np.random.default_rng(3))

    def statistics() -> None:
        result = opened().result
        returns = bar_returns(result.equity_values, result.initial_capital)
        moments(excess_returns(result, prices["close"]))
        autocorrelation_adjusted_sharpe(returns, result.periods_per_year)
        return_intervals(returns, result.periods_per_year, np.random.default_rng(4))
        effective_trials(blocks)
        probability_of_backtest_overfitting(blocks)
        familywise_p_value(blocks, 0, np.random.default_rng(5))
        data_snooping(blocks, np.random.default_rng(6))

    plain = best(lambda: sweep(prices, SPEC, GRID, COSTS))
    rows = [
        ("all stress tests of one variant", *best(lambda: stress_tests(opened()))),
        (f"all statistics of one variant among {VARIANTS} trials", *best(statistics)),
        (f"CSCV, 16 blocks, {VARIANTS} variants", *best(lambda: probability_of_backtest_overfitting(trials))),
        ("plain sweep, 400 configurations", *plain),
        ("walk-forward, 8 folds × 400, rolling", *best(lambda: walk_forward(prices, SPEC, GRID, COSTS))),
        (
            "walk-forward, 8 folds × 400, anchored",
            *best(lambda: walk_forward(prices, SPEC, GRID, COSTS, scheme="anchored")),
        ),
        (
            "cross-validation, 15 splits × 400",
            *best(lambda: combinatorial_cross_validation(prices, SPEC, GRID, COSTS)),
        ),
    ]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numba {version('numba')}, arch {version('arch')}\n"
    )
    print(f"| {len(prices):,} bars | clock s | processor s | times the sweep (processor) |")
    print("| --- | --- | --- | --- |")
    for name, clock, processor in rows:
        print(f"| {name} | {clock:.3f} | {processor:.3f} | {processor / plain[1]:.1f} |")
    kept = rows[0][2] + rows[1][2] <= 2.0 and rows[2][2] <= 1.0 and rows[4][2] <= 3.0 * plain[1]
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()
