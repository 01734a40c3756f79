"""The cost of sweeps of many shapes, each beside a bare loop of the same rules in the same run.

Processor time of one thread, in nanoseconds a bar·configuration: medians of turns in which sweep and loop
alternate, so that what else the machine does weighs on both alike. The loop is given its signals and tells
half of the metrics; the sweep computes indicators, conditions and all figures. Trades and total returns of
both are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backtest import Costs, StrategySpec, sweep
from backtest.engine.run import Market, open_market
from backtest.engine.sweep import configured
from benchmarks.bare_loop import Plan, bare_loop

LENGTHS = (10_000, 50_000, 1_000_000)
CAPITAL = 10_000.0
_FEE = Costs(fee_bps=10)
_UP = "crosses_above(sma(close, fast), sma(close, slow))"
_DOWN = "crosses_below(sma(close, fast), sma(close, slow))"
_PAIRS = {"fast": range(3, 23), "slow": range(25, 125, 5)}
_PERIODS: dict[str, Any] = {"slow": range(2, 402)}
_FEW = {"fast": range(2, 6), "stop_loss_pct": np.linspace(1.0, 10.0, 100).tolist()}
_ONE_PERCENT = {"stop_loss_pct": 1.0, "take_profit_pct": 1.0}


class Shape(NamedTuple):
    """A strategy and its grid of 400."""

    parts: dict[str, Any]
    grid: dict[str, Any] = _PAIRS
    costs: Costs = _FEE


_LONG = {"entry_long": _UP, "exit_long": _DOWN}
_SHORT = {"entry_short": _DOWN, "exit_short": _UP}
SHAPES: dict[str, Shape] = {
    "MA cross, stop": Shape({**_LONG, "risk": {"stop_loss_pct": 2.0}}),
    "three conditions, trailing stop": Shape(
        {
            "entry_long": f"{_UP} and rsi(close, 14) > floor and adx(14) > strength",
            "exit_long": _DOWN,
            "risk": {"trailing_stop_pct": 3.0},
        },
        {
            "fast": range(5, 25, 4),
            "slow": range(30, 130, 20),
            "floor": [40, 45, 50, 55],
            "strength": [15, 20, 25, 30],
        },
    ),
    "MA cross or RSI": Shape({**_LONG, "entry_long": f"{_UP} or rsi(close, fast) < 20"}),
    "both sides, reversed by signals": Shape({**_LONG, **_SHORT}),
    "long, stop and target alone": Shape({"entry_long": _UP, "risk": _ONE_PERCENT}),
    "short, stop and target alone": Shape({"entry_short": _DOWN, "risk": _ONE_PERCENT}),
    "short, trailing stop": Shape({**_SHORT, "risk": {"trailing_stop_pct": 2.0}}),
    "short, borrowing": Shape(_SHORT, costs=Costs(fee_bps=10, borrow_bps_per_bar=0.02)),
    "long, at most 20 bars": Shape({"entry_long": _UP, "risk": {"max_bars": 20}}),
    "long, half of the account": Shape({**_LONG, "sizing": {"equity_pct": 50.0}}),
    "long, ATR stop, 1 % at risk": Shape(
        {**_LONG, "risk": {"stop_loss_atr": 3.0}, "sizing": {"risk_per_trade_pct": 1.0}}
    ),
    "long, slippage by ATR": Shape(_LONG, costs=Costs(fee_bps=10, slippage_atr=0.05)),
    "bollinger_atr, both sides": Shape(
        {
            "entry_long": "low < bollinger_lower(close, slow, width) and zscore(close, slow) < -depth",
            "exit_long": "close > bollinger_middle(close, slow, width)",
            "entry_short": "high > bollinger_upper(close, slow, width) and zscore(close, slow) > depth",
            "exit_short": "close < bollinger_middle(close, slow, width)",
            "risk": {"stop_loss_atr": 2.0},
        },
        {
            "slow": range(10, 50, 4),
            "width": [1.5, 2.0, 2.5, 3.0],
            "depth": [1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25],
        },
    ),
    "400 averages": Shape(
        {"entry_long": "close > sma(close, slow)", "exit_long": "close < sma(close, slow)"}, _PERIODS
    ),
    "400 exponential averages": Shape(
        {"entry_long": "close > ema(close, slow)", "exit_long": "close < ema(close, slow)"}, _PERIODS
    ),
    "400 periods of RSI": Shape(
        {"entry_long": "rsi(close, slow) < 45", "exit_long": "rsi(close, slow) > 55"}, _PERIODS
    ),
    "a trade every four bars": Shape(
        {"entry_long": "close > sma(close, fast)", "exit_long": "close < sma(close, fast)"}, _FEW
    ),
    # At ten basis points an account of a million bars ends below the smallest float, where nothing agrees.
    "a trade every two bars, both sides": Shape(
        {"entry_long": "close > sma(close, fast)", "entry_short": "close < sma(close, fast)"},
        _FEW,
        Costs(fee_bps=1),
    ),
}


def shape_spec(shape: Shape) -> StrategySpec:
    """The strategy with the first value of each parameter."""
    known = {"fast": 5, "slow": 30, "floor": 40, "strength": 20, "width": 2.0, "depth": 1.5}
    told = " ".join(text for text in shape.parts.values() if isinstance(text, str))
    return StrategySpec(
        name="shape", params={name: value for name, value in known.items() if name in told}, **shape.parts
    )


def bare_runs(
    market: Market, spec: StrategySpec, rows: list[dict[str, Any]], costs: Costs
) -> list[Callable[[], tuple[Any, ...]]]:
    """One call of the bare loop for each of some configurations, its signals made beforehand."""
    prices, nothing = market.bank.prices, np.empty(0)
    found = []
    for row in rows:
        one = configured(spec, row)
        risk, sizing = one.risk, one.sizing
        plan = Plan(
            stop=(risk.stop_loss_pct or 0.0) / 100.0,
            target=(risk.take_profit_pct or 0.0) / 100.0,
            trailing=(risk.trailing_stop_pct or 0.0) / 100.0,
            stop_atr=float(risk.stop_loss_atr or 0.0),
            longest=int(risk.max_bars or 0),
            share=(sizing.equity_pct or 100.0) / 100.0,
            risked=(sizing.risk_per_trade_pct or 0.0) / 100.0,
            fee=costs.fee_bps / 10_000.0,
            borrowing=costs.borrow_bps_per_bar / 10_000.0,
        )
        given = (
            *(prices.open, prices.high, prices.low, prices.close),
            market.bank.signals(one.bound_trees),
            market.atr(risk.atr_period) if risk.stop_loss_atr else nothing,
            market.charges.impact,
            plan,
            CAPITAL,
        )
        loop = bare_loop(
            stops=plan.stop > 0.0,
            targets=plan.target > 0.0,
            trails=plan.trailing > 0.0,
            by_atr=plan.stop_atr > 0.0,
            ages=plan.longest > 0,
            risks=plan.risked > 0.0,
            moves=market.charges.impact.size > 0,
            borrows=plan.borrowing > 0.0,
        )
        found.append(partial(loop, *given))
    return found


def _spent(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_shape(
    shape: Shape, df: pd.DataFrame, runs: int, sample: int = 20
) -> tuple[float, float, float, bool]:
    """Nanoseconds a bar·configuration of sweep and bare loop; trades a configuration; whether both agree."""
    spec, bars = shape_spec(shape), len(df)
    grid = dict(shape.grid)

    def swept() -> pd.DataFrame:
        return sweep(df, spec, grid, shape.costs, initial_capital=CAPITAL, workers=1)

    table = swept()
    rows = table[list(grid)].to_dict("records")[:: max(1, len(table) // sample)]
    market = open_market(df, shape.costs, "next_open", None, CAPITAL, None)
    loops = bare_runs(market, spec, rows, shape.costs)
    told = np.array([loop()[:2] for loop in loops])
    own = table[["n_trades", "total_return"]].to_numpy(dtype=np.float64)[:: max(1, len(table) // sample)]
    agree = bool(np.allclose(told, own, rtol=1e-8, atol=1e-10))
    ours, bare = [], []
    for _ in range(runs):
        ours.append(_spent(swept) / len(table))
        bare.append(_spent(lambda: [loop() for loop in loops]) / len(loops))
    scale = 1e9 / bars
    return float(np.median(ours)) * scale, float(np.median(bare)) * scale, float(own[:, 0].mean()), agree


def report_shapes(
    prices: Callable[[int], pd.DataFrame], runs: int, only: str = "", lengths: tuple[int, ...] = LENGTHS
) -> None:
    """Print the table, a line a shape: nanoseconds of the sweep, of the bare loop, their ratio, the slope.

    The slope is that of the sweep's time over the number of bars, in logarithms: 1 is linear.
    """
    print("ns a bar·configuration of one thread's processor time: sweep / bare loop = ratio")
    print(
        f"{'shape':36}"
        + "".join(f"{f'{bars:,} bars':>24}" for bars in lengths)
        + "  slope  trades a 1,000 bars"
    )
    for name, shape in SHAPES.items():
        if only not in name:
            continue
        told = ""
        rate = 0.0
        taken = []
        for bars in lengths:
            ours, bare, trades, agree = measure_shape(shape, prices(bars), runs)
            told += f"{f'{ours:.2f} / {bare:.2f} = {ours / bare:.2f}':>24}"
            taken.append(ours * bars)
            rate = 1_000.0 * trades / bars
            told += "" if agree else " UNEQUAL"
        slope = float(np.polyfit(np.log(lengths), np.log(taken), 1)[0]) if len(lengths) > 1 else np.nan
        print(f"{name:36}{told}  {slope:.2f}  {rate:.0f}", flush=True)
