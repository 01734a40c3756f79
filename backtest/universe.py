"""One strategy on many instruments: by instrument, and pooled on common time.

from backtest import universe
result = universe.run_backtest({"BTC": btc, "ETH": eth}, spec, costs=Costs(fee_bps=5))
result.table, result.pooled.metrics.sharpe_ratio

What the pooled account is, and what a bar that is missing means: `backtest.engine.pooled`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.inputs import Tables
from backtest.data.together import CommonClock, Instruments, by_name
from backtest.data.year import BarsPerYear
from backtest.engine.batch import Chunk
from backtest.engine.engines import Engine, executor
from backtest.engine.pooled import Grid, PooledResult, Universe, dropped_of
from backtest.engine.run import BacktestResult
from backtest.engine.sweep import chunk_table
from backtest.kernels.simulation import BELOW_ONE_UNIT, METRICS, UNAFFORDABLE
from backtest.statistics.returns import bar_returns
from backtest.strategy import StrategySpec
from backtest.types import Costs, Fill, Metrics
from backtest.validation.folds import FOLDS, Fold, Scheme
from backtest.validation.trials import excess_returns
from backtest.validation.walk_forward import RANK_BY
from backtest.validation.walk_forward import walk_forward as walk_forward_of


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
    terms = (costs, fill, periods_per_year, initial_capital, trade_from)
    every = Universe(instruments, *terms, spec=spec, inputs=inputs)
    every.need(spec)
    found = every.run(spec)
    results = {part.name: part.result for part in found.parts}
    return UniverseBacktest(
        by_instrument=results,
        returns=_returns(found, every.clock),
        table=instrument_table(results, every.clock),
        pooled=Pooled(
            returns=_series(bar_returns(found.equity_values, initial_capital), found, "return"),
            excess=_series(excess_returns(found), found, "excess"),
            equity=found.equity,
            metrics=found.metrics,
            bars_per_year=found.bars_per_year,
        ),
    )


def _series(values: Any, found: BacktestResult, name: str) -> pd.Series:
    return pd.Series(values, index=found.index, name=name)


def _returns(found: PooledResult, clock: CommonClock) -> pd.DataFrame:
    """Returns of each instrument on the clock, NaN where one has no bar."""
    own = {one.name: bar_returns(one.result.equity_values, one.result.initial_capital) for one in found.parts}
    return pd.DataFrame({name: clock.spread(name, own[name]) for name in clock.rows}, index=clock.times)


def instrument_table(found: Mapping[str, BacktestResult], clock: CommonClock) -> pd.DataFrame:
    """A row an instrument, as `UniverseBacktest.table` has it."""
    rows = [
        {"first": one.index[0], "last": one.index[-1], "bars": len(one.index), "missing": clock.missing(name)}
        | one.metrics.to_dict()
        for name, one in found.items()
    ]
    table = pd.DataFrame(rows, index=pd.Index(found, name="instrument"))
    floats = [name for name in METRICS if name != "n_trades"]
    return table.astype(dict.fromkeys(floats, np.float64))


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
    engine: Engine | None = None,
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
        engine: where configurations are tested, as in `backtest.sweep`.
        inputs: other tables by name.

    Raises:
        BacktestError: as `run_backtest` of this module and `backtest.sweep`; `empty_grid` where no
            combination makes sense on every instrument.
    """
    terms = (costs, fill, periods_per_year, initial_capital, trade_from)
    every = Universe(instruments, *terms, spec=spec, inputs=inputs)
    searched = Grid(every, spec, grid, workers, executor(engine, workers))
    chunks = searched.chunks()
    tables = {}
    for name, parts in chunks.items():
        market = every.markets[name]
        table = pd.concat(
            [chunk_table(searched.axes, part, market.index) for part in parts], ignore_index=True
        )
        tables[name] = _attributed(table, dropped_of(parts), market.bars_per_year)
    places = searched.sensible({name: [part.chosen for part in parts] for name, parts in chunks.items()})
    figures, up = searched.figures(places, [every.everything])
    at = np.unravel_index(places, searched.shape) if searched.axes else ()
    values = figures[0]
    # Entries that were not taken are told by instrument.
    values[:, [BELOW_ONE_UNIT, UNAFFORDABLE]] = 0.0
    chunk = Chunk(chosen=dict(zip(searched.axes, at, strict=True)), metrics=values, dropped=Counter())
    pooled = chunk_table(searched.axes, chunk, every.clock.times)
    pooled = pooled.drop(columns=["entries_below_one_unit", "entries_unaffordable"])
    pooled["instruments_up"] = up[0]
    pooled.attrs["dropped"] = int(np.prod(searched.shape, dtype=np.int64)) - places.size
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
    engine: Engine | None = None,
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
        engine: where configurations are tested, as in `backtest.sweep`.
        inputs: other tables by name.

    Raises:
        BacktestError: as `sweep`; `unknown_metric`, `not_enough_bars` where the folds are too short.
    """
    walk = walk_forward_of(
        dict(by_name(instruments, "instruments")),
        spec,
        grid,
        costs,
        fill,
        periods_per_year,
        initial_capital,
        folds=folds,
        scheme=scheme,
        embargo=embargo,
        rank_by=rank_by,
        least_trades=least_trades,
        settle=settle,
        workers=workers,
        engine=engine,
        inputs=inputs,
    )
    found = []
    series = {name: np.full(len(walk.returns), np.nan) for name in instruments}
    first = walk.folds[0].fold.test_start
    for one in walk.folds:
        tested = one.test
        assert isinstance(tested, PooledResult)
        for part in tested.parts:
            own = bar_returns(part.result.equity_values, initial_capital)
            series[part.name][part.rows - first] = own
        found.append(
            UniverseFold(
                fold=one.fold,
                spec=one.spec,
                fitted=one.fitted,
                train=one.train,
                test=tested.metrics,
                by_instrument={part.name: part.result.metrics for part in tested.parts},
            )
        )
    return UniverseWalkForward(
        folds=tuple(found),
        returns=walk.returns,
        by_instrument=pd.DataFrame(series, index=walk.returns.index),
        metrics=walk.metrics,
        bars_per_year=walk.bars_per_year,
        configurations=walk.configurations,
        searched=walk.searched,
        spec=walk.spec,
    )
