"""Walk-forward tests and combinatorial cross-validation: choose on one stretch of time, test on another.

Both refit the searched parameters in each fold by the same kernels as `sweep`. They belong on the development
part: people and models see what happens across folds, so only the holdout is out-of-sample.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.inputs import Tables, with_inputs
from backtest.data.together import Instruments
from backtest.data.year import BarsPerYear
from backtest.engine.batch import Batch
from backtest.engine.engines import Engine, executor
from backtest.engine.executor import Executor
from backtest.engine.pooled import EXPOSURE, Grid, PooledResult, Universe, bars_held
from backtest.engine.ranking import lost_accounts
from backtest.engine.run import BacktestResult, open_market, run_signals
from backtest.engine.sweep import configured, grid_axes
from backtest.errors import RequestError
from backtest.kernels.orders import Levels
from backtest.kernels.simulation import (
    ENTRY_BAR,
    EXIT_BAR,
    FIGURES,
    METRICS,
    PROFIT,
    SIZE,
    TRADE_COLUMNS,
    Floats,
    Signals,
    measure,
)
from backtest.statistics.returns import Returns, bar_returns
from backtest.strategy import StrategySpec
from backtest.types import AccountLost, Costs, Fill, Metrics
from backtest.validation.folds import (
    FOLDS,
    CombinatorialSplit,
    Fold,
    Scheme,
    combinatorial_splits,
    make_folds,
)
from backtest.validation.plateau import plateau_scores, plateau_scores_of
from backtest.validation.sampling import Places, sampled

RANK_BY = "sharpe_ratio"

_SHARPE, _VOLATILITY = METRICS.index("sharpe_ratio"), METRICS.index("volatility")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoldResult:
    """What one fold chose, and how it fared.

    Attributes:
        fold: the bars.
        spec: the strategy tested: refitted where a grid was searched and a configuration could be ranked.
        fitted: whether it was.
        train: its metrics on the training stretch; None without a grid.
        test: the backtest of the test stretch, from a flat start and `initial_capital`.
    """

    fold: Fold
    spec: StrategySpec
    fitted: bool
    train: Metrics | None
    test: BacktestResult


@dataclass(frozen=True, kw_only=True)
class WalkForward:
    """A walk-forward test.

    Attributes:
        folds: one entry a fold, in order of time.
        returns: of all test stretches, bar by bar, without a gap.
        metrics: of the test stretches as one account: each begins with what the one before left.
        account_lost: where that account was lost: it trades nothing after, though folds are tested on; its
            bar counts from the first of the data. None where it survived.
        bars_per_year: bars a year, and where the figure comes from.
        configurations: how many were compared in each fold; of a sampled grid, in all of them.
        combinations: of a sampled grid the values of each that was tried, by name; else empty.
        searched: names of the grid's axes.
        spec: with `settle`, what the same choice on the whole history gives, to be traded after it; else the
            strategy as it was given.
    """

    folds: tuple[FoldResult, ...]
    returns: pd.Series
    metrics: Metrics
    account_lost: AccountLost | None
    bars_per_year: BarsPerYear
    configurations: int
    combinations: tuple[Mapping[str, Any], ...]
    searched: tuple[str, ...]
    spec: StrategySpec

    @property
    def periods_per_year(self) -> float:
        """Bars a year."""
        return self.bars_per_year.value

    @property
    def efficiency(self) -> float | None:
        """Mean test over mean training Sharpe ratio; None without a grid, a positive latter or an account.

        Pardo 2008, The Evaluation and Optimization of Trading Strategies, chapter 11, on Sharpe ratios.
        """
        trained = [one.train.sharpe_ratio or 0.0 for one in self.folds if one.train is not None]
        if self.account_lost is not None or not trained or sum(trained) <= 0.0:
            return None
        return sum(one.test.metrics.sharpe_ratio or 0.0 for one in self.folds) / sum(trained)


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """A combinatorial purged cross-validation.

    Attributes:
        splits: every choice of test groups.
        specs: the strategy chosen in each split.
        paths: returns bar by bar of each way of joining tested groups to one whole history, paths × bars; 0
            after the account is lost.
        sharpes: annualised Sharpe ratio of each path, 0 where it does not move, None where it lost the
            account.
        bars_per_year: bars a year, and where the figure comes from.
        configurations: how many were compared in each split.
    """

    splits: tuple[CombinatorialSplit, ...]
    specs: tuple[StrategySpec, ...]
    paths: Floats
    sharpes: tuple[float | None, ...]
    bars_per_year: BarsPerYear
    configurations: int


class _Searched(ABC):
    """One strategy on prices: any configuration of the grid on any stretch of their bars.

    Attributes:
        times: of the bars.
        year: bars a year.
    """

    times: pd.DatetimeIndex
    year: BarsPerYear

    def __init__(
        self, spec: StrategySpec, grid: Mapping[str, Iterable[Any]] | None, capital: float, plateau: bool
    ) -> None:
        self.plateau = plateau
        self.spec = spec
        self.axes = grid_axes(spec, grid or {})
        self.shape = tuple(len(values) for values in self.axes.values())
        self.count = math.prod(self.shape)
        self.capital = capital

    @abstractmethod
    def tables(self, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """Metrics of every configuration on each stretch of bars; NaN rows where one makes no sense.

        Raises:
            RequestError: `empty_grid` where no combination makes sense.
        """

    @abstractmethod
    def figures(self, combinations: Places, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """As `tables`, of some combinations by number; NaN rows in all stretches where none makes sense."""

    @abstractmethod
    def test(self, spec: StrategySpec, start: int, stop: int) -> BacktestResult:
        """A backtest from bar `start` to `stop`; what lies before warms up the indicators.

        Where too little lies before, nothing is known and nothing is traded: an early stretch of a long
        average is idle, not an error.
        """

    def places(self, combinations: Places) -> NDArray[np.int64]:
        """Combinations by their place on each axis."""
        return np.stack(np.unravel_index(combinations, self.shape), axis=1)

    def values(self, place: NDArray[np.int64]) -> dict[str, Any]:
        """Of each axis the value at a place."""
        return {name: values[at] for (name, values), at in zip(self.axes.items(), place, strict=True)}

    def chosen(
        self, scores: Floats, lost: NDArray[np.bool_], combinations: Places | None = None
    ) -> tuple[StrategySpec, int | None]:
        """The configuration that scores highest (the first of equals); the strategy itself where none has.

        Args:
            scores: one a configuration of the grid; NaN is never chosen.
            lost: where the account was lost: never chosen either, and as a neighbour on the plateau it is as
                poor as the poorest of those that survived.
            combinations: of which these are; None for all of the grid.
        """
        places = None if combinations is None else self.places(combinations)
        scores = np.where(lost, np.nan, scores)
        if self.plateau and self.axes:
            poorest = scores[np.isfinite(scores)].min(initial=np.inf)
            around = np.where(lost & np.isfinite(poorest), poorest, scores)
            if places is None:
                around = plateau_scores(around, list(self.axes.values()))
            else:
                around = plateau_scores_of(around, places, self.shape)
            scores = np.where(lost, np.nan, around)
        ranked = np.where(np.isfinite(scores), scores, -np.inf)
        best = int(ranked.argmax())
        if not self.axes or ranked[best] == -np.inf:
            return self.spec, None
        place = self.places(np.array([best]))[0] if places is None else places[best]
        return configured(self.spec, self.values(place)), best


class _SearchedAlone(_Searched):
    """On the prices of one instrument."""

    def __init__(
        self,
        df: pd.DataFrame,
        spec: StrategySpec,
        grid: Mapping[str, Iterable[Any]] | None,
        costs: Costs,
        fill: Fill,
        periods_per_year: float | None,
        initial_capital: float,
        workers: int | None,
        plateau: bool,
        where: Executor,
    ) -> None:
        super().__init__(spec, grid, initial_capital, plateau)
        self.market = open_market(df, costs, fill, periods_per_year, initial_capital, None)
        self.times, self.year = self.market.index, self.market.bars_per_year
        self.costs = costs
        self.fill: Fill = fill
        self.workers, self.where = workers, where
        self._batch: Batch | None = None
        self._signals: dict[str, tuple[Signals, Levels]] = {}
        self._tested: dict[tuple[str, int, int], BacktestResult] = {}

    def tables(self, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """As `_Searched`."""
        found = [np.full((self.count, FIGURES), np.nan) for _ in stretches]
        batch = Batch(self.market, self.spec, self.axes, self.workers)
        alive = 0
        for _, chunks in batch.chunks_over(stretches, self.where):
            for table, chunk in zip(found, chunks, strict=True):
                table[np.ravel_multi_index(tuple(chunk.chosen.values()), self.shape)] = chunk.metrics
            alive += len(chunks[0].metrics)
        if not alive:
            raise RequestError("empty_grid", name=", ".join(self.axes))
        return found

    def figures(self, combinations: Places, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """As `_Searched`."""
        order = np.argsort(combinations)
        if self._batch is None:
            self._batch = Batch(self.market, self.spec, self.axes, self.workers)
        chunks = self._batch.run_over([self.market.between(*one) for one in stretches], combinations[order])
        found = [np.full((combinations.size, FIGURES), np.nan) for _ in stretches]
        for table, chunk in zip(found, chunks, strict=True):
            alive = np.ravel_multi_index(tuple(chunk.chosen.values()), self.shape)
            table[order[np.searchsorted(combinations[order], alive)]] = chunk.metrics
        return found

    def test(self, spec: StrategySpec, start: int, stop: int) -> BacktestResult:
        """As `_Searched`."""
        name = (spec.hash, start, stop)
        if name not in self._tested:
            self.market.need(spec.lookback())
            market = self.market.between(start, stop)
            if spec.hash not in self._signals:
                bank, trees = self.market.bank, spec.bound_trees
                self._signals[spec.hash] = bank.signals(trees), bank.levels(trees)
            signals, levels = self._signals[spec.hash]
            self._tested[name] = run_signals(
                market, spec, signals[:stop], self.costs, self.fill, levels.until(stop)
            )
        return self._tested[name]


class _SearchedTogether(_Searched):
    """On many instruments: stretches are of their common clock, and a configuration is one for all."""

    def __init__(
        self,
        every: Universe,
        spec: StrategySpec,
        grid: Mapping[str, Iterable[Any]] | None,
        workers: int | None,
        plateau: bool,
        where: Executor,
    ) -> None:
        super().__init__(spec, grid, every.capital, plateau)
        self.every, self.grid = every, Grid(every, spec, grid or {}, workers, where)
        self.times, self.year = every.clock.times, every.year
        self._sensible: Places | None = None
        self._tested: dict[tuple[str, int, int], BacktestResult] = {}

    def tables(self, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """As `_Searched`; figures are those of the pooled account."""
        places = self.grid.sensible()
        found = [np.full((self.count, FIGURES), np.nan) for _ in stretches]
        for table, figures in zip(found, self.grid.figures(places, stretches)[0], strict=True):
            table[places] = figures
        return found

    def figures(self, combinations: Places, stretches: Sequence[tuple[int, int]]) -> list[Floats]:
        """As `_Searched`; figures are those of the pooled account."""
        if self._sensible is None:
            self._sensible = self.grid.sensible()
        alive = np.isin(combinations, self._sensible)
        found = [np.full((combinations.size, FIGURES), np.nan) for _ in stretches]
        for table, figures in zip(found, self.grid.figures(combinations[alive], stretches)[0], strict=True):
            table[alive] = figures
        return found

    def test(self, spec: StrategySpec, start: int, stop: int) -> BacktestResult:
        """As `_Searched`."""
        name = (spec.hash, start, stop)
        if name not in self._tested:
            self.every.need(spec)
            self._tested[name] = self.every.run(spec, (start, stop))
        return self._tested[name]


def _searched(
    df: pd.DataFrame | Instruments,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]] | None,
    costs: Costs | None,
    fill: Fill,
    periods_per_year: float | None,
    initial_capital: float,
    workers: int | None,
    plateau: bool = False,
    inputs: Tables | None = None,
    engine: Engine | None = None,
) -> _Searched:
    costs, where = costs or Costs(), executor(engine, workers)
    if isinstance(df, Mapping):
        every = Universe(df, costs, fill, periods_per_year, initial_capital, spec=spec, inputs=inputs)
        return _SearchedTogether(every, spec, grid, workers, plateau, where)
    df = with_inputs(df, inputs, spec)
    return _SearchedAlone(
        df, spec, grid, costs, fill, periods_per_year, initial_capital, workers, plateau, where
    )


def _joined(parts: list[BacktestResult], capital: float) -> tuple[Metrics, Returns, AccountLost | None]:
    """Consecutive stretches as one account: cash of each grows with what the ones before left.

    Once nothing is left it stays so: later stretches add bars without a return, and no trades.
    """
    equity, trades = [], []
    value, offset = capital, 0
    lost = None
    for part in parts:
        if value <= 0.0:
            equity.append(np.zeros(len(part.index)))
            continue
        lost = lost or part.account_lost
        scale = value / part.initial_capital
        equity.append(part.equity_values * scale)
        rows = part.trade_values.copy()
        rows[:, [SIZE, PROFIT]] *= scale
        first = len(part.all_times) - len(part.index)
        rows[:, [ENTRY_BAR, EXIT_BAR]] += offset - first
        trades.append(rows)
        value = float(equity[-1][-1])
        offset += len(part.index)
    curve, rows = np.concatenate(equity), np.concatenate([*trades, np.empty((0, TRADE_COLUMNS))])
    out = np.empty(FIGURES)
    measure(curve, capital, rows, len(rows), parts[0].periods_per_year, out)
    if bars := sum(part.bars for part in parts if isinstance(part, PooledResult)):
        out[EXPOSURE] = bars_held(rows) / bars
    return Metrics.from_values(out.tolist()), bar_returns(curve, capital), lost


def walk_forward(
    df: pd.DataFrame | Instruments,
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
    plateau: bool = False,
    least_trades: int = 0,
    settle: bool = False,
    most: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    engine: Engine | None = None,
    inputs: Tables | None = None,
) -> WalkForward:
    """Refit the searched parameters on each training stretch, and test each choice on the segment behind it.

    Args:
        df: prices, as `validate_prices` takes them: the development part. Of several instruments by name:
            one choice for all in each fold of their common clock, by the pooled account
            (`backtest.engine.pooled`), among combinations that make sense on every one.
        spec: the strategy; its own values hold where the grid says nothing.
        grid: values of parameters and risk settings by name, as for `sweep`; without one the strategy is
            tested as it is on every test stretch.
        costs: as in `run_backtest`, and so the three that follow.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start.
        folds: see `backtest.validation.folds.make_folds`, and so the two that follow.
        scheme: what each fold trains on.
        embargo: bars between training and test.
        rank_by: metric by which a fold chooses, highest first; of equals the first of the grid.
        plateau: rank by the neighbourhood's average (`plateau`) instead of the value alone.
        least_trades: configurations with fewer trades in training are not ranked: their figures are luck.
        settle: choose on the whole history as well (`WalkForward.spec`).
        most: combinations tried at most: of a larger grid, whose axes are numbers, those that Optuna's TPE
            asks for, led by the training stretches in their order, so that none that a fold may choose has
            seen its test.
        seed: of what is drawn where a grid is sampled.
        workers: configurations at a time; by default one a core.
        engine: where configurations are tested, as in `sweep`.
        inputs: other tables by name, as in `run_backtest`.

    Raises:
        BacktestError: as `sweep`; `unknown_metric`, `not_enough_bars` where the folds are too short.
    """
    if rank_by not in METRICS:
        raise RequestError("unknown_metric", name=rank_by, known=", ".join(METRICS))
    searched = _searched(
        df, spec, grid, costs, fill, periods_per_year, initial_capital, workers, plateau, inputs, engine
    )
    cuts = make_folds(len(searched.times), folds, scheme, embargo=embargo)
    stretches = [(fold.train_start, fold.train_stop) for fold in cuts]
    if settle:
        stretches.append((0, len(searched.times)))
    combinations, after = None, np.empty(0, dtype=np.int64)
    if grid and most is not None and searched.count > most:
        combinations, after, tables = _sampled(searched, stretches, rank_by, least_trades, most, seed)
    else:
        tables = searched.tables(stretches) if grid else []
    found = []
    for place, fold in enumerate(cuts):
        chosen, train, fitted = spec, None, False
        if grid:
            table, among = tables[place], combinations
            if among is not None:  # what was led to without a look beyond this training
                known = after <= place + 1
                table, among = table[known], among[known]
            chosen, best = searched.chosen(*_ranks(table, rank_by, least_trades), among)
            if best is not None:
                train, fitted = Metrics.from_values(table[best].tolist()), True
        found.append(
            FoldResult(
                fold=fold,
                spec=chosen,
                fitted=fitted,
                train=train,
                test=searched.test(chosen, fold.test_start, fold.test_stop),
            )
        )
    settled = spec
    if grid and settle:
        settled, _ = searched.chosen(*_ranks(tables[-1], rank_by, least_trades), combinations)
    metrics, returns, lost = _joined([one.test for one in found], initial_capital)
    index = searched.times[found[0].fold.test_start : found[-1].fold.test_stop]
    return WalkForward(
        folds=tuple(found),
        returns=pd.Series(returns, index=index, name="return"),
        metrics=metrics,
        account_lost=lost,
        bars_per_year=searched.year,
        configurations=len(tables[0]) if tables else 1,
        combinations=()
        if combinations is None
        else tuple(searched.values(place) for place in searched.places(combinations)),
        searched=tuple(searched.axes),
        spec=settled,
    )


def _sampled(
    searched: _Searched,
    stretches: Sequence[tuple[int, int]],
    rank_by: str,
    least_trades: int,
    most: int,
    seed: int,
) -> tuple[Places, Places, list[Floats]]:
    """(combinations, by how many stretches each was led to, their figures on each stretch).

    Raises:
        RequestError: `empty_grid`: none that was drawn makes sense.
    """
    rows: dict[int, list[Floats]] = {}

    def scores(batch: Places) -> Floats:
        tables = searched.figures(batch, stretches)
        for at, one in enumerate(batch.tolist()):
            rows[one] = [table[at] for table in tables]
        found = []
        for table in tables:
            ranked, lost = _ranks(table, rank_by, least_trades)
            ranked = np.where(lost, np.nan, ranked)
            found.append(np.where(np.isnan(table).all(axis=1), -np.inf, ranked))
        return np.array(found)

    combinations, after = sampled(searched.shape, most, len(stretches), scores, seed)
    if not combinations.size:
        raise RequestError("empty_grid", name=", ".join(searched.axes))
    tables = [
        np.array([rows[one][place] for one in combinations.tolist()]) for place in range(len(stretches))
    ]
    return combinations, after, tables


def _ranks(table: Floats, rank_by: str, least_trades: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The metric to choose by, NaN where there are too few trades to go by; where the account was lost."""
    enough = table[:, METRICS.index("n_trades")] >= least_trades
    return np.where(enough, table[:, METRICS.index(rank_by)], np.nan), lost_accounts(table)


def _pooled_sharpes(tables: list[Floats], bars: list[int], per_year: float) -> Floats:
    """Annualised Sharpe ratio of each configuration over several stretches, from the figures of each.

    A Sharpe ratio and a volatility give back mean and variance, which add up; a stretch without a trade has
    both at 0. Configurations that make no sense in a stretch, or never move, have none.
    """
    total = sum(bars)
    sums = np.zeros(len(tables[0]))
    squares = np.zeros(len(tables[0]))
    for table, size in zip(tables, bars, strict=True):
        deviation = table[:, _VOLATILITY] / math.sqrt(per_year)
        mean = np.where(deviation == 0.0, 0.0, table[:, _SHARPE] * deviation / math.sqrt(per_year))
        sums += mean * size
        squares += deviation**2 * (size - 1) + mean**2 * size
    mean = sums / total
    variance = np.maximum(0.0, squares - total * mean**2) / (total - 1)
    moved = variance > 1e-24 * mean**2
    return np.where(moved, mean / np.sqrt(np.where(moved, variance, 1.0)) * math.sqrt(per_year), np.nan)


def combinatorial_cross_validation(
    df: pd.DataFrame | Instruments,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]] | None = None,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    periods_per_year: float | None = None,
    initial_capital: float = 10_000.0,
    *,
    groups: int = 6,
    test_groups: int = 2,
    embargo: int | None = None,
    workers: int | None = None,
) -> CrossValidation:
    """Choose by Sharpe ratio on every choice of training groups; join what was tested to whole histories.

    López de Prado 2018, chapter 12: `groups` over `test_groups` splits, each group tested equally often, so
    that the tests join to C(groups - 1, test_groups - 1) paths. Training stretches are pooled by their means
    and variances.

    Args:
        df: prices: the development part, of one instrument or of several by name.
        spec: as in `walk_forward`, and so the five that follow.
        grid: values by name.
        costs: fees and slippage.
        fill: where orders are filled.
        periods_per_year: bars a year.
        initial_capital: cash at the start of each stretch.
        groups: see `backtest.validation.folds.combinatorial_splits`, and so the two that follow.
        test_groups: groups tested at a time.
        embargo: bars of training given up on either side of a test group.
        workers: configurations at a time.

    Raises:
        BacktestError: as `walk_forward`.
    """
    searched = _searched(df, spec, grid, costs, fill, periods_per_year, initial_capital, workers)
    bars = len(searched.times)
    splits = combinatorial_splits(bars, groups, test_groups, embargo=embargo)
    specs: list[StrategySpec] = []
    tested: dict[int, list[Returns]] = {group: [] for group in range(groups)}
    stretches = sorted({stretch for split in splits for stretch in split.train})
    tables = dict(zip(stretches, searched.tables(stretches), strict=True)) if grid else {}
    for split in splits:
        chosen = spec
        if grid:
            sizes = [stop - start for start, stop in split.train]
            parts = [tables[one] for one in split.train]
            lost = np.logical_or.reduce([lost_accounts(one) for one in parts])
            chosen, _ = searched.chosen(_pooled_sharpes(parts, sizes, searched.year.value), lost)
        specs.append(chosen)
        for group, (start, stop) in zip(split.test_groups, split.test, strict=True):
            result = searched.test(chosen, start, stop)
            tested[group].append(bar_returns(result.equity_values, result.initial_capital))
    # The n-th path takes the n-th test of every group.
    paths = np.array([np.concatenate(parts) for parts in zip(*tested.values(), strict=True)])
    gone = np.cumsum(paths <= -1.0, axis=1) > 0
    paths[:, 1:][gone[:, :-1]] = 0.0
    mean, deviation = paths.mean(axis=1), paths.std(axis=1, ddof=1)
    moved = deviation > 1e-12 * np.abs(mean)
    ratios = np.where(moved, mean / np.where(moved, deviation, 1.0), 0.0) * math.sqrt(searched.year.value)
    return CrossValidation(
        splits=tuple(splits),
        specs=tuple(specs),
        paths=paths,
        sharpes=tuple(
            None if lost else ratio for ratio, lost in zip(ratios.tolist(), gone[:, -1].tolist(), strict=True)
        ),
        bars_per_year=searched.year,
        configurations=searched.count if grid else 1,
    )
