"""The work of `engine_sweep.py --peers` by other engines, in an environment of their own.

From the prices to the metrics: averages, crossings, simulation with a 2 % stop and 0.1 % a side, figures. One
line of JSON an engine; of vectorbt also what its simulation alone took. Engines that call Python on every bar
(backtesting.py, akquant, nautilus_trader) trade the first configuration once, from signals made beforehand.
It imports nothing of ThreadX.
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


def by_akquant(df: pd.DataFrame, pairs: np.ndarray) -> tuple[list[float], list[int]]:
    import akquant  # noqa: PLC0415  # as above

    into, out = crossings(averages(df["close"], pairs), *map(int, pairs[0]))

    class Cross(akquant.Strategy):
        def on_start(self) -> None:
            self.place = -1

        def on_bar(self, bar: Any) -> None:
            self.place += 1
            held = self.get_position(bar.symbol)
            if held and out[self.place]:
                self.cancel_all_orders(bar.symbol)
                self.close_position(bar.symbol)
            elif not held and into[self.place]:
                quantity = int(self.cash * 0.998 / bar.close)
                self.buy(bar.symbol, quantity)
                self.sell(bar.symbol, quantity, trigger_price=bar.close * 0.98)

    done = akquant.run_backtest(
        df.reset_index(names="date").assign(symbol="X", volume=1e12),  # it fills a share of a bar's volume
        strategy=Cross,
        symbols="X",
        initial_cash=1e6,
        commission_rate=0.001,
        lot_size=1,
        fill_policy=akquant.CurrentClose(),
        timezone="UTC",
        show_progress=False,
    )
    told = done.metrics_df["value"]
    return [float(told["total_return_pct"]) / 100.0], [int(told["closed_trade_count"])]


def by_nautilus(df: pd.DataFrame, pairs: np.ndarray) -> tuple[list[float], list[int]]:
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # noqa: PLC0415
    from nautilus_trader.config import LoggingConfig, StrategyConfig  # noqa: PLC0415
    from nautilus_trader.model.currencies import USDT  # noqa: PLC0415
    from nautilus_trader.model.data import Bar, BarType  # noqa: PLC0415
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide  # noqa: PLC0415
    from nautilus_trader.model.objects import Money  # noqa: PLC0415
    from nautilus_trader.persistence.wranglers import BarDataWrangler  # noqa: PLC0415
    from nautilus_trader.test_kit.providers import TestInstrumentProvider  # noqa: PLC0415
    from nautilus_trader.trading.strategy import Strategy  # noqa: PLC0415

    instrument = TestInstrumentProvider.btcusdt_binance()  # a fee of 0.1 %
    name, cash = instrument.id, 10_000
    kind = BarType.from_str(f"{name}-30-MINUTE-LAST-EXTERNAL")
    into, out = crossings(averages(df["close"], pairs), *map(int, pairs[0]))

    class Cross(Strategy):
        def on_start(self) -> None:
            self.place = -1
            self.subscribe_bars(kind)

        def on_bar(self, bar: Bar) -> None:
            self.place += 1
            flat = self.portfolio.is_flat(name)
            if not flat and out[self.place]:
                self.cancel_all_orders(name)
                self.close_all_positions(name)
            elif flat and into[self.place]:
                free = float(self.portfolio.account(name.venue).balance_free(USDT))
                quantity = instrument.make_qty(free * 0.998 / float(bar.close))
                stop = instrument.make_price(float(bar.close) * 0.98)
                self.submit_order(self.order_factory.market(name, OrderSide.BUY, quantity))
                self.submit_order(self.order_factory.stop_market(name, OrderSide.SELL, quantity, stop))

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(name.venue, OmsType.NETTING, AccountType.CASH, [Money(cash, USDT)])
    engine.add_instrument(instrument)
    engine.add_data(BarDataWrangler(kind, instrument).process(df.assign(volume=1e6).tz_localize("UTC")))
    engine.add_strategy(Cross(StrategyConfig()))
    engine.run()
    account = engine.portfolio.account(name.venue)
    coins = account.balance_total(instrument.base_currency)  # of a position that is open at the end
    left = float(account.balance_total(USDT)) + float(coins or 0.0) * float(df["close"].iloc[-1])
    trades = len(engine.trader.generate_positions_report())
    engine.dispose()
    return [left / cash - 1.0], [trades]


def main() -> None:
    global kernel_seconds
    work = np.load(sys.argv[1])
    runs = int(sys.argv[2])
    names = ("open", "high", "low", "close", "volume")
    df = pd.DataFrame({name: work[name] for name in names}, index=pd.DatetimeIndex(work["times"]))
    for engine, package, run in (
        ("backtesting.py, one", "backtesting", lambda: by_backtesting(df, work["pairs"])),
        ("akquant, one", "akquant", lambda: by_akquant(df, work["pairs"])),
        ("nautilus_trader, one", "nautilus_trader", lambda: by_nautilus(df, work["pairs"])),
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
