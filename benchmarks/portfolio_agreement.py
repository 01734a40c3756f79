"""Portfolios trade by trade beside two peers: the same weights on the same prices must give the same orders.

Four instruments of 1,500 made-up days; fixed weights rebalanced monthly, inverse volatility weekly, the two
strongest of four monthly, and a pair long and short that changes when its spread does. Filled at the close.

- bt: `WeighTarget` and `Rebalance` on the days of the instructions, units in fractions.
- vectorbt: `from_orders` with `targetpercent`, one group with shared cash, sales before purchases.

Where we differ on purpose:

- A weight is a share of what is left after the costs of its rebalancing; the peers take it of the account
  before them. So weights are compared without costs, and with fees and slippage vectorbt is given our units.
- An instruction is traded even where the weight is that of before: the position has drifted. The peers are
  given the same days.
- At the last time everything is closed (`end_of_data`); the peers leave it open. So the last orders are left
  out, and the equity is compared up to the day before.

Needs `bt` and `vectorbt` beside ThreadX's requirements; exit code 0 when all agrees to 1e-9.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import bt
import numpy as np
import pandas as pd
import vectorbt as vbt

from backtest import Costs, portfolio, weights
from tests.prices import made_up_prices

TOLERANCE = 1e-9
CAPITAL = 10_000.0
NAMES = ("AAA", "BBB", "CCC", "DDD")
COSTS = Costs(fee_bps=10, slippage_bps=5)


def markets() -> dict[str, pd.DataFrame]:
    """Four instruments on the same days."""
    days = pd.bdate_range("2018-01-01", periods=1_500, name="time")
    return {
        name: made_up_prices(1_500, seed=seed).set_axis(days) for seed, name in enumerate(NAMES, start=21)
    }


def plans(closes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Target weights by name; rows without an instruction are left out."""
    fixed = pd.DataFrame([[0.4, 0.3, 0.2, 0.1]] * len(closes), closes.index, closes.columns)
    pair = weights.pair(closes, "AAA", "BBB", 60).reindex(columns=closes.columns).fillna(0.0)
    found = {
        "fixed weights, monthly": weights.rebalanced(fixed, "month"),
        "inverse volatility, weekly": weights.rebalanced(weights.inverse_volatility(closes, 20), "week"),
        "two strongest of four, monthly": weights.rebalanced(weights.top(closes.pct_change(120), 2), "month"),
        "a pair, long and short": pair[pair.ne(pair.shift()).any(axis=1)],
    }
    return {name: table.dropna(how="all") for name, table in found.items()}


def traded(found: portfolio.PortfolioResult) -> pd.DataFrame:
    """Our units by day and instrument, 0 where nothing is traded; what closes the account is left out."""
    orders = found.orders[found.orders["reason"] == "signal"]
    table = orders.pivot_table(index="time", columns="instrument", values="units", aggfunc="sum")
    return table.reindex(index=found.index, columns=list(NAMES)).fillna(0.0)


def furthest(ours: pd.DataFrame | pd.Series, theirs: pd.DataFrame | pd.Series) -> float:
    """Largest difference, relative to the largest figure of theirs."""
    mine, other = ours.to_numpy(float), theirs.to_numpy(float)
    return float(np.max(np.abs(mine - other)) / max(1.0, float(np.abs(other).max())))


def beside_bt(closes: pd.DataFrame, plan: pd.DataFrame, found: portfolio.PortfolioResult) -> dict[str, float]:
    """Largest differences to bt, by what is compared."""
    steps = [bt.algos.RunOnDate(*plan.index), bt.algos.WeighTarget(plan), bt.algos.Rebalance()]
    tested = bt.Backtest(
        bt.Strategy("plan", steps),
        closes,
        initial_capital=CAPITAL,
        integer_positions=False,
        progress_bar=False,
    )
    done = bt.run(tested)
    theirs = done.get_transactions()["quantity"].unstack("Security")
    theirs = theirs.reindex(index=closes.index, columns=list(NAMES)).fillna(0.0)
    account = done.backtests["plan"].strategy.values.reindex(closes.index)
    return _differences(found, theirs, account)


def beside_vectorbt(
    closes: pd.DataFrame, plan: pd.DataFrame, found: portfolio.PortfolioResult
) -> dict[str, float]:
    """Largest differences to vectorbt, by what is compared."""
    done = vbt.Portfolio.from_orders(
        closes,
        size=plan.reindex(closes.index),
        size_type="targetpercent",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        init_cash=CAPITAL,
    )
    return _differences(found, _orders_of(done, closes), done.value())


def at_our_units(closes: pd.DataFrame, found: portfolio.PortfolioResult) -> dict[str, float]:
    """With fees and slippage, vectorbt told our units: prices, fees and account must be the same."""
    done = vbt.Portfolio.from_orders(
        closes,
        size=found.units.where(traded(found) != 0.0),
        size_type="targetamount",
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        init_cash=CAPITAL,
        fees=COSTS.fee_bps / 1e4,
        slippage=COSTS.slippage_bps / 1e4,
    )
    theirs = done.orders.records_readable.sort_values(["Timestamp", "Column"]).reset_index(drop=True)
    ours = found.orders[found.orders["reason"] == "signal"]
    ours = ours.sort_values(["time", "instrument"]).reset_index(drop=True)
    assert len(ours) == len(theirs)
    return {
        **_differences(found, _orders_of(done, closes), done.value()),
        "fill price": furthest(ours["price"], theirs["Price"]),
        "fee": furthest(ours["fee"], theirs["Fees"]),
    }


def _orders_of(done: vbt.Portfolio, closes: pd.DataFrame) -> pd.DataFrame:
    told = done.orders.records_readable
    signed = told["Size"].where(told["Side"] == "Buy", -told["Size"])
    table = told.assign(units=signed).pivot_table(
        index="Timestamp", columns="Column", values="units", aggfunc="sum"
    )
    return table.reindex(index=closes.index, columns=list(NAMES)).fillna(0.0)


def _differences(
    found: portfolio.PortfolioResult, theirs: pd.DataFrame, account: pd.Series
) -> dict[str, float]:
    ours = traded(found).iloc[:-1]
    return {
        "orders": int((ours != 0.0).to_numpy().sum()),
        "units": furthest(ours, theirs.iloc[:-1]),
        "equity": furthest(found.equity.iloc[:-1], account.iloc[:-1]),
    }


def main() -> int:
    """Print the differences; 0 when all are within the tolerance."""
    prices = markets()
    closes = portfolio.closes(prices)
    print(f"{platform.machine()}, Python {platform.python_version()}, {pd.Timestamp.now().date()}")
    agreed = True
    for name, plan in plans(closes).items():
        free = portfolio.run_portfolio(prices, plan, fill="close", initial_capital=CAPITAL)
        paid = portfolio.run_portfolio(prices, plan, COSTS, fill="close", initial_capital=CAPITAL)
        for peer, differences in (
            (f"bt {version('bt')}", beside_bt(closes, plan, free)),
            (f"vectorbt {version('vectorbt')}", beside_vectorbt(closes, plan, free)),
            (f"vectorbt {version('vectorbt')}, our units, fees and slippage", at_our_units(closes, paid)),
        ):
            print(f"\n{name}; {peer}: {differences.pop('orders')} orders")
            for what, figure in differences.items():
                agreed &= figure <= TOLERANCE
                print(f"  {what:<12}{figure:.1e}")
    print("\nagreed to 1e-9" if agreed else "\nNOT agreed")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
