"""Trade by trade beside two peers: the same signals on the same prices must give the same trades.

- backtesting.py, `fill="next_open"`: its own documentation's example (GOOG, SMA 10/20, $10,000, always in the
  market long or short, whole units, 0.2 % commission a side).
- vectorbt, `fill="close"`: 20,000 made-up bars, SMA 5/20, stop 2 % read from high and low, 0.1 % a side.

Where we differ on purpose: a position that is open at the end is closed at the last close and pays its fee
(`end_of_data`); backtesting.py leaves it out of its trades, vectorbt counts it open, without the exit's fee.
So the last trade is compared up to its entry, and the equity up to that fee.

Needs `backtesting` and `vectorbt` beside ThreadX's requirements; exit code 0 when all agrees to 1e-9.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from backtesting.test import GOOG, SMA

from backtest import BacktestResult, Costs, StrategySpec, run_backtest
from tests.prices import made_up_prices

TOLERANCE = 1e-9


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
        risk={"whole_units": True},
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


def beside_vectorbt() -> dict[str, float]:
    """Largest differences to vectorbt, by column."""
    prices = made_up_prices(20_000, seed=3)
    fast, slow = prices["close"].rolling(5).mean(), prices["close"].rolling(20).mean()
    portfolio = vbt.Portfolio.from_signals(
        prices["close"],
        (fast > slow) & (fast.shift() <= slow.shift()),
        (fast < slow) & (fast.shift() >= slow.shift()),
        open=prices["open"],
        high=prices["high"],
        low=prices["low"],
        sl_stop=0.02,
        fees=0.001,
        init_cash=10_000,
        freq="1h",
    )
    theirs = portfolio.trades.records_readable
    spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
    result: BacktestResult = run_backtest(
        prices, spec, costs=Costs(fee_bps=10), fill="close", initial_capital=10_000
    )
    ours = result.trades
    assert len(ours) == len(theirs)
    assert (ours["entry_time"].to_numpy() == pd.to_datetime(theirs["Entry Timestamp"]).to_numpy()).all()
    assert (ours["exit_time"].to_numpy() == pd.to_datetime(theirs["Exit Timestamp"]).to_numpy()).all()
    last = ours.iloc[-1]
    assert last["exit_reason"] == "end_of_data"
    closing_fee = last["size"] * last["exit_price"] * 0.001
    final = pd.Series([result.equity.iloc[-1] + closing_fee])
    return {
        "trades": len(ours),
        "entry price": furthest(ours["entry_price"], theirs["Avg Entry Price"]),
        "exit price": furthest(ours["exit_price"], theirs["Avg Exit Price"]),
        "size": furthest(ours["size"], theirs["Size"]),
        "return": furthest(ours["return"].iloc[:-1], theirs["Return"].iloc[:-1]),
        "final equity": furthest(final, pd.Series([portfolio.final_value()])),
    }


def main() -> int:
    """Print the differences; 0 when all are within the tolerance."""
    print(f"{platform.machine()}, Python {platform.python_version()}, {pd.Timestamp.now().date()}")
    agreed = True
    for peer, differences in (
        (f"backtesting.py {version('backtesting')}, next_open", beside_backtesting_py()),
        (f"vectorbt {version('vectorbt')}, close", beside_vectorbt()),
    ):
        print(f"\n{peer}: {differences.pop('trades')} trades, entry and exit bars the same")
        for column, difference in differences.items():
            agreed &= difference <= TOLERANCE
            print(f"  {column:<14}{difference:.1e}")
    print("\nagreed to 1e-9" if agreed else "\nNOT agreed")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
