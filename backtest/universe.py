"""One strategy on many instruments: by instrument, and pooled on common time.

from backtest import universe
result = universe.run_backtest({"BTC": btc, "ETH": eth}, spec, costs=Costs(fee_bps=5))
result.table, result.pooled.metrics.sharpe_ratio

Every instrument is traded on its own bars with an account of its own; none is filled in. The pooled account
holds equal parts of those accounts and evens them out at each time of the common clock: its return is the
mean over the instruments that are listed then (from their first bar to their last one), where one without a
bar adds nothing until its next bar tells what happened since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.inputs import Tables, with_inputs
from backtest.data.prices import validate_prices
from backtest.data.together import CommonClock, Instruments, Integers, by_name, common_clock, instrument
from backtest.data.year import BarsPerYear, bars_per_year
from backtest.engine.batch import Batch, Chunk
from backtest.engine.executor import run_pieces
from backtest.engine.ranking import lost_accounts
from backtest.engine.run import BacktestResult, Market, open_market
from backtest.engine.run import run_backtest as run_one
from backtest.engine.sweep import chunk_table, configured, grid_axes, heard
from backtest.errors import RequestError
from backtest.kernels.simulation import (
    BARS,
    BELOW_ONE_UNIT,
    ENTRY_BAR,
    EXIT_BAR,
    FIGURES,
    METRICS,
    PARTIAL_TARGET,
    PROFIT,
    REASON,
    SIZE,
    TRADE_COLUMNS,
    UNAFFORDABLE,
    Floats,
    measure,
)
from backtest.statistics.returns import bar_returns
from backtest.strategy import StrategySpec
from backtest.types import Costs, Fill, Metrics
from backtest.validation.folds import FOLDS, Fold, Scheme, make_folds
from backtest.validation.trials import excess_returns
from backtest.validation.walk_forward import RANK_BY

_EXPOSURE = METRICS.index("exposure")
_PIECE, _AT_A_TIME = 16, 256
"""Configurations of a piece of work, and between two looks at how much the banks hold."""
_ROOM = 2**28
"""Bytes of indicators that a bank may hold then."""


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The account that holds equal parts of all instruments' accounts.

    Attributes:
        returns: at each time of the common clock.
        excess: the same of what each account earned over holding its instrument with its average exposure
            (`backtest.validation.trials.excess_returns`).
        equity: what the initial capital became.
        metrics: of that account. Trades are those of all instruments, each with its part of the capital:
            profits are divided by the number of instruments. `exposure` is the mean over all their bars.
        bars_per_year: of the common clock.
    """

    returns: pd.Series
    excess: pd.Series
    equity: pd.Series
    metrics: Metrics
    bars_per_year: BarsPerYear


@dataclass(frozen=True, kw_only=True)
class UniverseBacktest:
    """What one strategy did on many instruments.

    Attributes:
        by_instrument: the backtest of each.
        returns: times of the common clock × instruments, NaN where an instrument has no bar.
        table: a row an instrument: `first`, `last`, `bars`, `missing` (times at which others have a bar and
            it has none, between its first and its last), then every metric, NaN where undefined.
        pooled: the account of all.
    """

    by_instrument: dict[str, BacktestResult]
    returns: pd.DataFrame
    table: pd.DataFrame
    pooled: Pooled


@dataclass(frozen=True, kw_only=True)
class UniverseSweep:
    """Many configurations on many instruments.

    Attributes:
        by_instrument: the table of each, as `backtest.sweep` gives it.
        pooled: a row for each configuration that makes sense on every instrument: its values, the metrics of
            the pooled account, and `instruments_up`, on how many of them it earned money. `attrs` as of
            `backtest.sweep`; `dropped` counts configurations without a row.
    """

    by_instrument: dict[str, pd.DataFrame]
    pooled: pd.DataFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class UniverseFold:
    """What one fold chose for all instruments, and how it fared.

    Attributes:
        fold: bars of the common clock.
        spec: the strategy tested: refitted where a grid was searched and a configuration could be ranked.
        fitted: whether it was.
        train: metrics of the pooled account on the training stretch; None without a grid.
        test: those on the test stretch, every account from a flat start.
        by_instrument: metrics of each instrument that has a bar in the test stretch.
    """

    fold: Fold
    spec: StrategySpec
    fitted: bool
    train: Metrics | None
    test: Metrics
    by_instrument: dict[str, Metrics]


@dataclass(frozen=True, kw_only=True)
class UniverseWalkForward:
    """A walk-forward test with one choice for all instruments in each fold.

    Attributes:
        folds: one entry a fold, in order of time.
        returns: of the pooled account over all test stretches.
        by_instrument: the same of each instrument: times × instruments, NaN where one has no bar.
        metrics: of the pooled account over all test stretches.
        bars_per_year: of the common clock.
        configurations: how many were compared in each fold.
        searched: names of the grid's axes.
        spec: with `settle`, what the same choice on the whole history gives; else the strategy as given.
    """

    folds: tuple[UniverseFold, ...]
    returns: pd.Series
    by_instrument: pd.DataFrame
    metrics: Metrics
    bars_per_year: BarsPerYear
    configurations: int
    searched: tuple[str, ...]
    spec: StrategySpec


@dataclass(frozen=True, kw_only=True, slots=True)
class _Account:
    """One instrument's account on a stretch of its bars.

    Attributes:
        rows: places of those bars on the clock.
        returns: one a bar.
        up: whether it earned money.
        trades: as kernels write them, their bars counted on the clock.
    """

    rows: Integers
    returns: Floats
    up: bool
    trades: Floats


class _Pool:
    """Accounts put together on a stretch of the clock.

    Args:
        accounts: one an instrument that has a bar there.
        listed: at each time of the stretch, how many instruments are listed.
        instruments: how many share the capital.
        first: place of the stretch's first time on the clock.
    """

    def __init__(
        self, accounts: Iterable[_Account], listed: NDArray[np.int64], instruments: int, first: int = 0
    ) -> None:
        total = np.zeros(listed.size)
        trades = [np.empty((0, TRADE_COLUMNS))]
        self.bars = self.up = 0
        for one in accounts:
            total[one.rows - first] += one.returns
            trades.append(one.trades)
            self.bars += one.rows.size
            self.up += one.up
        self.returns: Floats = np.divide(total, listed, out=np.zeros(listed.size), where=listed > 0)
        rows = np.concatenate(trades)
        rows = rows[np.argsort(rows[:, EXIT_BAR], kind="stable")]
        rows[:, [SIZE, PROFIT]] /= instruments
        self.trades: Floats = rows

    def figures(self, capital: float, per_year: float) -> tuple[Floats, Floats]:
        """The equity curve and its metrics."""
        return _figures(self.returns, self.trades, self.bars, capital, per_year)


def _figures(
    returns: Floats, trades: Floats, bars: int, capital: float, per_year: float
) -> tuple[Floats, Floats]:
    """Equity and metrics of pooled returns; exposure is of all the bars of all instruments."""
    equity = np.cumprod(1.0 + returns) * np.float64(capital)
    out = np.empty(FIGURES)
    measure(equity, capital, trades, len(trades), per_year, out)
    whole = trades[:, REASON] != PARTIAL_TARGET
    out[_EXPOSURE] = trades[whole, BARS].sum() / max(bars, 1)
    return equity, out


def _listed(clock: CommonClock) -> NDArray[np.int64]:
    """How many instruments are listed at each time: from their first bar to their last."""
    change = np.zeros(len(clock.times) + 1, dtype=np.int64)
    for rows in clock.rows.values():
        change[rows[0]] += 1
        change[rows[-1] + 1] -= 1
    return np.cumsum(change)[:-1]


def run_backtest(
    instruments: Instruments,
    spec: StrategySpec,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    trade_from: datetime | str | None = None,
    *,
    inputs: Tables | None = None,
) -> UniverseBacktest:
    """Trade a strategy on each of many instruments, and tell all of them as one account as well.

    Args:
        instruments: prices by name, each as `validate_prices` takes them.
        spec: as in `backtest.run_backtest`, and so the arguments that follow; they hold for every instrument.
        costs: fees, slippage, spread, borrowing and margin.
        fill: where orders are filled.
        periods_per_year: bars a year of each instrument and of the common clock; inferred when None.
        initial_capital: of each instrument's account, and of the pooled one.
        trade_from: start of trading.
        inputs: other tables by name.

    Raises:
        RequestError: `no_instruments`, `not_by_name`, `instrument_timeframe`,
            `instrument_time_zone`; `instrument_refused` with the reason, which is
            what `backtest.run_backtest` says of that instrument.
    """
    found: dict[str, BacktestResult] = {}
    excess: dict[str, Floats] = {}
    for name, df in by_name(instruments, "instruments"):
        with instrument(name):
            found[name] = run_one(
                df, spec, costs, fill, periods_per_year, initial_capital, trade_from, inputs=inputs
            )
            excess[name] = excess_returns(found[name], validate_prices(df)["close"])
    clock = common_clock({name: one.index for name, one in found.items()})
    year = bars_per_year(clock.times, periods_per_year)
    accounts = {
        name: _Account(
            rows=clock.rows[name],
            returns=bar_returns(one.equity_values, initial_capital),
            up=bool(one.equity_values[-1] > initial_capital),
            trades=_on_clock(one.trade_values, clock.rows[name], len(one.all_times) - len(one.index)),
        )
        for name, one in found.items()
    }
    listed = _listed(clock)
    pool = _Pool(accounts.values(), listed, len(found))
    equity, values = pool.figures(initial_capital, year.value)
    over = np.zeros(listed.size)
    for name, series in excess.items():
        over[clock.rows[name]] += series
    return UniverseBacktest(
        by_instrument=found,
        returns=pd.DataFrame(
            {name: clock.spread(name, one.returns) for name, one in accounts.items()}, index=clock.times
        ),
        table=_table(found, clock),
        pooled=Pooled(
            returns=pd.Series(pool.returns, index=clock.times, name="return"),
            excess=pd.Series(over / np.maximum(listed, 1), index=clock.times, name="excess"),
            equity=pd.Series(equity, index=clock.times, name="equity"),
            metrics=Metrics.from_values(values.tolist()),
            bars_per_year=year,
        ),
    )


def _table(found: Mapping[str, BacktestResult], clock: CommonClock) -> pd.DataFrame:
    rows = [
        {"first": one.index[0], "last": one.index[-1], "bars": len(one.index), "missing": clock.missing(name)}
        | one.metrics.to_dict()
        for name, one in found.items()
    ]
    table = pd.DataFrame(rows, index=pd.Index(found, name="instrument"))
    floats = [name for name in METRICS if name != "n_trades"]
    return table.astype(dict.fromkeys(floats, np.float64))


def _on_clock(trades: Floats, rows: Integers, first: int) -> Floats:
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


class _Universe:
    """A grid of one strategy on many instruments: any configuration on any stretch of the clock."""

    def __init__(
        self,
        instruments: Instruments,
        spec: StrategySpec,
        grid: Mapping[str, Iterable[Any]],
        costs: Costs | None,
        fill: Fill,
        periods_per_year: float | None,
        initial_capital: float,
        trade_from: datetime | str | None,
        workers: int | None,
        inputs: Tables | None,
    ) -> None:
        self.spec = spec
        self.axes = grid_axes(spec, grid)
        self.shape = tuple(len(values) for values in self.axes.values())
        self.workers = workers
        self.capital = initial_capital
        self.markets: dict[str, Market] = {}
        for name, df in by_name(instruments, "instruments"):
            with instrument(name):
                joined = with_inputs(df, inputs, spec)
                market = open_market(
                    joined, costs or Costs(), fill, periods_per_year, initial_capital, trade_from
                )
                market.bank.check_columns(heard(spec, self.axes))
                self.markets[name] = market
        self.clock = common_clock({name: one.index[one.terms.first :] for name, one in self.markets.items()})
        self.listed = _listed(self.clock)
        self.year = bars_per_year(self.clock.times, periods_per_year)
        self.everything = (0, len(self.clock.times))

    def chunks(self) -> dict[str, list[Chunk]]:
        """What the sweep's kernel finds on each instrument.

        Raises:
            RequestError: `instrument_refused`, with `empty_grid` where no combination makes sense.
        """
        found = {}
        for name, market in self.markets.items():
            with instrument(name):
                batch = Batch(market, self.spec, self.axes, self.workers)
                size = batch.chunk_size
                parts = [
                    batch.run(start, min(batch.count, start + size)) for start in range(0, batch.count, size)
                ]
                if not any(len(part.metrics) for part in parts):
                    raise RequestError("empty_grid", name=", ".join(self.axes) or "-")
                found[name] = parts
        return found

    def sensible(self, chunks: Mapping[str, Sequence[Chunk]]) -> Integers:
        """Which combinations make sense on every instrument, by their place in the grid.

        Raises:
            RequestError: `empty_grid`, none.
        """
        alive = np.zeros(int(np.prod(self.shape, dtype=np.int64)), dtype=np.int64)
        for parts in chunks.values():
            for part in parts:
                places = tuple(part.chosen.values())
                alive[np.ravel_multi_index(places, self.shape) if self.axes else 0] += 1
        found = np.flatnonzero(alive == len(chunks))
        if not found.size:
            raise RequestError("empty_grid", name=", ".join(self.axes) or "-")
        return found

    def spec_at(self, place: int) -> StrategySpec:
        """The strategy of one combination."""
        places = np.unravel_index(place, self.shape) if self.axes else ()
        return configured(
            self.spec, {name: self.axes[name][at] for name, at in zip(self.axes, places, strict=True)}
        )

    def accounts(self, spec: StrategySpec, stretches: Sequence[tuple[int, int]]) -> list[dict[str, _Account]]:
        """Every instrument's account on each stretch of the clock, from a flat start; none without a bar."""
        found: list[dict[str, _Account]] = [{} for _ in stretches]
        for name, market in self.markets.items():
            signals, levels = market.bank.signals(spec.bound_trees), market.bank.levels(spec.bound_trees)
            own, first = self.clock.rows[name], market.terms.first
            for into, (start, stop) in zip(found, stretches, strict=True):
                begin, end = (int(np.searchsorted(own, edge)) for edge in (start, stop))
                if begin == end:
                    continue
                part = market.between(first + begin, first + end)
                heard_there = signals[: first + end]
                equity, trades, _ = part.account(
                    heard_there, levels.until(first + end), spec.risk, spec.sizing
                )
                into[name] = _Account(
                    rows=own[begin:end],
                    returns=bar_returns(equity, self.capital),
                    up=bool(equity[-1] > self.capital),
                    trades=_on_clock(trades, own, first),
                )
        return found

    def pool(self, accounts: Mapping[str, _Account], stretch: tuple[int, int]) -> _Pool:
        """The accounts of a stretch put together."""
        listed = self.listed[stretch[0] : stretch[1]]
        return _Pool(accounts.values(), listed, len(self.markets), stretch[0])

    def figures(self, places: Integers, stretches: Sequence[tuple[int, int]]) -> tuple[Floats, Integers]:
        """Pooled figures of combinations, stretches × combinations × FIGURES; instruments they are up on."""
        table = np.empty((len(stretches), places.size, FIGURES))
        up = np.empty((len(stretches), places.size), dtype=np.int64)

        def piece(begin: int) -> None:
            for at in range(begin, min(begin + _PIECE, places.size)):
                accounts = self.accounts(self.spec_at(int(places[at])), stretches)
                for which, (found, stretch) in enumerate(zip(accounts, stretches, strict=True)):
                    pool = self.pool(found, stretch)
                    table[which, at] = pool.figures(self.capital, self.year.value)[1]
                    up[which, at] = pool.up

        for begin in range(0, places.size, _AT_A_TIME):
            stop = min(begin + _AT_A_TIME, places.size)
            run_pieces(piece, range(begin, stop, _PIECE), workers=self.workers)
            for market in self.markets.values():
                market.bank.keep_within(_ROOM)
        return table, up


def sweep(
    instruments: Instruments,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    trade_from: datetime | str | None = None,
    *,
    workers: int | None = None,
    inputs: Tables | None = None,
) -> UniverseSweep:
    """Backtest every combination of a grid on each of many instruments, and pooled.

    The tables by instrument come from the sweep's own kernel; the pooled account needs the equity of every
    bar, several times as much work. A pooled row equals what `run_backtest` of this module finds.

    Args:
        instruments: prices by name.
        spec: as in `backtest.sweep`, and so the arguments that follow.
        grid: values by name.
        costs: fees, slippage, spread, borrowing and margin.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: of each account.
        trade_from: start of trading.
        workers: configurations at a time; by default one a core.
        inputs: other tables by name.

    Raises:
        BacktestError: as `run_backtest` of this module and `backtest.sweep`; `empty_grid` where no
            combination makes sense on every instrument.
    """
    every = _Universe(
        instruments, spec, grid, costs, fill, periods_per_year, initial_capital, trade_from, workers, inputs
    )
    chunks = every.chunks()
    tables = {}
    for name, parts in chunks.items():
        market = every.markets[name]
        table = pd.concat([chunk_table(every.axes, part, market.index) for part in parts], ignore_index=True)
        tables[name] = _attributed(
            table, sum((part.dropped for part in parts), Counter()), market.bars_per_year
        )
    places = every.sensible(chunks)
    figures, up = every.figures(places, [every.everything])
    at = np.unravel_index(places, every.shape) if every.axes else ()
    values = figures[0]
    # Entries that were not taken are told by instrument.
    values[:, [BELOW_ONE_UNIT, UNAFFORDABLE]] = 0.0
    chunk = Chunk(chosen=dict(zip(every.axes, at, strict=True)), metrics=values, dropped=Counter())
    pooled = chunk_table(every.axes, chunk, every.clock.times)
    pooled = pooled.drop(columns=["entries_below_one_unit", "entries_unaffordable"])
    pooled["instruments_up"] = up[0]
    pooled.attrs["dropped"] = int(np.prod(every.shape, dtype=np.int64)) - places.size
    pooled.attrs["bars_per_year"] = every.year.to_dict()
    return UniverseSweep(by_instrument=tables, pooled=pooled)


def _attributed(table: pd.DataFrame, dropped: Counter[str], year: BarsPerYear) -> pd.DataFrame:
    table.attrs["dropped"] = sum(dropped.values())
    table.attrs["dropped_by"] = dict(dropped)
    table.attrs["bars_per_year"] = year.to_dict()
    return table


def walk_forward(
    instruments: Instruments,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]] | None = None,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    *,
    folds: int = FOLDS,
    scheme: Scheme = "rolling",
    embargo: int | None = None,
    rank_by: str = RANK_BY,
    least_trades: int = 0,
    settle: bool = False,
    workers: int | None = None,
    inputs: Tables | None = None,
) -> UniverseWalkForward:
    """Choose one configuration for all instruments on each training stretch, and test it on what follows.

    The common clock is cut by `backtest.validation.folds.make_folds`; the pooled account of a stretch ranks
    configurations, among those that make sense on every instrument.

    Args:
        instruments: prices by name: the development parts.
        spec: as in `backtest.walk_forward`, and so the arguments that follow.
        grid: values by name; without one the strategy is tested as it is.
        costs: fees, slippage, spread, borrowing and margin.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: of each account.
        folds: test stretches.
        scheme: what each fold trains on.
        embargo: times of the clock between training and test.
        rank_by: metric of the pooled account by which a fold chooses, highest first.
        least_trades: configurations with fewer trades of all instruments in training are not ranked.
        settle: choose on the whole history as well.
        workers: configurations at a time; by default one a core.
        inputs: other tables by name.

    Raises:
        BacktestError: as `sweep`; `unknown_metric`, `not_enough_bars` where the folds are too short.
    """
    if rank_by not in METRICS:
        raise RequestError("unknown_metric", name=rank_by, known=", ".join(METRICS))
    every = _Universe(
        instruments, spec, grid or {}, costs, fill, periods_per_year, initial_capital, None, workers, inputs
    )
    cuts = make_folds(len(every.clock.times), folds, scheme, embargo=embargo)
    stretches = [(fold.train_start, fold.train_stop) for fold in cuts]
    stretches += [every.everything] if settle else []
    chosen: list[tuple[StrategySpec, Metrics | None]] = [(spec, None)] * len(stretches)
    if grid:
        places = every.sensible(every.chunks())
        for at, table in enumerate(every.figures(places, stretches)[0]):
            best = _best(table, rank_by, least_trades)
            if best is not None:
                chosen[at] = every.spec_at(int(places[best])), Metrics.from_values(table[best].tolist())
    else:
        for name, market in every.markets.items():
            with instrument(name):
                market.need(spec.lookback())
    found, pools = [], []
    series = pd.DataFrame(np.nan, index=every.clock.times, columns=pd.Index(every.markets))
    # A stretch without a choice is tested with the strategy as it is.
    for fold, (strategy, train) in zip(cuts, chosen, strict=False):
        stretch = fold.test_start, fold.test_stop
        accounts = every.accounts(strategy, [stretch])[0]
        pools.append(every.pool(accounts, stretch))
        by_instrument = {}
        for place, name in enumerate(every.markets):
            if name in accounts:
                one = accounts[name]
                series.iloc[one.rows, place] = one.returns
                per_year = every.markets[name].terms.periods_per_year
                values = _figures(one.returns, one.trades, one.rows.size, initial_capital, per_year)[1]
                by_instrument[name] = Metrics.from_values(values.tolist())
        tested = pools[-1].figures(initial_capital, every.year.value)[1]
        found.append(
            UniverseFold(
                fold=fold,
                spec=strategy,
                fitted=train is not None,
                train=train,
                test=Metrics.from_values(tested.tolist()),
                by_instrument=by_instrument,
            )
        )
    first, last = cuts[0].test_start, cuts[-1].test_stop
    returns = np.concatenate([pool.returns for pool in pools])
    values = _joined(pools, returns, initial_capital, every.year.value)
    return UniverseWalkForward(
        folds=tuple(found),
        returns=pd.Series(returns, index=every.clock.times[first:last], name="return"),
        by_instrument=series.iloc[first:last],
        metrics=Metrics.from_values(values.tolist()),
        bars_per_year=every.year,
        configurations=int(np.prod(every.shape, dtype=np.int64)) if grid else 1,
        searched=tuple(every.axes),
        spec=chosen[-1][0] if settle else spec,
    )


def _best(table: Floats, rank_by: str, least_trades: int) -> int | None:
    """The combination that ranks first, the first of equals; None where none can be ranked."""
    scores = table[:, METRICS.index(rank_by)]
    barred = lost_accounts(table) | (table[:, METRICS.index("n_trades")] < least_trades)
    ranked = np.where(barred | ~np.isfinite(scores), -np.inf, scores)
    best = int(ranked.argmax())
    return None if ranked[best] == -np.inf else best


def _joined(pools: Sequence[_Pool], returns: Floats, capital: float, per_year: float) -> Floats:
    """Figures of consecutive stretches as one account: trades grow with what the stretches before left."""
    trades, scale = [], 1.0
    for pool in pools:
        rows = pool.trades.copy()
        rows[:, [SIZE, PROFIT]] *= scale
        trades.append(rows)
        scale *= float(np.prod(1.0 + pool.returns))
    bars = sum(pool.bars for pool in pools)
    return _figures(returns, np.concatenate(trades), bars, capital, per_year)[1]
