"""The work of `engine_sweep.py --peers` by other engines, in an environment of their own.

From the prices to the metrics: averages, crossings, simulation with a 2 % stop and 0.1 % a side, figures. One
line of JSON an engine; of vectorbt also what its simulation alone took. backtesting.py, whose sweeps are not
of this size, trades the first configuration once. It imports nothing of ThreadX.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.memory import peak_mib

warnings.filterwarnings("ignore")  # the peers' own, about their dependencies

kernel_seconds = 0.0
"""What vectorbt's simulation has taken without its signals and figures."""

COLUMNS_AT_A_TIME = 100  # vectorbt holds some 15 MB a configuration at once


def averages(close: pd.Series, pairs: np.ndarray) -> dict[int, np.ndarray]:
    return {int(period): close.rolling(int(period)).mean().to_numpy() for period in np.unique(pairs)}


def crossings(means: dict[int, np.ndarray], fast: int, slow: int) -> tuple[np.ndarray, np.ndarray]:
    above, below = means[fast] > means[slow], means[fast] < means[slow]
    into, out = above.copy(), below.copy()
    into[1:] &= (means[fast] <= means[slow])[:-1]
    out[1:] &= (means[fast] >= means[slow])[:-1]
    into[0] = out[0] = False
    return into, out


def timed_kernel(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A simulation that adds to `kernel_seconds` what it takes."""

    def timed(*arguments: Any, **named: Any) -> Any:
        global kernel_seconds
        start = time.perf_counter()
        try:
            return kernel(*arguments, **named)
        finally:
            kernel_seconds += time.perf_counter() - start

    timed.threadx = True  # type: ignore[attr-defined]
    return timed


def by_vectorbt(df: pd.DataFrame, pairs: np.ndarray, engine: str) -> tuple[list[float], list[int]]:
    import vectorbt as vbt  # noqa: PLC0415  # its import takes seconds and memory that only its own turn has

    dispatch = vbt.portfolio.base.dispatch
    if not hasattr(dispatch.simulate_from_signals, "threadx"):
        dispatch.simulate_from_signals = timed_kernel(dispatch.simulate_from_signals)
    means = averages(df["close"], pairs)
    returns: list[float] = []
    trades: list[int] = []
    for start in range(0, len(pairs), COLUMNS_AT_A_TIME):
        signals = [crossings(means, *map(int, pair)) for pair in pairs[start : start + COLUMNS_AT_A_TIME]]
        portfolio = vbt.Portfolio.from_signals(
            df["close"],
            pd.DataFrame(np.column_stack([into for into, _ in signals]), index=df.index),
            pd.DataFrame(np.column_stack([out for _, out in signals]), index=df.index),
            open=df["open"],
            high=df["high"],
            low=df["low"],
            sl_stop=0.02,
            fees=0.001,
            init_cash=10_000,
            freq="30min",
            engine=engine,
        )
        # Every figure that a row of our own sweep holds.
        for name in (
            "sharpe_ratio",
            "sortino_ratio",
            "calmar_ratio",
            "max_drawdown",
            "annualized_volatility",
            "annualized_return",
        ):
            getattr(portfolio, name)()
        for name in ("win_rate", "profit_factor", "expectancy", "coverage"):
            getattr(portfolio.trades, name)()
        for name in ("mean", "max", "min"):
            getattr(portfolio.trades.returns, name)()
        returns += portfolio.total_return().tolist()
        trades += portfolio.trades.count().tolist()
    return returns, trades


def by_raptorbt(df: pd.DataFrame, pairs: np.ndarray) -> tuple[list[float], list[int]]:
    import raptorbt  # noqa: PLC0415  # as above

    config = raptorbt.BacktestConfig(initial_capital=10_000.0, fees=0.001, periods_per_year=17_520.0)
    config.set_fixed_stop(0.02)
    means = averages(df["close"], pairs)
    items = [
        raptorbt.BatchSingleItem(str(place), *crossings(means, *map(int, pair)))
        for place, pair in enumerate(pairs)
    ]
    columns = [df[name].to_numpy() for name in ("open", "high", "low", "close", "volume")]
    done = raptorbt.batch_single_backtest(df.index.as_unit("ns").asi8, *columns, items, config)
    return (
        [result.metrics.total_return_pct / 100.0 for _, result in done],
        [result.metrics.total_trades for _, result in done],
    )


def by_backtesting(df: pd.DataFrame, pairs: np.ndarray) -> tuple[list[float], list[int]]:
    from backtesting import Backtest, Strategy  # noqa: PLC0415  # as above
    from backtesting.lib import crossover  # noqa: PLC0415

    fast, slow = (int(period) for period in pairs[0])

    class Cross(Strategy):
        def init(self) -> None:
            self.fast = self.I(lambda: df["close"].rolling(fast).mean())
            self.slow = self.I(lambda: df["close"].rolling(slow).mean())

        def next(self) -> None:
            if crossover(self.slow, self.fast):
                self.position.close()
            elif crossover(self.fast, self.slow):
                self.buy(sl=self.data.Close[-1] * 0.98)

    run = Backtest(df.rename(columns=str.title), Cross, cash=1e6, commission=0.001, finalize_trades=True)
    told = run.run()
    return [told["Return [%]"] / 100.0], [int(told["# Trades"])]


def main() -> None:
    global kernel_seconds
    work = np.load(sys.argv[1])
    runs = int(sys.argv[2])
    names = ("open", "high", "low", "close", "volume")
    df = pd.DataFrame({name: work[name] for name in names}, index=pd.DatetimeIndex(work["times"]))
    for engine, package, run in (
        ("backtesting.py, one", "backtesting", lambda: by_backtesting(df, work["pairs"])),
        ("raptorbt batch", "raptorbt", lambda: by_raptorbt(df, work["pairs"])),
        ("vectorbt rust", "vectorbt", lambda: by_vectorbt(df, work["pairs"], "rust")),
        ("vectorbt numba", "vectorbt", lambda: by_vectorbt(df, work["pairs"], "numba")),
    ):
        taken, kernels = [], []
        for place in range(runs + 1):
            gc.collect()
            kernel_seconds = 0.0
            start = time.perf_counter()
            returns, trades = run()
            if place:  # the first run compiles
                taken.append(time.perf_counter() - start)
                kernels.append(kernel_seconds)
        print(
            json.dumps(
                {
                    "engine": engine,
                    "version": version(package),
                    "seconds": float(np.median(taken)),
                    "least": min(taken),
                    "kernel_seconds": float(np.median(kernels)),
                    "megabytes": peak_mib(),
                    "total_return": returns,
                    "n_trades": trades,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
