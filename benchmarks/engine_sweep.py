"""How fast sweeps are, and whether their cost grows as the work does; beside peers when asked.

- 400 MA-cross configurations with a 2 % stop and fees × 50,000 bars: at most 6 ns per bar·configuration.
- Three conditions (cross, RSI filter, ADX filter) and a trailing stop: at most 15 ns.
- Cost over three decades of bars and of configurations: the slope in logarithms, 1 is linear.
- 4,000 configurations × 50,000 bars within 400 MB.
- One backtest of 50,000 bars: at most 3 ms; a fresh process to its first result: at most 2 s, kernels cached.
- 2,304 MA-cross configurations with stop, target, risk per trade and holding time: at most 0.5 s.
- `--shapes`: 18 shapes of strategies at three lengths, each beside a bare loop of the same rules
  (`engine_shapes.py`); `--only TEXT` for those with TEXT in their name, `--bars N …` for other lengths.
- `--published`: the work that manifoldbt publishes, in processes of its own: 9,999 EMA crossovers × 200,000
  bars in at most 3.5 s of processor time and 400 MB; one backtest of 10 million bars in 0.4 s and 1.2 GB.
- `--stream`: 2,903,040 configurations of `bollinger_atr` × 960 bars to a Parquet file: at most 60 s.
- `--peers PYTHON`: the same 400 configurations in that environment by vectorbt and raptorbt, the first of
  them by backtesting.py, akquant and nautilus_trader (`engine_peers.py`), results compared; `make bench`
  makes the environment.

Figures of a busy machine say little: medians of several runs are printed, and the smallest beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from backtest import Costs, StrategySpec, run_backtest, sweep, sweep_to_parquet
from benchmarks.engine_shapes import LENGTHS, report_shapes

COSTS = Costs(fee_bps=10)
CROSS = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
FILTERED = StrategySpec(
    name="filtered",
    params={"fast": 10, "slow": 50, "rsi_floor": 40, "adx_floor": 20},
    entry_long=(
        "crosses_above(sma(close, fast), sma(close, slow)) and rsi(close, 14) > rsi_floor "
        "and adx(14) > adx_floor"
    ),
    exit_long="crosses_below(sma(close, fast), sma(close, slow))",
    risk={"trailing_stop_pct": 3.0},
)
UP = "crosses_above(sma(close, fast_period), sma(close, slow_period))"
DOWN = "crosses_below(sma(close, fast_period), sma(close, slow_period))"
BOTH_WAYS = {"stop_loss_pct": 1.0, "take_profit_pct": 1.0}
SHAPES: dict[str, dict[str, Any]] = {
    "long, left by a signal": {"entry_long": UP, "exit_long": DOWN},
    "both sides, reversed by signals": {
        "entry_long": UP, "exit_long": DOWN, "entry_short": DOWN, "exit_short": UP,
    },
    "long, left by stop and target alone": {"entry_long": UP, "risk": BOTH_WAYS},
    "short, left by stop and target alone": {"entry_short": DOWN, "risk": BOTH_WAYS},
    "both sides, left by stop and target alone": {"entry_long": UP, "entry_short": DOWN, "risk": BOTH_WAYS},
    "short, trailing stop": {"entry_short": DOWN, "exit_short": UP, "risk": {"trailing_stop_pct": 2.0}},
    "long, at most 20 bars": {"entry_long": UP, "risk": {"max_bars": 20}},
    "long, half of the account": {"entry_long": UP, "exit_long": DOWN, "sizing": {"equity_pct": 50.0}},
}  # fmt: skip
CROSS_GRID = {"fast_period": range(3, 23), "slow_period": range(25, 125, 5)}
LARGE_GRID = {"fast_period": range(2, 66), "slow_period": range(70, 386, 5)}
FILTERED_GRID = {
    "fast": range(5, 25, 4),
    "slow": range(30, 130, 20),
    "rsi_floor": [40, 45, 50, 55],
    "adx_floor": [15, 20, 25, 30],
}
# The yardstick that the earlier ThreadX published: 2,903,040 configurations on 960 bars.
STREAM_SPEC = StrategySpec.preset("bollinger_atr")
STREAM_GRID: dict[str, Any] = {
    "period": [10, 15, 20, 25, 30, 40, 50],
    "deviations": [1.5, 1.75, 2.0, 2.25, 2.5, 3.0],
    "entry_zscore": [0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5],
    "atr_period": [5, 7, 10, 14, 18, 21, 28, 42],
    "stop_loss_atr": [1.0, 1.5, 2.0, 2.5, 3.0, 4.0],
    "risk_per_trade_pct": [0.5, 1.0, 1.5, 2.0, 3.0],
    "max_bars": [10, 20, 30, 50, 75, 100, 125, 150, 200, 250, 300, 400],
    "side": ["long", "short", "both"],
}
# And its 2,304 of the crossover.
RISKED_SPEC = StrategySpec.preset("ma_crossover")
RISKED_GRID: dict[str, Any] = {
    "fast_period": [5, 10, 15, 20],
    "slow_period": [20, 30, 40, 50],
    "stop_loss_pct": [1.5, 2.0, 2.5],
    "take_profit_pct": [3.0, 4.0, 5.0, 6.0],
    "risk_per_trade_pct": [1.0, 1.5, 2.0],
    "max_bars": [50, 100, 150, 200],
}


EMA_CROSS = StrategySpec(
    name="ema",
    params={"fast": 12, "slow": 30},
    entry_long="crosses_above(ema(close, fast), ema(close, slow))",
    exit_long="crosses_below(ema(close, fast), ema(close, slow))",
)
# 10,000 pairs, of which one is no crossover: both periods are 104.
EMA_GRID = {"fast": range(5, 105), "slow": range(104, 204)}


def prices(bars: int) -> pd.DataFrame:
    """A random walk of half-hour bars, 0.5 % a bar."""
    random = np.random.default_rng(11)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.005, bars)))
    opened = np.concatenate(([100.0], close[:-1]))
    reach = np.abs(random.normal(0.0, 0.002, (2, bars)))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * (1.0 + reach[0]),
            "low": np.minimum(opened, close) * (1.0 - reach[1]),
            "close": close,
            "volume": random.integers(1, 1_000, bars).astype(float),
        },
        index=pd.date_range("2000-01-01", periods=bars, freq="30min", tz="UTC"),
    )


def seconds(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median and smallest time of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)), min(taken)


def peak(code: str) -> list[str]:
    """What a fresh process prints that runs some code, and the megabytes of its largest resident memory."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom benchmarks.memory import peak_mib; print(peak_mib())"],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return told.stdout.split()


def report_sweep(name: str, spec: StrategySpec, grid: dict[str, Any], bars: int, runs: int) -> float:
    df = prices(bars)
    count = len(sweep(df, spec, grid, COSTS))
    middle, least = seconds(lambda: sweep(df, spec, grid, COSTS), runs)
    scale = 1e9 / count / bars
    print(
        f"{name}: {count} × {bars:,} in {middle:.3f} s: {middle * scale:.2f} ns per bar·configuration "
        f"(least {least * scale:.2f})"
    )
    return middle


def linearity(runs: int) -> None:
    # The grid is widened on one axis only, so that indicators and configurations grow alike.
    for name, cases in (
        ("bars", [(5_000, CROSS_GRID), (50_000, CROSS_GRID), (500_000, CROSS_GRID)]),
        (
            "configurations",
            [
                (50_000, {"fast_period": range(3, 7), "slow_period": range(25, 75, 5)}),
                (50_000, CROSS_GRID),
                (50_000, LARGE_GRID),
            ],
        ),
    ):
        work, taken = [], []
        for bars, grid in cases:
            count = len(sweep(prices(2_000), CROSS, grid, COSTS))
            work.append(bars * count)
            taken.append(report_sweep(f"linearity in {name}", CROSS, grid, bars, runs))
        print(f"linearity in {name}: slope {slope(work, taken):.2f}")
    few = {"fast_period": range(3, 8), "slow_period": range(25, 45, 5)}
    for name, parts in SHAPES.items():
        spec = StrategySpec(name="shape", params={"fast_period": 5, "slow_period": 30}, **parts)
        lengths = [10_000, 100_000, 1_000_000]
        taken = [report_sweep(f"linearity of {name}", spec, few, bars, runs) for bars in lengths]
        print(f"linearity of {name}: slope {slope(lengths, taken):.2f}")


def slope(work: list[int], taken: list[float]) -> float:
    return float(np.polyfit(np.log(work), np.log(taken), 1)[0])


def single(runs: int) -> None:
    df = prices(50_000)
    middle, least = seconds(lambda: run_backtest(df, CROSS, COSTS).trades, 10 * runs)
    print(f"one backtest of 50,000 bars: {middle * 1e3:.2f} ms (least {least * 1e3:.2f})")
    code = (
        "from benchmarks.engine_sweep import prices, CROSS, COSTS, run_backtest; "
        "run_backtest(prices(50_000), CROSS, COSTS)"
    )
    middle, least = seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), runs)
    print(f"process start to first result: {middle:.2f} s (least {least:.2f})")


def published() -> None:
    """The work that manifoldbt publishes, each in a fresh process: processor time and peak memory."""
    for name, call in (
        (
            "9,999 EMA crossovers × 200,000 bars",
            "sweep(prices(200_000), EMA_CROSS, EMA_GRID, COSTS, workers=1)",
        ),
        ("one backtest of 10,000,000 bars", "run_backtest(history, EMA_CROSS, COSTS)"),
    ):
        # The history comes from a file: to make it up takes more memory than to trade it.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.npz"
            code = (
                "import time\n"
                "from benchmarks.engine_sweep import *\n"
                "call = lambda history: " + call + "\n"
                "call(prices(1_000))\n"
            )
            if "history" in call:
                df = prices(10_000_000)
                np.savez(path, **{column: df[column].to_numpy() for column in df})
                del df
                code += (
                    f"columns = dict(np.load({str(path)!r}))\n"
                    "times = pd.date_range('2000-01-01', periods=10_000_000, freq='1min', tz='UTC')\n"
                    "history = pd.DataFrame(columns, index=times, copy=False)\n"
                )
            else:
                code += "history = None\n"
            code += "start = time.process_time()\ncall(history)\nprint(time.process_time() - start)\n"
            told = peak(code)
        print(f"published, {name}: {float(told[0]):.2f} s of processor time, {float(told[-1]):.0f} MB")


def stream() -> None:
    df = prices(960)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = sweep_to_parquet(df, STREAM_SPEC, STREAM_GRID, Path(folder) / "all.parquet", COSTS)
        taken = time.perf_counter() - start
    print("stream:", ", ".join(f"{name} {len(values)}" for name, values in STREAM_GRID.items()))
    print(
        f"stream: {found.rows:,} configurations × 960 bars in {taken:.1f} s "
        f"({taken * 1e9 / found.rows / 960:.2f} ns per bar·configuration, "
        f"{found.rows / taken:,.0f} tests a second)"
    )


def peers(python: str, runs: int) -> None:
    """The same 400 configurations, fills at the close as vectorbt has them, by each engine in turn."""
    df = prices(50_000)
    table = sweep(df, CROSS, CROSS_GRID, COSTS, "close")
    before = seconds(lambda: sweep(df, CROSS, CROSS_GRID, COSTS, "close"), 4 * runs)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.npz"
        np.savez(
            work,
            **{name: df[name].to_numpy() for name in df},
            times=df.index.as_unit("ns").asi8,
            pairs=table[["fast_period", "slow_period"]].to_numpy(),
        )
        told = subprocess.run(
            [python, "-m", "benchmarks.engine_peers", str(work), str(runs)],
            check=True,
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    # Before and after the peers: what else the machine does should weigh on both alike.
    after = seconds(lambda: sweep(df, CROSS, CROSS_GRID, COSTS, "close"), 4 * runs)
    ours = (before[0] + after[0]) / 2
    print(
        f"threadx: {before[0]:.3f} s before the peers, {after[0]:.3f} s after "
        f"(least {min(before[1], after[1]):.3f})"
    )
    one = seconds(lambda: run_backtest(df, CROSS, COSTS).trades, 10 * runs)[0]
    for line in told.stdout.splitlines():
        if not line.startswith("{"):
            continue  # akquant logs beside its figures
        peer = json.loads(line)
        if len(peer["n_trades"]) == 1:
            print(
                f"{peer['engine']} {peer['version']}: {peer['seconds']:.2f} s for one backtest, "
                f"{peer['seconds'] / one:.0f} times our {one * 1e3:.2f} ms; {peer['n_trades'][0]} trades "
                f"(ours {table['n_trades'].iloc[0]}), return {peer['total_return'][0]:.4f} "
                f"(ours {table['total_return'].iloc[0]:.4f})"
            )
            continue
        returns = np.array(peer["total_return"])
        gap = np.abs(returns - table["total_return"]) / np.maximum(1e-12, np.abs(table["total_return"]))
        same = int((np.array(peer["n_trades"]) == table["n_trades"]).sum())
        print(
            f"{peer['engine']} {peer['version']}: {peer['seconds']:.2f} s (least {peer['least']:.2f}), "
            f"{peer['seconds'] * 1e9 / len(table) / len(df):.0f} ns per bar·configuration, "
            f"{peer['seconds'] / ours:.0f} times our time, peak {peer['megabytes']:.0f} MB; equal number of "
            f"trades in {same} of {len(table)}, total return within {np.median(gap):.1e} (median), "
            f"{gap.max():.1e}"
        )
        if peer["kernel_seconds"]:
            print(
                f"{peer['engine']}, simulation alone: {peer['kernel_seconds']:.2f} s, "
                f"{peer['kernel_seconds'] / ours:.0f} times our whole work"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--shapes", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--bars", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--peers", metavar="PYTHON")
    chosen = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pandas"))
    print(
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {packages}; load {psutil.getloadavg()[0]:.1f}"
    )
    if chosen.shapes or chosen.only:
        report_shapes(prices, chosen.runs, chosen.only, tuple(chosen.bars))
    if chosen.published:
        published()
    if chosen.only or chosen.published:
        return
    report_sweep("cross", CROSS, CROSS_GRID, 50_000, chosen.runs)
    report_sweep("filtered", FILTERED, FILTERED_GRID, 50_000, chosen.runs)
    # 2,304 combinations; the 144 of the pair 20 and 20 are dropped. 960 bars as above, and a year.
    report_sweep("crossover by risk", RISKED_SPEC, RISKED_GRID, 960, chosen.runs)
    report_sweep("crossover by risk", RISKED_SPEC, RISKED_GRID, 17_520, chosen.runs)
    single(chosen.runs)
    head = "from benchmarks.engine_sweep import *\n"
    print(f"peak memory, imports alone: {float(peak(head)[-1]):.0f} MB")
    for name in ("CROSS_GRID", "LARGE_GRID"):
        told = peak(f"{head}sweep(prices(50_000), CROSS, {name}, COSTS)")
        print(f"peak memory, {name}: {float(told[-1]):.0f} MB")
    linearity(max(2, chosen.runs // 2))
    if chosen.stream:
        stream()
    if chosen.peers:
        peers(chosen.peers, max(2, chosen.runs // 2))


if __name__ == "__main__":
    main()
