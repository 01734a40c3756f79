"""One backtest: prices and a strategy in, trades, equity and metrics out.

Pure: it counts nothing and hides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.data.inputs import Tables, with_inputs
from backtest.data.prices import made_up_bars, read_funding, read_further, read_prices
from backtest.data.year import BarsPerYear, bars_per_year
from backtest.engine.bank import CODES, IndicatorBank, rows_of
from backtest.errors import RequestError
from backtest.kernels.orders import Levels, Plan, walk
from backtest.kernels.simulation import (
    BARS,
    BELOW_ONE_UNIT,
    ENTER_LONG,
    ENTER_SHORT,
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    EXIT_REASONS,
    FIGURES,
    PROFIT,
    REASON,
    SETTINGS,
    SIDE,
    SIZE,
    TRADE_COLUMNS,
    UNAFFORDABLE,
    Bars,
    Charges,
    Estimates,
    EstimateTable,
    Floats,
    History,
    Layout,
    Signals,
    Terms,
    lay_out,
    measure,
    simulate,
    trade_many,
)
from backtest.kernels.words import Words, pack
from backtest.language.tree import Call, Number, Series
from backtest.strategy import StrategySpec
from backtest.types import (
    SLIPPAGE_ATR_PERIOD,
    AccountLost,
    Costs,
    Fill,
    Metrics,
    Risk,
    Sizing,
    check_fill,
    rungs,
)
from base.labels import shown

if TYPE_CHECKING:
    from backtest.kernels.device import Card

MOST_CAPITAL = 1e15
_TOLD_FIRST = ("total_return", "sharpe_ratio", "max_drawdown", "n_trades")
FUNDINGS_A_YEAR = 365 * 3
"""Times eight hours that a market which never closes has in a year."""


# The kernel's columns, in its order.
SETTING_NAMES = (
    "stop_loss_pct",
    "take_profit_pct",
    "trailing_stop_pct",
    "stop_loss_atr",
    "take_profit_atr",
    "trailing_stop_atr",
    "max_bars",
    "break_even_pct",
    "cooldown_bars",
    "equity_pct",
    "fixed_amount",
    "risk_per_trade_pct",
    "volatility_target_pct",
    "leverage",
    "whole_units",
    "exit_after_bars",
    "exit_above_pct",
    "exit_below_pct",
)
# What is off is 0, but where 0 is a limit like any other.
_OFF = {"exit_above_pct": -math.inf, "exit_below_pct": math.inf}
_NOTHING = np.empty(0)
# A backtest of 50,000 bars takes and frees some 6 MB. glibc hands such memory back to the system at once, and
# fetching it anew costs more than the arithmetic; freeing one large block, never touched, raises its limits
# for the whole process (`man mallopt`, M_MMAP_THRESHOLD). Elsewhere this does nothing.
np.empty(31 * 2**20, dtype=np.uint8)
# Taking from an array of names costs a fifth of making one from Python's strings.
_SIDES = pd.array(["long", "short"], dtype="str")
_REASONS = pd.array(list(EXIT_REASONS), dtype="str")


def kernel_settings(risk: Risk, sizing: Sizing) -> Floats:
    """Settings of risk and sizing in the order of the kernel's columns; 0 is off."""
    found = [getattr(risk if name in Risk.model_fields else sizing, name) for name in SETTING_NAMES]
    return np.array(list(map(kernel_value, SETTING_NAMES, found)))


def kernel_value(name: str, value: float | None) -> float:
    """One setting as the kernel takes it."""
    return _OFF.get(name, 0.0) if value is None else float(value)


def plan_of(levels: Levels, risk: Risk, sizing: Sizing) -> Plan | None:
    """What only `walk` knows of a strategy; None where `simulate` knows all of it."""
    if not (levels.any or risk.roi or risk.scale_out or sizing.max_entries > 1):
        return None
    return Plan(
        levels,
        risk.order_bars or 0,
        sizing.max_entries,
        np.array(rungs(risk.roi)).reshape(-1, 2),
        np.array(rungs(risk.scale_out)).reshape(-1, 2),
    )


class Account(NamedTuple):
    """What a strategy did with an account.

    Attributes:
        equity: its value at each close from the first bar that trades on.
        trades: a row a trade, as `backtest.kernels.simulation` writes them, in the order of exits.
        figures: its metrics and what stands behind them, as `FIGURES` counts them; none where nobody asked.
    """

    equity: Floats
    trades: Floats
    figures: Floats


@dataclass(frozen=True, kw_only=True)
class Market:
    """What does not change from one configuration to the next: prices, costs and the terms of trading.

    Attributes:
        bank: prices and the indicators computed on them so far.
        traded: prices as the kernels trade them: bars that were made up have no open and reach no level.
        index: the bars' times.
        terms: fills, costs and capital, as the kernels take them.
        bars_per_year: bars a year, and where the figure comes from.
        charges: slippage by the average true range and funding, by bar.
        whole: the market that this one is a part of, from its first bar on; None for a whole one.
    """

    bank: IndicatorBank
    traded: Bars
    index: pd.DatetimeIndex
    terms: Terms
    bars_per_year: BarsPerYear
    charges: Charges
    whole: Market | None = None

    @cached_property
    def layout(self) -> Layout:
        """What the fused kernel reads of the prices: half a gigabyte for ten million bars, so not before.

        Blocks may reach beyond the end of a part; they are only bounds.
        """
        if self.whole is None:
            return lay_out(self.traded, self.charges)
        layout, stop = self.whole.layout, len(self.index)
        return layout._replace(floor=layout.floor[:stop], ceiling=layout.ceiling[:stop])

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which lays the prices out faster than it would be sent that."""
        return {name: value for name, value in vars(self).items() if name != "layout"}

    def atr(self, period: float) -> Floats:
        """Average true range."""
        return self.bank.call(Call("atr", (Number(period),)))

    def volatility(self, period: float) -> Floats:
        """Sample standard deviation of the last returns from close to close, a year's, as a fraction."""
        scale = math.sqrt(self.terms.periods_per_year * period / (period - 1.0)) / 100.0
        change = Call("percent_change", (Series("close"), Number(1)))
        return self.bank.call(Call("stddev", (change, Number(period)))) * scale

    def simulate(
        self,
        signals: Signals,
        risk: Risk,
        sizing: Sizing,
        equity: Floats,
        trades: Floats,
        out: Floats = _NOTHING,
    ) -> tuple[int, bool]:
        """Run the kernel; what it writes and returns stands there."""
        return simulate(
            self.traded,
            self.charges,
            self._estimates(risk, sizing),
            signals,
            kernel_settings(risk, sizing),
            self.terms,
            equity,
            trades,
            out,
        )

    def account(
        self, signals: Signals, levels: Levels, risk: Risk, sizing: Sizing, measured: bool = False
    ) -> Account:
        """Trade one strategy, whatever its settings; levels are those of the signals' bars."""
        plan = plan_of(levels, risk, sizing)
        equity, trades = self.buffers(signals)
        figures = np.empty(FIGURES if measured else 0)
        refused = np.empty(2)
        if plan is None:
            count, settled = self.simulate(signals, risk, sizing, equity, trades, figures)
            refused = figures[BELOW_ONE_UNIT:].copy()
        else:
            settled = False
            trades = np.empty((len(trades) * (1 + len(plan.parts)), TRADE_COLUMNS))
            count = walk(
                self.traded,
                self.charges,
                self._estimates(risk, sizing),
                signals,
                plan,
                kernel_settings(risk, sizing),
                self.terms,
                equity,
                trades,
                refused,
            )
        if measured and not settled:
            measure(equity, self.terms.capital, trades, count, self.terms.periods_per_year, figures)
            figures[BELOW_ONE_UNIT:] = refused
        return Account(equity, trades[:count], figures)

    def _estimates(self, risk: Risk, sizing: Sizing) -> Estimates:
        """What the levels and the size are measured in; nothing for what is not needed."""
        by_volatility = sizing.volatility_target_pct is not None
        return Estimates(
            atr=self.atr(risk.atr_period) if risk.needs_atr else _NOTHING,
            volatility=self.volatility(sizing.volatility_period) if by_volatility else _NOTHING,
        )

    def trade_many(
        self,
        words: Words,
        rows: NDArray[np.int32],
        estimates: EstimateTable,
        table: Floats,
        out: Floats,
        settled: NDArray[np.bool_],
        trades: Floats | None = None,
        card: Card | None = None,
    ) -> None:
        """Run the fused kernel: metrics of many configurations into `out`, `settled` where they hold.

        A graphics card gives no trades.
        """
        history = History(self.traded, self.layout, self.charges)
        if card is not None:
            none = np.empty((len(rows), 0, TRADE_COLUMNS))
            card.trade_many(history, words, rows, estimates, table, self.terms, out, settled, none)
            return
        trade_many(
            history,
            words,
            rows,
            estimates,
            table,
            self.terms,
            out,
            settled,
            np.empty((0, TRADE_COLUMNS)) if trades is None else trades,
        )

    def trade_one(
        self, signals: Signals, risk: Risk, sizing: Sizing, trades: Floats | None = None
    ) -> tuple[Floats, bool]:
        """One strategy by the fused kernel: its metrics, and whether rounding leaves them right."""
        found = np.empty((1, FIGURES))
        settled = np.empty(1, dtype=np.bool_)
        nowhere = np.zeros(1, dtype=np.int32)
        estimates = self._estimates(risk, sizing)
        self.trade_many(
            np.array([pack((signals & code) != 0) for code in CODES.values()]),
            np.arange(len(CODES), dtype=np.int32).reshape(1, -1, 1),
            EstimateTable(
                estimates.atr.reshape(1, -1), nowhere, estimates.volatility.reshape(1, -1), nowhere
            ),
            kernel_settings(risk, sizing).reshape(1, SETTINGS),
            found,
            settled,
            trades,
        )
        return found[0], bool(settled[0])

    def buffers(self, signals: Signals) -> tuple[Floats, Floats]:
        """Room for one simulation: equity, and a trade for each bar whose signals may open one."""
        bars = len(self.index) - self.terms.first
        entries = np.count_nonzero(signals[self.terms.first :] & np.uint8(ENTER_LONG | ENTER_SHORT))
        return np.empty(bars), np.empty((int(entries), TRADE_COLUMNS))

    def between(self, first: int, stop: int) -> Market:
        """The same market, trading from bar `first` on and ending before bar `stop`.

        Its bank is empty: series of the whole history hold in a part of it, since none looks ahead.
        """
        further = self.bank.further
        bank = IndicatorBank(
            PriceArrays(*(column[:stop] for column in self.bank.prices)),
            self.bank.clock,
            None if further is None else partial(rows_of, further, slice(stop)),
        )
        return replace(
            self,
            bank=bank,
            traded=Bars(*(column[:stop] for column in self.traded)),
            index=self.index[:stop],
            terms=self.terms._replace(first=first),
            charges=Charges(*(series[:stop] for series in self.charges)),
            whole=self,
        )

    def need(self, bars: int) -> None:
        """Raises RequestError `not_enough_bars` when the data is shorter than `bars`."""
        if len(self.index) < bars:
            raise RequestError("not_enough_bars", needed=bars, bars=len(self.index))


def open_market(
    df: pd.DataFrame,
    costs: Costs,
    fill: Fill,
    per_year: float | None,
    initial_capital: float,
    trade_from: datetime | str | None,
) -> Market:
    """Check everything that does not depend on the strategy.

    Raises:
        PriceError: the prices are refused.
        RequestError: `unknown_fill`, `bad_request`, `bad_time_limit` or `unknown_periodicity`.
    """
    arrays, index = read_prices(df)
    next_open = check_fill(fill)
    if isinstance(initial_capital, bool) or not isinstance(initial_capital, Real):
        raise RequestError("bad_request", name="initial_capital", value=shown(initial_capital))
    if not 0.0 < initial_capital <= MOST_CAPITAL:
        raise RequestError("bad_request", name="initial_capital", value=f"{initial_capital:g}")
    if per_year is not None and not (math.isfinite(per_year) and per_year > 0.0):
        raise RequestError("bad_request", name="periods_per_year", value=f"{per_year:g}")
    counted = bars_per_year(index, per_year)
    bank = IndicatorBank(arrays, Clock(index), partial(read_further, df))
    impact = _NOTHING
    if costs.slippage_atr:
        impact = bank.call(Call("atr", (Number(SLIPPAGE_ATR_PERIOD),))) * costs.slippage_atr
    traded = _traded(arrays, made_up_bars(df))
    charges = Charges(impact, _funding(df, costs, counted.value))
    return Market(
        bank=bank,
        traded=traded,
        index=index,
        terms=Terms(
            first=_first_bar(index, trade_from),
            next_open=next_open,
            capital=float(initial_capital),
            fee=costs.fee_bps / 10_000.0,
            fixed_fee=float(costs.fee_fixed),
            slippage=(costs.slippage_bps + costs.spread_bps / 2.0) / 10_000.0,
            borrowing=costs.borrow_bps_per_bar / 10_000.0,
            interest=costs.interest_pct_per_year / 100.0 / counted.value,
            maintenance=costs.maintenance_margin_pct / 100.0,
            periods_per_year=float(counted.value),
        ),
        bars_per_year=counted,
        charges=charges,
    )


def _funding(df: pd.DataFrame, costs: Costs, per_year: float) -> Floats:
    """What longs pay to shorts at each close, as a fraction: the data's own rates and the constant one."""
    rates = read_funding(df)
    if costs.funding_bps_per_8h:
        constant = costs.funding_bps_per_8h / 10_000.0 * FUNDINGS_A_YEAR / per_year
        rates = constant + (rates if rates.size else np.zeros(len(df)))
    return rates if rates.any() else _NOTHING


def _traded(prices: PriceArrays, made_up: NDArray[np.bool_]) -> Bars:
    """Prices as the kernels trade them."""
    if not made_up.any():
        return Bars(prices.open, prices.high, prices.low, prices.close)
    return Bars(
        open=np.where(made_up, np.nan, prices.open),
        high=np.where(made_up, -np.inf, prices.high),
        low=np.where(made_up, np.inf, prices.low),
        close=prices.close,
    )


def _first_bar(index: pd.DatetimeIndex, trade_from: datetime | str | None) -> int:
    if trade_from is None:
        return 0
    try:
        moment = pd.Timestamp(trade_from)
    except ValueError:
        raise RequestError("bad_time_limit", value=str(trade_from)) from None
    if index.tz is not None and moment.tz is None:
        moment = moment.tz_localize(index.tz)
    if index.tz is None and moment.tz is not None:
        raise RequestError("bad_time_limit", value=str(trade_from))
    first = int(index.searchsorted(moment))
    if first >= len(index):
        raise RequestError("bad_time_limit", value=str(trade_from))
    return first


@dataclass(frozen=True, kw_only=True, repr=False)
class BacktestResult:
    """What one strategy did on one price history.

    Attributes:
        spec: the strategy.
        costs: what trading cost.
        fill: where orders were filled.
        initial_capital: cash before the first bar.
        bars_per_year: bars a year, given or inferred, and where the figure comes from.
        metrics: figures of the whole.
        index: times of the bars from `trade_from` on.
        equity_values: the account's value at each of those bars' closes.
        trade_values: rows as `backtest.kernels.simulation` writes them; bars count from the first bar of the
            data.
        entries_below_one_unit: entries not taken because, with `whole_units`, they were worth less than one.
        entries_unaffordable: entries not taken because the account could not pay what they cost: the fixed
            fee, a position that would have been liquidated as it was opened, or a price impact that left
            nothing of what a short sells for.
        all_times: times of all bars, the warm-up's too.
    """

    spec: StrategySpec
    costs: Costs
    fill: Fill
    initial_capital: float
    bars_per_year: BarsPerYear
    metrics: Metrics
    index: pd.DatetimeIndex
    equity_values: Floats
    trade_values: Floats
    entries_below_one_unit: int
    entries_unaffordable: int
    all_times: pd.DatetimeIndex

    def __repr__(self) -> str:
        """One line: the name, and the figures that come first."""
        values = [(name, getattr(self.metrics, name)) for name in _TOLD_FIRST]
        told = ", ".join(f"{name}={'None' if value is None else f'{value:.4g}'}" for name, value in values)
        return f"<{type(self).__name__} {self.spec.name}: {told}>"

    @property
    def periods_per_year(self) -> float:
        """Bars a year."""
        return self.bars_per_year.value

    @property
    def not_taken(self) -> dict[str, int]:
        """Entries that were not taken, by why."""
        return {
            "entries_below_one_unit": self.entries_below_one_unit,
            "entries_unaffordable": self.entries_unaffordable,
        }

    @cached_property
    def equity(self) -> pd.Series:
        """Value of the account at each close; before the first bar it was `initial_capital`."""
        return pd.Series(self.equity_values, index=self.index, name="equity")

    @cached_property
    def account_lost(self) -> AccountLost | None:
        """The exit that took all the account was worth; nothing is traded after it. None without one."""
        if self.equity_values[-1] > 0.0:
            return None
        last = self.trade_values[-1]
        bar = int(last[EXIT_BAR])
        return AccountLost(bar=bar, time=self.all_times[bar], price=float(last[EXIT_PRICE]))

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row a trade, in the order of exits.

        Columns: side (`long`, `short`), entry_time, entry_price, exit_time, exit_price (slippage included),
        size (units), pnl (cash, fees included), return (pnl / (size × entry_price)), exit_reason, bars (it
        was exposed to). What is sold in part is a trade of its own (`partial_target`), with its share of the
        position's costs; several entries are one trade at their average price, from the first of them on.
        Times are those of the bars: with fills at the close the trade took place at the end of that bar.
        """
        rows = self.trade_values
        entered, left = rows[:, ENTRY_BAR].astype(np.int64), rows[:, EXIT_BAR].astype(np.int64)
        return pd.DataFrame(
            {
                "side": _SIDES.take((rows[:, SIDE] < 0).astype(np.int64)),
                "entry_time": self.all_times.take(entered),
                "entry_price": rows[:, ENTRY_PRICE],
                "exit_time": self.all_times.take(left),
                "exit_price": rows[:, EXIT_PRICE],
                "size": rows[:, SIZE],
                "pnl": rows[:, PROFIT],
                "return": rows[:, PROFIT] / (rows[:, SIZE] * rows[:, ENTRY_PRICE]),
                "exit_reason": _REASONS.take(rows[:, REASON].astype(np.int64)),
                "bars": rows[:, BARS].astype(np.int64),
            }
        )


def run_backtest(
    df: pd.DataFrame,
    spec: StrategySpec,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    trade_from: datetime | str | None = None,
    *,
    inputs: Tables | None = None,
) -> BacktestResult:
    """Trade a strategy on one price history. The rules are those of `backtest.kernels.simulation.simulate`.

    Args:
        df: prices, as `validate_prices` takes them.
        spec: the strategy.
        costs: fees, slippage, spread, borrowing and margin; none by default.
        fill: `next_open` trades at the open after the signal, `close` at the signal's own close.
        periods_per_year: bars a year for annualised figures; inferred from the index when None.
        initial_capital: cash at the start, in the currency of the prices.
        trade_from: the bars before this time only warm up the indicators: no signal of theirs trades, and
            equity, trades and metrics begin here. A naive time is read in the time zone of the data.
        inputs: other tables by name, whose columns the strategy declares (`btc.close` of `btc`), joined as
            `backtest.data.inputs.with_inputs` does. A further column of `df` needs no table.

    Raises:
        PriceError: the prices are refused, or volume is missing where a condition needs it.
        RequestError: `missing_input`, `input_refused` …, `not_enough_bars`, `unknown_fill`, `bad_request`,
            `bad_time_limit`, `unknown_periodicity`.
    """
    costs = costs or Costs()
    df = with_inputs(df, inputs, spec)
    market = open_market(df, costs, fill, periods_per_year, initial_capital, trade_from)
    market.need(spec.lookback())
    return run_signals(market, spec, market.bank.signals(spec.bound_trees), costs, fill)


def run_signals(
    market: Market,
    spec: StrategySpec,
    signals: Signals,
    costs: Costs,
    fill: Fill,
    levels: Levels | None = None,
) -> BacktestResult:
    """Trade given signals with a strategy's risk and sizing, on a market that is kept open.

    Args:
        market: opened with these costs and fills.
        spec: the strategy.
        signals: one code a bar of the market.
        costs: told in the result.
        fill: told in the result.
        levels: prices of its orders by bar; found in the market's prices when None.
    """
    if levels is None:
        levels = market.bank.levels(spec.bound_trees)
    account = market.account(signals, levels, spec.risk, spec.sizing, measured=True)
    values = account.figures
    return BacktestResult(
        spec=spec,
        costs=costs,
        fill=fill,
        initial_capital=market.terms.capital,
        bars_per_year=market.bars_per_year,
        metrics=Metrics.from_values(values.tolist()),
        index=market.index[market.terms.first :],
        equity_values=account.equity,
        trade_values=account.trades.copy(),
        entries_below_one_unit=int(values[BELOW_ONE_UNIT]),
        entries_unaffordable=int(values[UNAFFORDABLE]),
        all_times=market.index,
    )
