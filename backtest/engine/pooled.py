"""One strategy on many instruments at once: every account by itself, and the account that holds equal parts.

Every instrument is traded on its own bars with an account of its own; none is filled in. The pooled account
holds equal parts of those accounts and evens them out at each time of the common clock: its return is the
mean over the instruments that are listed then (from their first bar to their last one), where one without a
bar adds nothing until its next bar tells what happened since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.inputs import Tables, with_inputs
from backtest.data.together import CommonClock, Instruments, Integers, by_name, common_clock, instrument
from backtest.data.year import BarsPerYear, bars_per_year
from backtest.engine.batch import Batch, Chunk
from backtest.engine.executor import HERE, Executor, run_pieces
from backtest.engine.run import BacktestResult, Market, open_market, run_signals
from backtest.engine.sweep import configured, grid_axes, heard
from backtest.errors import RequestError
from backtest.kernels.simulation import (
    BARS,
    ENTRY_BAR,
    EXIT_BAR,
    FIGURES,
    LOST_AT,
    METRICS,
    PARTIAL_TARGET,
    PROFIT,
    REASON,
    SIZE,
    TRADE_COLUMNS,
    Floats,
    Signals,
    measure,
)
from backtest.statistics.returns import bar_returns
from backtest.strategy import StrategySpec
from backtest.types import AccountLost, Costs, Fill, Metrics

EXPOSURE = METRICS.index("exposure")
_PIECE, _AT_A_TIME = 16, 256
"""Configurations of a piece of work, and between two looks at how much the banks hold."""
_ROOM = 2**28
"""Bytes of indicators that a bank may hold then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One instrument of a pooled backtest.

    Attributes:
        name: of the instrument.
        result: its own backtest.
        closes: of all its bars, those of the warm-up included.
        rows: places on the clock of the bars that were traded.
    """

    name: str
    result: BacktestResult
    closes: Floats
    rows: Integers


@dataclass(frozen=True, kw_only=True, repr=False)
class PooledResult(BacktestResult):
    """What one strategy did on many instruments, as one account; times and bars are those of the clock.

    Trades are those of all instruments, in the order of exits, each with its part of the capital: sizes and
    profits are divided by the number of instruments. Metrics are of the pooled account; `exposure` is the
    mean over all bars of all instruments.

    Attributes:
        parts: the instruments that have a bar there.
        listed: how many are listed at each time of `index`.
        whose: of each trade, the place of its instrument among the parts.
    """

    parts: tuple[Part, ...]
    listed: NDArray[np.int64]
    whose: NDArray[np.int64]

    @property
    def bars(self) -> int:
        """Bars of all instruments together."""
        return sum(part.rows.size for part in self.parts)

    @cached_property
    def account_lost(self) -> AccountLost | None:
        """Where the first of the instruments' accounts was lost: who trades them all has lost it too."""
        gone = [(part, part.result.account_lost) for part in self.parts if part.result.account_lost]
        told = [
            AccountLost(
                bar=int(part.rows[one.bar - len(part.result.all_times)]), time=one.time, price=one.price
            )
            for part, one in gone
            if one is not None
        ]
        return min(told, key=lambda one: one.bar, default=None)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """As `BacktestResult.trades`, and `instrument`."""
        names = pd.array([part.name for part in self.parts], dtype="str")
        return super().trades.assign(instrument=names.take(self.whose))

    def mean(self, values: Mapping[str, Floats]) -> Floats:
        """At each time the mean over those listed, of values at each instrument's own bars."""
        total = np.zeros(self.listed.size)
        first = len(self.all_times) - len(self.index)
        for part in self.parts:
            total[part.rows - first] += values[part.name]
        return np.divide(total, self.listed, out=np.zeros(total.size), where=self.listed > 0)

    def share(self, part: Part) -> float:
        """Part of the pooled account that an instrument is, on average over the clock."""
        first = len(self.all_times) - len(self.index)
        held = slice(int(part.rows[0]) - first, int(part.rows[-1]) - first + 1)
        return float((1.0 / np.maximum(self.listed[held], 1)).sum() / max(1, self.listed.size))


def pooled(
    parts: Sequence[Part],
    times: pd.DatetimeIndex,
    first: int,
    listed: NDArray[np.int64],
    *,
    instruments: int,
    year: BarsPerYear,
    places: Mapping[str, Integers],
) -> PooledResult:
    """Accounts put together on a stretch of the clock.

    Args:
        parts: the instruments that have a bar there, one at least.
        times: of the clock up to the end of the stretch.
        first: place of its first time.
        listed: how many instruments are listed at each of its times.
        instruments: how many share the capital.
        year: bars a year of the clock.
        places: of every instrument, where each bar from its first traded one on stands on the clock.
    """
    one = parts[0].result
    trades, whose = [np.empty((0, TRADE_COLUMNS))], [np.empty(0, dtype=np.int64)]
    total = np.zeros(listed.size)
    for number, part in enumerate(parts):
        result = part.result
        total[part.rows - first] += bar_returns(result.equity_values, result.initial_capital)
        trades.append(on_clock(result.trade_values, places[part.name], _first(part, places)))
        whose.append(np.full(len(trades[-1]), number))
    rows, owners = np.concatenate(trades), np.concatenate(whose)
    order = np.argsort(rows[:, EXIT_BAR], kind="stable")
    rows, owners = rows[order], owners[order]
    rows[:, [SIZE, PROFIT]] /= instruments
    returns = np.divide(total, listed, out=np.zeros(total.size), where=listed > 0)
    bars = sum(part.rows.size for part in parts)
    equity, values = account_figures(returns, rows, bars, one.initial_capital, year.value)
    return PooledResult(
        spec=one.spec,
        costs=one.costs,
        fill=one.fill,
        initial_capital=one.initial_capital,
        bars_per_year=year,
        metrics=Metrics.from_values(values.tolist()),
        index=times[first:],
        equity_values=equity,
        trade_values=rows,
        entries_below_one_unit=sum(part.result.entries_below_one_unit for part in parts),
        entries_unaffordable=sum(part.result.entries_unaffordable for part in parts),
        all_times=times,
        parts=tuple(parts),
        listed=listed,
        whose=owners,
    )


def _first(part: Part, places: Mapping[str, Integers]) -> int:
    """The bar of an instrument's data that stands first among its places on the clock."""
    result = part.result
    at = int(np.searchsorted(places[part.name], part.rows[0]))
    return len(result.all_times) - len(result.index) - at


def account_figures(
    returns: Floats, trades: Floats, bars: int, capital: float, per_year: float
) -> tuple[Floats, Floats]:
    """Equity and metrics of pooled returns; exposure is of all the bars of all instruments."""
    equity = np.cumprod(1.0 + returns) * np.float64(capital)
    out = np.empty(FIGURES)
    measure(equity, capital, trades, len(trades), per_year, out)
    out[EXPOSURE] = bars_held(trades) / max(bars, 1)
    return equity, out


def bars_held(trades: Floats) -> float:
    """Bars of all positions; what is sold in part was in the market with the rest of its position."""
    return float(trades[trades[:, REASON] != PARTIAL_TARGET, BARS].sum())


def listed_at(clock: CommonClock) -> NDArray[np.int64]:
    """How many instruments are listed at each time: from their first bar to their last."""
    change = np.zeros(len(clock.times) + 1, dtype=np.int64)
    for rows in clock.rows.values():
        change[rows[0]] += 1
        change[rows[-1] + 1] -= 1
    return np.cumsum(change)[:-1]


def on_clock(trades: Floats, rows: Integers, first: int) -> Floats:
    """Trades with their bars counted on the clock.

    Args:
        trades: rows as kernels write them.
        rows: places on the clock of the instrument's bars.
        first: the bar to which the first of `rows` belongs.
    """
    found = trades.copy()
    for column in (ENTRY_BAR, EXIT_BAR):
        found[:, column] = rows[found[:, column].astype(np.int64) - first]
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Account:
    """One instrument's account on a stretch: where its bars stand, their returns, its end, its trades."""

    rows: Integers
    returns: Floats
    end: float
    trades: Floats


class Universe:
    """Instruments kept open, and their clock: a strategy, or a grid of it, on any stretch of it.

    Args:
        instruments: prices by name.
        costs: fees, slippage, spread, borrowing and margin.
        fill: where orders are filled.
        periods_per_year: bars a year of each instrument and of the clock; inferred when None.
        initial_capital: of each account, and of the pooled one.
        trade_from: start of trading; of some instruments by their names.
        spec: a strategy whose other tables are joined.
        inputs: those tables by name.

    Raises:
        RequestError: `no_instruments`, `not_by_name`, `instrument_timeframe`, `instrument_time_zone`,
            `instrument_refused` with the reason.
    """

    def __init__(
        self,
        instruments: Instruments,
        costs: Costs | None = None,
        fill: Fill = "next_open",
        periods_per_year: float | None = None,
        initial_capital: float = 10_000.0,
        trade_from: datetime | str | Mapping[str, datetime] | None = None,
        *,
        spec: StrategySpec | None = None,
        inputs: Tables | None = None,
    ) -> None:
        self.costs, self.fill, self.capital = costs or Costs(), fill, initial_capital
        self.markets: dict[str, Market] = {}
        for name, df in by_name(instruments, "instruments"):
            start = trade_from[name] if isinstance(trade_from, Mapping) else trade_from
            with instrument(name):
                joined = df if spec is None else with_inputs(df, inputs, spec)
                self.markets[name] = open_market(
                    joined, self.costs, fill, periods_per_year, initial_capital, start
                )
        self.clock = common_clock({name: one.index[one.terms.first :] for name, one in self.markets.items()})
        self.listed = listed_at(self.clock)
        self.year = bars_per_year(self.clock.times, periods_per_year)
        self.everything = (0, len(self.clock.times))

    def need(self, spec: StrategySpec) -> None:
        """Raises RequestError `instrument_refused` for one that is too short for the strategy."""
        for name, market in self.markets.items():
            with instrument(name):
                market.need(spec.lookback())

    def within(self, name: str, stretch: tuple[int, int]) -> tuple[int, int]:
        """Which of an instrument's traded bars lie in a stretch: the first, and behind the last."""
        begin, end = (int(np.searchsorted(self.clock.rows[name], edge)) for edge in stretch)
        return begin, end

    def run(
        self,
        spec: StrategySpec,
        stretch: tuple[int, int] | None = None,
        signals: Mapping[str, Signals] | None = None,
    ) -> PooledResult:
        """A strategy on a stretch of the clock, from a flat start; what lies before warms up the indicators.

        Args:
            spec: the strategy.
            stretch: first time and behind the last one; everything by default.
            signals: of every instrument, one code a bar; the strategy's own by default.

        Raises:
            RequestError: `instrument_refused`.
        """
        start, stop = stretch or self.everything
        parts = []
        for name, market in self.markets.items():
            first = market.terms.first
            begin, end = self.within(name, (start, stop))
            if begin == end:
                continue
            with instrument(name):
                bank, stop_bar = market.bank, first + end
                heard_there = bank.signals(spec.bound_trees) if signals is None else signals[name]
                levels = bank.levels(spec.bound_trees).until(stop_bar)
                there = market.between(first + begin, stop_bar)
                parts.append(
                    Part(
                        name=name,
                        result=run_signals(
                            there, spec, heard_there[:stop_bar], self.costs, self.fill, levels
                        ),
                        closes=there.bank.prices.close,
                        rows=self.clock.rows[name][begin:end],
                    )
                )
        return pooled(
            parts,
            self.clock.times[:stop],
            start,
            self.listed[start:stop],
            instruments=len(self.markets),
            year=self.year,
            places=self.clock.rows,
        )


class Grid:
    """A grid of one strategy on many instruments: any configuration on any stretch of the clock.

    Raises:
        BacktestError: as `sweep`.
    """

    def __init__(
        self,
        every: Universe,
        spec: StrategySpec,
        grid: Mapping[str, Iterable[Any]],
        workers: int | None,
        where: Executor = HERE,
    ) -> None:
        self.every, self.spec, self.workers, self.where = every, spec, workers, where
        self.axes = grid_axes(spec, grid)
        self.shape = tuple(len(values) for values in self.axes.values())
        for name, market in every.markets.items():
            with instrument(name):
                market.bank.check_columns(heard(spec, self.axes))

    def chunks(self) -> dict[str, list[Chunk]]:
        """What the sweep's kernel finds on each instrument.

        Raises:
            RequestError: `instrument_refused`, with `empty_grid` where no combination makes sense.
        """
        found = {}
        for name, market in self.every.markets.items():
            with instrument(name):
                batch = Batch(market, self.spec, self.axes, self.workers)
                parts = [chunk for _, chunk in batch.chunks(self.where)]
                if not any(len(part.metrics) for part in parts):
                    raise RequestError("empty_grid", name=", ".join(self.axes) or "-")
                found[name] = parts
        return found

    def sensible(self, chosen: Mapping[str, Iterable[Mapping[str, Integers]]] | None = None) -> Integers:
        """Which combinations make sense on every instrument, by their place in the grid.

        Args:
            chosen: by instrument, places on each axis of those that make sense there; found when None.

        Raises:
            RequestError: `empty_grid`, none.
        """
        alive = np.zeros(int(np.prod(self.shape, dtype=np.int64)), dtype=np.int64)
        for parts in (self._possible() if chosen is None else chosen).values():
            for part in parts:
                alive[np.ravel_multi_index(tuple(part.values()), self.shape) if self.axes else 0] += 1
        found = np.flatnonzero(alive == len(self.every.markets))
        if not found.size:
            raise RequestError("empty_grid", name=", ".join(self.axes) or "-")
        return found

    def _possible(self) -> dict[str, Iterator[Mapping[str, Integers]]]:
        def of(market: Market) -> Iterator[Mapping[str, Integers]]:
            batch = Batch(market, self.spec, self.axes, self.workers)
            for start in range(0, batch.count, batch.chunk_size):
                yield batch.possible(start, min(batch.count, start + batch.chunk_size))

        return {name: of(market) for name, market in self.every.markets.items()}

    def spec_at(self, place: int) -> StrategySpec:
        """The strategy of one combination."""
        places = np.unravel_index(place, self.shape) if self.axes else ()
        return configured(
            self.spec, {name: self.axes[name][at] for name, at in zip(self.axes, places, strict=True)}
        )

    def _accounts(self, spec: StrategySpec, stretches: Sequence[tuple[int, int]]) -> list[list[_Account]]:
        """Every instrument's account on each stretch of the clock, from a flat start; none without a bar."""
        found: list[list[_Account]] = [[] for _ in stretches]
        for name, market in self.every.markets.items():
            signals, levels = market.bank.signals(spec.bound_trees), market.bank.levels(spec.bound_trees)
            own, first = self.every.clock.rows[name], market.terms.first
            for into, stretch in zip(found, stretches, strict=True):
                begin, end = self.every.within(name, stretch)
                if begin == end:
                    continue
                part = market.between(first + begin, first + end)
                equity, trades, _ = part.account(
                    signals[: first + end], levels.until(first + end), spec.risk, spec.sizing
                )
                into.append(
                    _Account(
                        rows=own[begin:end],
                        returns=bar_returns(equity, self.every.capital),
                        end=float(equity[-1]),
                        trades=on_clock(trades, own, first),
                    )
                )
        return found

    def _figures(self, accounts: Sequence[_Account], stretch: tuple[int, int]) -> Floats:
        """Pooled figures of a stretch; lost where an account was."""
        listed = self.every.listed[stretch[0] : stretch[1]]
        total = np.zeros(listed.size)
        for one in accounts:
            total[one.rows - stretch[0]] += one.returns
        trades = np.concatenate([np.empty((0, TRADE_COLUMNS)), *(one.trades for one in accounts)])
        trades = trades[np.argsort(trades[:, EXIT_BAR], kind="stable")]
        trades[:, [SIZE, PROFIT]] /= len(self.every.markets)
        returns = np.divide(total, listed, out=np.zeros(total.size), where=listed > 0)
        bars = sum(one.rows.size for one in accounts)
        found = account_figures(returns, trades, bars, self.every.capital, self.every.year.value)[1]
        if lost := [one.trades[-1, EXIT_BAR] for one in accounts if one.end <= 0.0]:
            found[LOST_AT] = min(lost)
        return found

    def figures(self, places: Integers, stretches: Sequence[tuple[int, int]]) -> tuple[Floats, Integers]:
        """Pooled figures of combinations, stretches × combinations × FIGURES; instruments they are up on."""
        size = self.where.size(places.size, places.size or 1)
        pieces = [(places[begin : begin + size], stretches) for begin in range(0, places.size, size)]
        found = list(self.where.results(_figures, pieces, self))
        empty = np.empty((len(stretches), 0, FIGURES)), np.empty((len(stretches), 0), dtype=np.int64)
        tables, ups = zip(empty, *found, strict=True)
        return np.concatenate(tables, axis=1), np.concatenate(ups, axis=1)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, whose other threads have work of their own."""
        return {**self.__dict__, "workers": 1, "where": HERE}

    def figures_here(self, places: Integers, stretches: Sequence[tuple[int, int]]) -> tuple[Floats, Integers]:
        """As `figures`, by threads of this process."""
        table = np.empty((len(stretches), places.size, FIGURES))
        up = np.empty((len(stretches), places.size), dtype=np.int64)

        def piece(begin: int) -> None:
            for at in range(begin, min(begin + _PIECE, places.size)):
                accounts = self._accounts(self.spec_at(int(places[at])), stretches)
                for which, (found, stretch) in enumerate(zip(accounts, stretches, strict=True)):
                    table[which, at] = self._figures(found, stretch)
                    up[which, at] = sum(one.end > self.every.capital for one in found)

        for begin in range(0, places.size, _AT_A_TIME):
            stop = min(begin + _AT_A_TIME, places.size)
            run_pieces(piece, range(begin, stop, _PIECE), workers=self.workers)
            for market in self.every.markets.values():
                market.bank.keep_within(_ROOM)
        return table, up


def _figures(grid: Grid, piece: tuple[Integers, Sequence[tuple[int, int]]]) -> tuple[Floats, Integers]:
    """Some combinations, wherever the grid is."""
    return grid.figures_here(*piece)


def dropped_of(chunks: Sequence[Chunk]) -> Counter[str]:
    """Combinations that made no sense, by the reason."""
    return sum((part.dropped for part in chunks), Counter())
