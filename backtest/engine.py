"""One backtest: prices and a strategy in, trades, equity and metrics out.

Pure: it counts nothing and hides nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest import prices as door
from backtest.clock import Clock
from backtest.errors import RequestError
from backtest.evaluation import CODES, IndicatorBank
from backtest.simulation import (
    BARS,
    ENTRY_BAR,
    ENTRY_PRICE,
    EXIT_BAR,
    EXIT_PRICE,
    EXIT_REASONS,
    LEVELS,
    METRICS,
    PROFIT,
    REASON,
    SIDE,
    SIZE,
    TRADE_COLUMNS,
    Floats,
    Signals,
    Words,
    lay_out,
    measure,
    simulate,
    trade_many,
)
from backtest.strategy import StrategySpec
from backtest.tree import Call, Number
from backtest.types import Costs, Fill, Metrics, Risk, check_fill, plain

MOST_CAPITAL = 1e15


class Tape(NamedTuple):
    """What `lay_out` finds in one price history, in the order in which `trade_many` takes it."""

    floor: Floats
    ceiling: Floats
    blocks: Floats
    sums: Floats


def levels(risk: Risk) -> list[float]:
    """Risk settings in the order of the kernel's columns; 0 is off."""
    return [
        risk.stop_loss_pct or 0.0,
        risk.take_profit_pct or 0.0,
        risk.trailing_stop_pct or 0.0,
        risk.stop_loss_atr or 0.0,
        risk.take_profit_atr or 0.0,
        risk.trailing_stop_atr or 0.0,
        float(risk.max_bars or 0),
        float(risk.whole_units),
    ]


def pack(truth: NDArray[np.bool_]) -> Words:
    """A condition as one bit a bar, 64 bars a word, the first bar lowest."""
    room = np.zeros((truth.size + 63) // 64 * 8, dtype=np.uint8)
    bits = np.packbits(truth, bitorder="little")
    room[: bits.size] = bits
    return room.view("<u8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What does not change from one configuration to the next: prices, costs and the terms of trading.

    Attributes:
        bank: prices and the indicators computed on them so far.
        tape: what the fused kernel reads of the prices.
        index: the bars' times.
        first: index of the first bar whose signal may trade.
        next_open: fill at the next open, else at the close.
        capital: cash at the start.
        fee: fraction of notional, each side.
        slippage: fraction of price, each fill.
        periods_per_year: bars a year.
    """

    bank: IndicatorBank
    tape: Tape
    index: pd.DatetimeIndex
    first: int
    next_open: bool
    capital: float
    fee: float
    slippage: float
    periods_per_year: float

    def atr(self, period: float) -> Floats:
        """Average true range."""
        return self.bank.call(Call("atr", (Number(period),)))

    def simulate(self, signals: Signals, risk: Risk, equity: Floats, trades: Floats) -> int:
        """Run the kernel; `equity` and `trades` are written, the number of trades returned."""
        prices = self.bank.prices
        atr = self.atr(risk.atr_period) if risk.needs_atr else np.empty(0)
        return simulate(
            prices.open,
            prices.high,
            prices.low,
            prices.close,
            signals,
            atr,
            self.first,
            self.next_open,
            self.capital,
            self.fee,
            self.slippage,
            risk.stop_loss_pct or 0.0,
            risk.take_profit_pct or 0.0,
            risk.trailing_stop_pct or 0.0,
            risk.stop_loss_atr or 0.0,
            risk.take_profit_atr or 0.0,
            risk.trailing_stop_atr or 0.0,
            risk.max_bars or 0,
            risk.whole_units,
            equity,
            trades,
        )

    def trade_many(
        self,
        words: Words,
        rows: NDArray[np.int32],
        atr: Floats,
        atr_rows: NDArray[np.int32],
        table: Floats,
        out: Floats,
        settled: NDArray[np.bool_],
        trades: Floats | None = None,
    ) -> None:
        """Run the fused kernel: metrics of many configurations into `out`, `settled` where they hold."""
        prices = self.bank.prices
        trade_many(
            prices.open,
            prices.high,
            prices.low,
            prices.close,
            *self.tape,
            words,
            rows,
            atr,
            atr_rows,
            table,
            self.first,
            self.next_open,
            self.capital,
            self.fee,
            self.slippage,
            self.periods_per_year,
            out,
            settled,
            np.empty((0, TRADE_COLUMNS)) if trades is None else trades,
        )

    def measure(self, signals: Signals, risk: Risk, equity: Floats, trades: Floats, count: int) -> Floats:
        """The metrics of a simulation, in the order of `METRICS`.

        By the fused kernel where it can tell them, so that a sweep finds the same to the last bit.
        """
        found = np.empty((1, len(METRICS)))
        settled = np.empty(1, dtype=np.bool_)
        self.trade_many(
            np.array([pack((signals & code) != 0) for code in CODES.values()]),
            np.arange(len(CODES), dtype=np.int32).reshape(1, -1, 1),
            (self.atr(risk.atr_period) if risk.needs_atr else np.empty(0)).reshape(1, -1),
            np.zeros(1, dtype=np.int32),
            np.array([levels(risk)]).reshape(1, LEVELS),
            found,
            settled,
        )
        if not settled[0]:
            measure(equity, self.capital, trades, count, self.periods_per_year, found[0])
        values: Floats = found[0]
        return values

    def buffers(self) -> tuple[Floats, Floats]:
        """Room for one simulation: equity and trades. A position opens at most once a bar."""
        bars = len(self.index) - self.first
        return np.empty(bars), np.empty((bars, TRADE_COLUMNS))

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
    arrays, index = door.read_prices(df)
    next_open = check_fill(fill)
    if not 0.0 < initial_capital <= MOST_CAPITAL:
        raise RequestError("bad_request", name="initial_capital", value=f"{initial_capital:g}")
    if per_year is None:
        per_year = door.periods_per_year(index)
    elif not (math.isfinite(per_year) and per_year > 0.0):
        raise RequestError("bad_request", name="periods_per_year", value=f"{per_year:g}")
    return Market(
        bank=IndicatorBank(arrays, Clock(index)),
        tape=Tape(*lay_out(arrays.open, arrays.high, arrays.low, arrays.close)),
        index=index,
        first=_first_bar(index, trade_from),
        next_open=next_open,
        capital=float(initial_capital),
        fee=costs.fee_bps / 10_000.0,
        slippage=costs.slippage_bps / 10_000.0,
        periods_per_year=float(per_year),
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


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """What one strategy did on one price history.

    Attributes:
        spec: the strategy.
        costs: what trading cost.
        fill: where orders were filled.
        initial_capital: cash before the first bar.
        periods_per_year: bars a year, given or inferred.
        metrics: figures of the whole.
        index: times of the bars from `trade_from` on.
        equity_values: the account's value at each of those bars' closes.
        trade_values: rows as `backtest.simulation` writes them; bars count from the first bar of the data.
        all_times: times of all bars, the warm-up's too.
    """

    spec: StrategySpec
    costs: Costs
    fill: Fill
    initial_capital: float
    periods_per_year: float
    metrics: Metrics
    index: pd.DatetimeIndex
    equity_values: Floats
    trade_values: Floats
    all_times: pd.DatetimeIndex

    @cached_property
    def equity(self) -> pd.Series:
        """Value of the account at each close; before the first bar it was `initial_capital`."""
        return pd.Series(self.equity_values, index=self.index, name="equity")

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row a trade, in the order of exits.

        Columns: side (`long`, `short`), entry_time, entry_price, exit_time, exit_price (slippage included),
        size (units), pnl (cash, fees included), return (pnl / (size × entry_price)), exit_reason, bars (it
        was exposed to).
        Times are those of the bars: with fills at the close the trade took place at the end of that bar.
        """
        rows = self.trade_values
        return pd.DataFrame(
            {
                "side": np.where(rows[:, SIDE] > 0, "long", "short").astype(object),
                "entry_time": self.all_times[rows[:, ENTRY_BAR].astype(np.int64)],
                "entry_price": rows[:, ENTRY_PRICE],
                "exit_time": self.all_times[rows[:, EXIT_BAR].astype(np.int64)],
                "exit_price": rows[:, EXIT_PRICE],
                "size": rows[:, SIZE],
                "pnl": rows[:, PROFIT],
                "return": rows[:, PROFIT] / (rows[:, SIZE] * rows[:, ENTRY_PRICE]),
                "exit_reason": np.array(EXIT_REASONS, dtype=object)[rows[:, REASON].astype(np.int64)],
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
) -> BacktestResult:
    """Trade a strategy on one price history. The rules are those of `backtest.simulation.simulate`.

    Args:
        df: prices, as `validate_prices` takes them.
        spec: the strategy.
        costs: fees and slippage; none by default.
        fill: `next_open` trades at the open after the signal, `close` at the signal's own close.
        periods_per_year: bars a year for annualised figures; inferred from the index when None.
        initial_capital: cash at the start, in the currency of the prices.
        trade_from: the bars before this time only warm up the indicators: no signal of theirs trades, and
            equity, trades and metrics begin here. A naive time is read in the time zone of the data.

    Raises:
        PriceError: the prices are refused, or volume is missing where a condition needs it.
        RequestError: `not_enough_bars`, `unknown_fill`, `bad_request`, `bad_time_limit`,
            `unknown_periodicity`.
    """
    costs = costs or Costs()
    market = open_market(df, costs, fill, periods_per_year, initial_capital, trade_from)
    market.need(spec.lookback())
    signals = market.bank.signals(spec.bound_trees)
    equity, trades = market.buffers()
    count = market.simulate(signals, spec.risk, equity, trades)
    return BacktestResult(
        spec=spec,
        costs=costs,
        fill=fill,
        initial_capital=market.capital,
        periods_per_year=plain(market.periods_per_year),
        metrics=Metrics.from_values(market.measure(signals, spec.risk, equity, trades, count).tolist()),
        index=market.index[market.first :],
        equity_values=equity,
        trade_values=trades[:count].copy(),
        all_times=market.index,
    )
