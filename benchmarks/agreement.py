"""Trade by trade beside three peers: the same signals on the same prices must give the same trades.

- backtesting.py, `fill="next_open"`: its own documentation's example (GOOG, SMA 10/20, $10,000, always in the
  market long or short, whole units, 0.2 % commission a side).
- vectorbt, `fill="close"`, its stops: 20,000 made-up bars with gaps, SMA 5/20 or signals at random, long or
  short, with stop, target and trailing stop read from open, high and low, fees and slippage on every fill.
- backtrader: the values that its own tests publish for SMA(15) on daily prices of 2006, one unit a time. The
  prices are `datas/2006-day-001.txt` of its public repository (mementum/backtrader); name that file with
  `--backtrader-prices`, else this part is left out. Of the package nothing is run.

Where we differ on purpose:

- A position that is open at the end is closed at the last close and pays its fee (`end_of_data`);
  backtesting.py leaves it out of its trades, vectorbt and backtrader count it open, without the exit's fee.
  So the last trade is compared up to its entry, and the equity up to that fee.
- After a stop within a bar the close of that bar may signal a new entry; vectorbt reads no signal on such a
  bar. Such entries are taken out of the signals of both, and counted.
- At an open beyond the target we take the target, whatever the bar does later; vectorbt looks for the stop in
  the whole bar before it looks for the target. Such trades are counted and must be the only ones that differ:
  their entries are taken out of the signals of both.
- vectorbt has one stop for each position, fixed or trailing; we take both at a time. It measures stops from
  the close by default; here it is told to measure from the fill price, and to slip at stops as anywhere else.

Needs `backtesting` and `vectorbt` beside ThreadX's requirements; exit code 0 when all agrees to 1e-9.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG, SMA

from backtest import Costs, StrategySpec, run_backtest
from tests.backtest_scripts import scripted
from tests.prices import made_up_prices

TOLERANCE = 1e-9
ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8
WITHIN_A_BAR = ("stop", "target", "trailing_stop")


class SmaCross(Strategy):
    """The example of the peer's documentation."""

    def init(self):
        """Both averages."""
        self.fast = self.I(SMA, self.data.Close, 10)
        self.slow = self.I(SMA, self.data.Close, 20)

    def next(self):
        """Long above, short below."""
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.sell()


def furthest(ours: pd.Series, theirs: pd.Series) -> float:
    """Largest relative difference of two columns."""
    mine, other = ours.to_numpy(float), theirs.to_numpy(float)
    return float(np.max(np.abs(mine - other) / np.maximum(np.abs(other), 1.0)))


def beside_backtesting_py() -> dict[str, float]:
    """Largest differences to backtesting.py, by column."""
    stats = Backtest(GOOG, SmaCross, cash=10_000, commission=0.002, exclusive_orders=True).run()
    theirs = stats["_trades"]
    spec = StrategySpec(
        name="always in the market",
        entry_long="crosses_above(sma(close, 10), sma(close, 20))",
        entry_short="crosses_below(sma(close, 10), sma(close, 20))",
        sizing={"whole_units": True},
    )
    result = run_backtest(GOOG, spec, costs=Costs(fee_bps=20), fill="next_open", initial_capital=10_000)
    ours = result.trades.iloc[:-1]
    last = result.trades.iloc[-1]
    assert last["exit_reason"] == "end_of_data", "the last trade is the one they leave open"
    assert len(ours) == len(theirs)
    assert (ours["entry_time"].to_numpy() == theirs["EntryTime"].to_numpy()).all()
    assert (ours["exit_time"].to_numpy() == theirs["ExitTime"].to_numpy()).all()
    closing_fee = last["size"] * last["exit_price"] * 0.002
    final = pd.Series([result.equity.iloc[-1] + closing_fee])
    return {
        "trades": len(ours),
        "entry price": furthest(ours["entry_price"], theirs["EntryPrice"]),
        "exit price": furthest(ours["exit_price"], theirs["ExitPrice"]),
        "size": furthest(ours["size"], theirs["Size"].abs()),
        "profit": furthest(ours["pnl"], theirs["PnL"]),
        "final equity": furthest(final, pd.Series([stats["Equity Final [$]"]])),
        "drawdown": furthest(
            pd.Series([result.metrics.max_drawdown]), pd.Series([stats["Max. Drawdown [%]"] / 100])
        ),
    }


@dataclass(frozen=True, kw_only=True)
class Stops:
    """One comparison with vectorbt: our settings of risk, its arguments for the same."""

    name: str
    risk: dict[str, float]
    arguments: dict[str, Any]
    side: str = "long"
    at_random: bool = False
    costs: dict[str, float] = field(default_factory=lambda: {"fee_bps": 10.0})


STOPS = [
    Stops(name="stop 2 %", risk={"stop_loss_pct": 2.0}, arguments={"sl_stop": 0.02}),
    Stops(name="target 3 %", risk={"take_profit_pct": 3.0}, arguments={"tp_stop": 0.03}),
    Stops(
        name="stop 2 %, target 3 %, slippage",
        risk={"stop_loss_pct": 2.0, "take_profit_pct": 3.0},
        arguments={"sl_stop": 0.02, "tp_stop": 0.03},
        costs={"fee_bps": 10.0, "slippage_bps": 5.0},
    ),
    Stops(
        name="trailing stop 3 %",
        risk={"trailing_stop_pct": 3.0},
        arguments={"sl_stop": 0.03, "sl_trail": True},
    ),
    Stops(
        name="trailing stop 1.5 %, target 4 %, fixed fee",
        risk={"trailing_stop_pct": 1.5, "take_profit_pct": 4.0},
        arguments={"sl_stop": 0.015, "sl_trail": True, "tp_stop": 0.04},
        costs={"fee_bps": 1.0, "fee_fixed": 0.1},
    ),
    Stops(
        name="short, stop 2 %, target 3 %, slippage",
        risk={"stop_loss_pct": 2.0, "take_profit_pct": 3.0},
        arguments={"sl_stop": 0.02, "tp_stop": 0.03},
        side="short",
        costs={"fee_bps": 2.0, "slippage_bps": 1.0},
    ),
    Stops(
        name="short, trailing stop 3 %",
        risk={"trailing_stop_pct": 3.0},
        arguments={"sl_stop": 0.03, "sl_trail": True},
        side="short",
        costs={"fee_bps": 2.0},
    ),
    Stops(
        name="signals at random, stop and target 1 %",
        risk={"stop_loss_pct": 1.0, "take_profit_pct": 1.0},
        arguments={"sl_stop": 0.01, "tp_stop": 0.01},
        at_random=True,
        costs={"fee_bps": 1.0},
    ),
    Stops(
        name="short, signals at random, stop and target 1 %",
        risk={"stop_loss_pct": 1.0, "take_profit_pct": 1.0},
        arguments={"sl_stop": 0.01, "tp_stop": 0.01},
        side="short",
        at_random=True,
        costs={"fee_bps": 1.0},
    ),
]


def prices_with_gaps(rows: int, seed: int) -> pd.DataFrame:
    """Made-up prices whose opens leave the last close by 0.6 % on average, enough to jump over levels."""
    prices = made_up_prices(rows, seed=seed)
    gaps = np.random.default_rng(seed).normal(0.0, 0.0075, rows)
    prices["open"] *= 1.0 + gaps
    prices["high"] = prices[["open", "high"]].max(axis=1)
    prices["low"] = prices[["open", "low"]].min(axis=1)
    return prices


def drop_what_differs_on_purpose(prices: pd.DataFrame, codes: np.ndarray, case: Stops) -> tuple[int, int]:
    """Take the entries out of `codes` after which the rules differ: how many of each kind.

    First kind: an entry at the close of a bar within which a position was stopped. Second: an entry whose
    target is passed by an open of a bar that also reaches the stop.
    """
    enter = ENTER_LONG if case.side == "long" else ENTER_SHORT
    away = 1.0 if case.side == "long" else -1.0
    dropped = [0, 0]
    while True:
        trades = run_scripted(prices, codes, case).trades
        entered = prices.index.get_indexer(pd.DatetimeIndex(trades["entry_time"]))
        left = prices.index.get_indexer(pd.DatetimeIndex(trades["exit_time"]))
        within = trades["exit_reason"].isin(WITHIN_A_BAR).to_numpy()
        same_bar = np.intersect1d(left[within], entered)
        worst = prices["low" if case.side == "long" else "high"].to_numpy()[left]
        target = trades["entry_price"] * (1.0 + away * case.risk.get("take_profit_pct", np.inf) / 100.0)
        stop = trades["entry_price"] * (1.0 - away * case.risk.get("stop_loss_pct", 100.0) / 100.0)
        jumped = trades["exit_reason"].eq("target") & (away * (prices["open"].to_numpy()[left] - target) >= 0)
        both = entered[(jumped & (away * (worst - stop) <= 0)).to_numpy()]
        if not same_bar.size and not both.size:
            return dropped[0], dropped[1]
        dropped[0] += same_bar.size
        dropped[1] += both.size
        codes[np.union1d(same_bar, both)] &= ~np.uint8(enter)


def run_scripted(prices: pd.DataFrame, codes: np.ndarray, case: Stops) -> Any:
    """Our backtest of signals that are written down bar by bar."""
    return run_backtest(
        prices.assign(volume=codes.astype(float)), scripted(case.risk), Costs(**case.costs), fill="close"
    )


def beside_vectorbt(case: Stops) -> dict[str, float]:
    """Largest differences to vectorbt, by column."""
    prices = prices_with_gaps(20_000, seed=3)
    fast, slow = prices["close"].rolling(5).mean(), prices["close"].rolling(20).mean()
    above = ((fast > slow) & (fast.shift() <= slow.shift())).to_numpy()
    below = ((fast < slow) & (fast.shift() >= slow.shift())).to_numpy()
    enter, leave = (ENTER_LONG, EXIT_LONG) if case.side == "long" else (ENTER_SHORT, EXIT_SHORT)
    first, second = (above, below) if case.side == "long" else (below, above)
    if case.at_random:
        thrown = np.random.default_rng(5).random(len(prices))
        first, second = thrown < 0.3, thrown > 0.95
    codes = (first * enter + second * leave).astype(np.uint8)
    same_bar, both = drop_what_differs_on_purpose(prices, codes, case)
    result = run_scripted(prices, codes, case)
    fee = case.costs["fee_bps"] / 1e4
    fixed = case.costs.get("fee_fixed", 0.0)
    portfolio = vbt.Portfolio.from_signals(
        prices["close"],
        (codes & enter) != 0,
        (codes & leave) != 0,
        size=1.0,
        size_type="percent",
        direction=f"{case.side}only",
        open=prices["open"],
        high=prices["high"],
        low=prices["low"],
        stop_entry_price="FillPrice",
        stop_exit_price="StopMarket",
        fees=fee,
        fixed_fees=fixed,
        slippage=case.costs.get("slippage_bps", 0.0) / 1e4,
        init_cash=10_000,
        freq="1h",
        **case.arguments,
    )
    theirs = portfolio.trades.records_readable
    ours = result.trades
    assert len(ours) == len(theirs), (case.name, len(ours), len(theirs))
    assert (ours["entry_time"].to_numpy() == pd.to_datetime(theirs["Entry Timestamp"]).to_numpy()).all()
    assert (ours["exit_time"].to_numpy() == pd.to_datetime(theirs["Exit Timestamp"]).to_numpy()).all()
    last = ours.iloc[-1]
    final = result.equity.iloc[-1]
    if last["exit_reason"] == "end_of_data":
        slip = case.costs.get("slippage_bps", 0.0) / 1e4
        away = 1.0 if case.side == "long" else -1.0
        close = last["exit_price"] / (1.0 - away * slip)
        final += last["size"] * (last["exit_price"] * fee + abs(close - last["exit_price"])) + fixed
        ours, theirs = ours.iloc[:-1], theirs.iloc[:-1]
    counts = ours["exit_reason"].value_counts()
    return {
        "trades": len(ours),
        **{f"exits by {reason}": int(counts.get(reason, 0)) for reason in ("signal", *WITHIN_A_BAR)},
        "dropped, entry on the bar of a stop": same_bar,
        "dropped, open beyond the target, then the stop": both,
        "entry price": furthest(ours["entry_price"], theirs["Avg Entry Price"]),
        "exit price": furthest(ours["exit_price"], theirs["Avg Exit Price"]),
        "size": furthest(ours["size"], theirs["Size"]),
        "return": furthest(ours["return"], theirs["Return"]),
        "final equity": furthest(pd.Series([final]), pd.Series([portfolio.final_value()])),
    }


# tests/test_strategy_unoptimized.py of backtrader 1.9.78: prices of buys and sells, at the next open.
BACKTRADER_BUYS = [
    3643.35, 3801.03, 3872.37, 3863.57, 3845.32, 3656.43,
    3542.65, 3639.65, 3799.86, 3840.20, 4047.63, 4052.55,
]  # fmt: skip
BACKTRADER_SELLS = [
    3763.95, 3811.85, 3822.35, 3822.57, 3829.82, 3598.58, 3545.92, 3766.80, 3782.15, 3979.73, 4045.05,
]  # fmt: skip
BACKTRADER_VALUE = 10_284.10
BACKTRADER_CASH = 6_164.16


def beside_backtrader(path: str) -> dict[str, float]:
    """Largest differences to what backtrader's own tests publish, by figure."""
    prices = pd.read_csv(path, parse_dates=["Date"], index_col="Date").loc[:"2006-12-31"]
    spec = StrategySpec(
        name="SMA(15)",
        entry_long="crosses_above(close, sma(close, 15))",
        exit_long="crosses_below(close, sma(close, 15))",
        # Between one and two units at any price of that year.
        sizing={"fixed_amount": 5_000.0, "whole_units": True},
    )
    result = run_backtest(prices, spec)
    last = result.trades.iloc[-1]
    assert last["exit_reason"] == "end_of_data", "the last trade is the one they leave open"
    assert (result.trades["size"] == 1.0).all()
    final = result.equity.iloc[-1]
    return {
        "trades": len(result.trades) - 1,
        "entry price": furthest(result.trades["entry_price"], pd.Series(BACKTRADER_BUYS)),
        "exit price": furthest(result.trades["exit_price"].iloc[:-1], pd.Series(BACKTRADER_SELLS)),
        "final equity": furthest(pd.Series([final]), pd.Series([BACKTRADER_VALUE])),
        "final cash": furthest(pd.Series([final - last["exit_price"]]), pd.Series([BACKTRADER_CASH])),
    }


def main() -> int:
    """Print the differences; 0 when all are within the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backtrader-prices", metavar="FILE", help="datas/2006-day-001.txt of backtrader")
    asked = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {pd.Timestamp.now().date()}")
    found = [(f"backtesting.py {version('backtesting')}, next_open", beside_backtesting_py())]
    found += [
        (f"vectorbt {version('vectorbt')}, close, {case.name}", beside_vectorbt(case)) for case in STOPS
    ]
    if asked.backtrader_prices:
        found.append(("backtrader's tests, SMA(15)", beside_backtrader(asked.backtrader_prices)))
    agreed = True
    for peer, differences in found:
        print(f"\n{peer}: {differences.pop('trades')} trades, entry and exit bars the same")
        for name, figure in differences.items():
            if name.startswith(("exits by", "dropped")):
                if figure:
                    print(f"  {name}: {figure}")
                continue
            agreed &= bool(figure <= TOLERANCE)
            print(f"  {name:<14}{figure:.1e}")
    print("\nagreed to 1e-9" if agreed else "\nNOT agreed")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
