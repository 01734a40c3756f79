"""Target weights of many instruments in, one account with shared capital out.

from backtest import portfolio, weights
targets = weights.rebalanced(weights.inverse_volatility(portfolio.closes(prices), 20), "month")
portfolio.run_portfolio(prices, targets, costs=Costs(fee_bps=5)).metrics.sharpe_ratio

The rules are those of `backtest.kernels.accounts.hold_weights`: a weight stamped with a bar's time is known
at that bar's close and traded at the next open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.prices import read_prices
from backtest.data.together import CommonClock, Instruments, by_name, common_clock, instrument
from backtest.data.year import BarsPerYear, bars_per_year
from backtest.engine.run import Market, open_market
from backtest.errors import RequestError
from backtest.kernels.accounts import (
    ORDER_FEE,
    ORDER_PRICE,
    ORDER_REASON,
    ORDER_ROW,
    ORDER_UNITS,
    ORDER_WHICH,
    Limits,
    Panel,
    hold_weights,
    new_account,
)
from backtest.kernels.simulation import (
    BARS,
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    EXIT_REASONS,
    FIGURES,
    METRICS,
    PROFIT,
    REASON,
    SIDE,
    SIZE,
    Floats,
    measure,
)
from backtest.statistics.returns import bar_returns
from backtest.types import AccountLost, Costs, Fill, Metrics
from base.reasons import told_known

MOST_LEVERAGE = 125.0
_EXPOSURE = METRICS.index("exposure")
_ROUNDING = 1e-9
_REASONS = np.array(EXIT_REASONS)


@dataclass(frozen=True, kw_only=True, repr=False)
class PortfolioResult:
    """What target weights did with one account.

    Attributes:
        costs: what trading cost.
        fill: where orders were filled.
        initial_capital: cash before the first time.
        bars_per_year: of the common clock.
        metrics: of the account, as of a backtest. A trade goes from a position's opening to its closing, its
            size is all that was opened, its prices are means; `exposure` is the share of times with any
            position.
        instruments: their names, in order.
        index: the common clock: times at which at least one instrument has a bar.
        equity: value of the account at each time.
        units: times × instruments, held after everything at that time.
        closes: times × instruments, NaN where an instrument has no bar.
        carried: cash paid for borrowing and funding, by instrument; negative was received.
        instructions_unaffordable: instructions dropped because the account could not pay what they cost.
        trade_values: rows as `backtest.kernels.simulation` writes them.
        traded: of each row the place of its instrument.
        order_values: rows as `backtest.kernels.accounts` writes them.
    """

    costs: Costs
    fill: Fill
    initial_capital: float
    bars_per_year: BarsPerYear
    metrics: Metrics
    instruments: tuple[str, ...]
    index: pd.DatetimeIndex
    equity: pd.Series
    units: pd.DataFrame
    closes: pd.DataFrame
    carried: pd.Series
    instructions_unaffordable: int
    trade_values: Floats
    traded: NDArray[np.int64]
    order_values: Floats

    def __repr__(self) -> str:
        """One line: how many instruments, and the figures that come first."""
        told = f"total_return={self.metrics.total_return:.4g}, max_drawdown={self.metrics.max_drawdown:.4g}"
        return f"<{type(self).__name__} of {len(self.instruments)}: {told}>"

    @property
    def not_taken(self) -> dict[str, int]:
        """Instructions that were dropped, by why."""
        return {"instructions_unaffordable": self.instructions_unaffordable}

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Share of the account that each position is worth, at last known closes; 0 of a lost account."""
        value = self.units * self.closes.ffill().fillna(0.0)
        return value.div(self.equity.where(self.equity > 0.0, math.inf), axis=0)

    @cached_property
    def excess(self) -> Floats:
        """At each time what was earned over holding each instrument at its average weight; the first is 0."""
        moves = self.closes.ffill().pct_change().fillna(0.0)
        held = moves.to_numpy() @ self.weights.mean().to_numpy()
        found: Floats = bar_returns(self.equity, self.initial_capital) - held
        found[0] = 0.0
        return found

    @cached_property
    def by_instrument(self) -> pd.DataFrame:
        """A row an instrument: `bars`, `missing`, `average_weight`, `n_trades`, `pnl`, `fees` and `carried`.

        Sums are in cash. `pnl` is that of the trades, fees and what was carried included.
        """
        trades, orders = self.trades.groupby("instrument"), self.orders.groupby("instrument")
        found = pd.DataFrame(
            {
                "bars": self.closes.notna().sum(),
                "missing": self.missing,
                "average_weight": self.weights.mean(),
                "n_trades": trades.size(),
                "pnl": trades["pnl"].sum(),
                "fees": orders["fee"].sum(),
                "carried": self.carried,
            }
        ).reindex(list(self.instruments))
        found.index.name = "instrument"
        return found.fillna(0.0).astype({"bars": np.int64, "missing": np.int64, "n_trades": np.int64})

    @cached_property
    def missing(self) -> pd.Series:
        """By instrument, times between its first and its last bar at which it has none."""
        there = self.closes.notna()
        listed = there.cummax() & there[::-1].cummax()[::-1]
        return (listed & ~there).sum().rename("missing")

    @cached_property
    def account_lost(self) -> AccountLost | None:
        """Where the account was lost; nothing is traded after it. None where it survived."""
        if self.equity.iloc[-1] > 0.0:
            return None
        last = self.trade_values[-1]
        bar = int(last[EXIT_BAR])
        return AccountLost(bar=bar, time=self.index[bar], price=float(last[EXIT_PRICE]))

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row an order, in the order of fills.

        Columns: time, instrument, units (sold ones negative), price (slippage included), fee, reason
        (`signal` is an instruction).
        """
        rows = self.order_values
        return pd.DataFrame(
            {
                "time": self.index.take(rows[:, ORDER_ROW].astype(np.int64)),
                "instrument": np.array(self.instruments, dtype=object)[rows[:, ORDER_WHICH].astype(np.int64)],
                "units": rows[:, ORDER_UNITS],
                "price": rows[:, ORDER_PRICE],
                "fee": rows[:, ORDER_FEE],
                "reason": _REASONS[rows[:, ORDER_REASON].astype(np.int64)],
            }
        )

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row a trade, in the order of exits: the instrument, then as `BacktestResult.trades`.

        `bars` counts times of the common clock.
        """
        rows = self.trade_values
        return pd.DataFrame(
            {
                "instrument": np.array(self.instruments, dtype=object)[self.traded],
                "side": np.where(rows[:, SIDE] < 0.0, "short", "long"),
                "entry_time": self.index.take(rows[:, ENTRY_BAR].astype(np.int64)),
                "entry_price": rows[:, ENTRY_PRICE],
                "exit_time": self.index.take(rows[:, EXIT_BAR].astype(np.int64)),
                "exit_price": rows[:, EXIT_PRICE],
                "size": rows[:, SIZE],
                "pnl": rows[:, PROFIT],
                "return": rows[:, PROFIT] / (rows[:, SIZE] * rows[:, ENTRY_PRICE]),
                "exit_reason": _REASONS[rows[:, REASON].astype(np.int64)],
                "bars": rows[:, BARS].astype(np.int64),
            }
        )


def closes(instruments: Instruments) -> pd.DataFrame:
    """Closes of many instruments on their common clock: times × instruments, NaN where one has no bar.

    Args:
        instruments: prices by name, each as `validate_prices` takes them.

    Raises:
        RequestError: `no_instruments`, `not_by_name`, `instrument_timeframe`,
            `instrument_time_zone`, `instrument_refused`.
    """
    found, indexes = {}, {}
    for name, df in by_name(instruments, "instruments"):
        with instrument(name):
            prices, indexes[name] = read_prices(df)
            found[name] = prices.close
    clock = common_clock(indexes)
    return pd.DataFrame(
        {name: clock.spread(name, values) for name, values in found.items()}, index=clock.times
    )


def run_portfolio(
    instruments: Instruments,
    weights: pd.DataFrame,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    *,
    max_leverage: float = 1.0,
    cash_yield_pct: float = 0.0,
    whole_units: bool = False,
) -> PortfolioResult:
    """Trade target weights of many instruments with one account.

    Args:
        instruments: prices by name, each as `validate_prices` takes them; a column `funding_rate` and marks
            of bars that were made up count as in `run_backtest`.
        weights: times × instruments: the share of the account that a position shall be worth, negative for a
            short, 0 for none. NaN gives no instruction: the position stays, and its share drifts. Each row
            stands at a time at which some instrument has a bar, and is known at that bar's close. An
            instrument without a column is never traded.
        costs: as in `run_backtest`, paid at each instrument's own fills and bars; interest is due where longs
            are worth more than the account.
        fill: `next_open` trades at the next open of each instrument, `close` at the row's own close.
        periods_per_year: bars a year of the common clock; inferred when None.
        initial_capital: cash at the start, in the currency of all prices.
        max_leverage: value of all positions at most, shorts counted as positive, in multiples of the account;
            1 to 125.
        cash_yield_pct: percent a year that own money in no long earns, from time to time of the clock.
        whole_units: trade whole units only, rounded towards zero.

    Raises:
        RequestError: `no_instruments`, `not_by_name`, `instrument_timeframe`,
            `instrument_time_zone`, `instrument_refused` with the reason;
            `weights_unusable`, `weights_unknown_instrument`, `weights_off_clock`, `weights_infinite`,
            `weights_too_large`, `weights_empty`; `bad_request`, `unknown_fill`, `unknown_periodicity`.
    """
    costs = costs or Costs()
    if not 1.0 <= max_leverage <= MOST_LEVERAGE:
        raise RequestError("bad_request", name="max_leverage", value=f"{max_leverage:g}")
    if not 0.0 <= cash_yield_pct < math.inf:
        raise RequestError("bad_request", name="cash_yield_pct", value=f"{cash_yield_pct:g}")
    markets: dict[str, Market] = {}
    for name, df in by_name(instruments, "instruments"):
        with instrument(name):
            markets[name] = open_market(df, costs, fill, periods_per_year, initial_capital, None)
    clock = common_clock({name: market.index for name, market in markets.items()})
    year = bars_per_year(clock.times, periods_per_year)
    targets = _targets(weights, clock, max_leverage)
    panel = _panel(markets, clock, impact=costs.slippage_atr > 0.0)
    first = next(iter(markets.values()))
    terms = first.terms._replace(
        interest=costs.interest_pct_per_year / 100.0 / year.value, periods_per_year=float(year.value)
    )
    account = new_account(len(clock.times), len(markets), int((~np.isnan(targets)).sum()))
    limits = Limits(
        leverage=float(max_leverage),
        cash_yield=cash_yield_pct / 100.0 / year.value,
        whole=bool(whole_units),
    )
    hold_weights(panel, targets, terms, limits, account)
    orders, trades, exposed, unpaid = account.counts.tolist()
    values = np.empty(FIGURES)
    measure(account.equity, terms.capital, account.trades, trades, terms.periods_per_year, values)
    values[_EXPOSURE] = exposed / len(clock.times)
    names = pd.Index(markets)
    return PortfolioResult(
        costs=costs,
        fill=fill,
        initial_capital=terms.capital,
        bars_per_year=year,
        metrics=Metrics.from_values(values.tolist()),
        instruments=tuple(markets),
        index=clock.times,
        equity=pd.Series(account.equity, index=clock.times, name="equity"),
        units=pd.DataFrame(account.units, index=clock.times, columns=names),
        closes=pd.DataFrame(panel.close, index=clock.times, columns=names),
        carried=pd.Series(account.carried, index=names, name="carried"),
        instructions_unaffordable=unpaid,
        trade_values=account.trades[:trades].copy(),
        traded=account.traded[:trades].copy(),
        order_values=account.orders[:orders].copy(),
    )


def _panel(markets: dict[str, Market], clock: CommonClock, *, impact: bool) -> Panel:
    """Prices and charges on the clock; without impact there is none, whether or not there is a bar."""
    shape = len(clock.times), len(markets)
    panel = Panel(
        open=np.full(shape, np.nan),
        close=np.full(shape, np.nan),
        impact=np.full(shape, np.nan if impact else 0.0),
        funding=np.zeros(shape),
    )
    for place, (name, market) in enumerate(markets.items()):
        rows = clock.rows[name]
        panel.open[rows, place] = market.traded.open
        panel.close[rows, place] = market.traded.close
        if market.charges.impact.size:
            panel.impact[rows, place] = market.charges.impact
        if market.charges.funding.size:
            panel.funding[rows, place] = market.charges.funding
    return panel


def _targets(weights: pd.DataFrame, clock: CommonClock, max_leverage: float) -> Floats:
    """Instructions on the clock, t × n.

    Raises:
        RequestError: as `run_portfolio`.
    """
    if not isinstance(weights, pd.DataFrame) or not isinstance(weights.index, pd.DatetimeIndex):
        raise RequestError("weights_unusable")
    unknown = [str(name) for name in weights.columns if name not in clock.rows]
    if unknown or not weights.columns.is_unique:
        name = unknown[0] if unknown else str(weights.columns[weights.columns.duplicated()][0])
        raise RequestError("weights_unknown_instrument", name=name, known=told_known(name, list(clock.rows)))
    index = weights.index
    if (index.tz is None) != (clock.times.tz is None):
        raise RequestError("instrument_time_zone", name="weights")
    index = (index if index.tz is None else index.tz_convert(clock.times.tz)).as_unit("ns")
    rows = clock.times.get_indexer(index)
    back = np.flatnonzero(np.diff(rows) <= 0)
    off = np.flatnonzero(rows < 0)
    if off.size or back.size:
        row = int(off[0]) if off.size else int(back[0]) + 1
        raise RequestError("weights_off_clock", row=row + 1, time=str(index[row]))
    try:
        values = weights.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):  # words, or no figures at all
        raise RequestError("weights_unusable") from None
    if np.isinf(values).any():
        row = int(np.isinf(values).any(axis=1).argmax())
        raise RequestError("weights_infinite", time=index[row].isoformat())
    if np.isnan(values).all():
        raise RequestError("weights_empty")
    gross = pd.DataFrame(values).ffill().abs().sum(axis=1).to_numpy()
    row = int(gross.argmax())
    if gross[row] > max_leverage * (1.0 + _ROUNDING):
        raise RequestError(
            "weights_too_large",
            time=index[row].isoformat(),
            value=float(f"{gross[row]:.6g}"),
            limit=float(max_leverage),
        )
    found = np.full((len(clock.times), len(clock.rows)), np.nan)
    found[np.ix_(rows, pd.Index(clock.rows).get_indexer(weights.columns))] = values
    return found
