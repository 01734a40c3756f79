"""One strategy tried on the development part: walk-forward tests, and the whole of it; nothing is counted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from backtest import BacktestResult, Costs, StrategySpec
from backtest.engine.engines import chosen, executor
from backtest.kernels.simulation import BARS
from backtest.statistics.bootstrap import paired_difference
from backtest.types import Fill
from backtest.validation.traded import Traded, backtest_of, closes_of
from backtest.validation.trials import Trial as Looked
from backtest.validation.trials import grid_trials, trial
from backtest.validation.walk_forward import WalkForward, walk_forward
from nodes.context import OptimizationContext
from nodes.optimization.evidence.figures import trial_figures
from record.types import Figures, Strategy
from vault.datasets import Dataset
from vault.pools import development_of

MOST_CONFIGURATIONS = 96
"""Configurations that one trial compares in each fold: enough to see a plateau, few enough to be quick."""

LEAST_TRADES = 10
"""Trades in training below which a configuration is not chosen: its figures would be luck."""

_KEPT = 32

GridLike = Mapping[str, Sequence[float]]


class Trial(NamedTuple):
    """What came of a strategy.

    Attributes:
        spec: what would be traded: searched values settled on the whole of the development part.
        walk: its walk-forward tests, searched values refitted in each fold.
        whole: the settled strategy on the whole development part.
    """

    spec: StrategySpec
    walk: WalkForward
    whole: BacktestResult


def thinned(grid: GridLike, most: int = MOST_CONFIGURATIONS) -> dict[str, list[float]]:
    """The grid with at most so many combinations: the longest axis loses every second value, again and again.

    Its two ends stay as long as three values do.
    """
    axes = {name: sorted(values) for name, values in sorted(grid.items())}
    while int(np.prod([len(values) for values in axes.values()])) > most:
        name = max(axes, key=lambda one: (len(axes[one]), one))
        values = axes[name]
        axes[name] = [*values[:-1:2], values[-1]] if len(values) > 3 else values[::2]
    return axes


def try_strategy(prices: Traded, spec: StrategySpec, grid: GridLike, costs: Costs, fill: Fill) -> Trial:
    """Walk-forward tests with searched values refitted in each fold, and a backtest of what they settle on.

    Raises:
        BacktestError: the engine refuses the strategy, or the history is too short for it.
    """
    walk = walk_forward(
        prices,
        spec,
        thinned(grid) or None,
        costs=costs,
        fill=fill,
        plateau=True,
        least_trades=LEAST_TRADES,
        settle=True,
        workers=1,  # variants run side by side: more threads would only wait for each other
    )
    return Trial(walk.spec, walk, backtest_of(prices, walk.spec, costs, fill))


def t_statistic(look: Looked) -> float:
    """Of the excess over holding with the same exposure; ten digits, the same on every machine."""
    return float(f"{look.excess_sharpe * math.sqrt(look.n_observations):.10g}")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial as state, record and comparisons need it.

    Attributes:
        spec: what would be traded.
        figures: see `nodes.optimization.evidence.figures.trial_figures`; the caller's own copy.
        returns: of the walk-forward tests, bar by bar; shared, never written to.
        periods_per_year: bars a year.
        looked_at: every configuration that was compared, for the trial ledger; the first is what would be
            traded.
        bars_held: average bars of its trades on the whole development part; 0 without any.
    """

    spec: StrategySpec
    figures: Figures
    returns: pd.Series
    periods_per_year: float
    looked_at: tuple[Looked, ...]
    bars_held: float

    @property
    def excess_t(self) -> float:
        """t-statistic of the excess over holding with the same exposure, on the whole development part."""
        return t_statistic(self.looked_at[0])


@lru_cache(maxsize=_KEPT)
def _tried(spec: str, grid: str, dataset: str, home: str, costs: str, fill: Fill) -> Tried:
    """Everything is named by content, so an answer holds as long as it is kept."""
    prices = development_of(Dataset.model_validate_json(dataset), Path(home))
    task = _Task(
        StrategySpec.model_validate_json(spec), json.loads(grid), Costs.model_validate_json(costs), fill
    )
    (found,) = executor(chosen()).results(_try, [task], prices)
    return found


class _Task(NamedTuple):
    """What is to be tried on prices."""

    strategy: StrategySpec
    grid: GridLike
    costs: Costs
    fill: Fill


def _try(prices: Traded, task: _Task) -> Tried:
    """A trial, wherever the prices are."""
    strategy, values, terms, fill = task
    found = try_strategy(prices, strategy, values, terms, fill)
    compared = grid_trials(prices, strategy, thinned(values), terms, fill) if values else []
    held = found.whole.trade_values[:, BARS]
    return Tried(
        spec=found.spec,
        figures=trial_figures(found.spec, found.walk, found.whole, closes_of(prices)),
        returns=found.walk.returns,
        periods_per_year=found.walk.periods_per_year,
        looked_at=(trial(found.whole, closes_of(prices)), *compared),
        bars_held=float(held.mean()) if len(held) else 0.0,
    )


def tried(strategy: Strategy, grid: GridLike, dataset: Dataset, context: OptimizationContext) -> Tried:
    """Try a strategy on the development part of a dataset, with the run's costs and fill.

    What was tried a moment ago (the champion, above all) is not computed again.

    Args:
        strategy: a StrategySpec as JSON.
        grid: values by name that numeric search may choose among.
        dataset: prices.
        context: costs, fill, data folder.

    Raises:
        BacktestError: the engine refuses the strategy, or the history is too short for it.
        MarketError: the registered prices are gone or damaged.
    """
    found = _tried(
        json.dumps(strategy, sort_keys=True),
        json.dumps(grid, sort_keys=True),
        dataset.model_dump_json(),
        str(context.home_path),
        context.costs.model_dump_json(),
        context.fill,
    )
    return replace(found, figures=deepcopy(found.figures))


def p_value(challenger: Tried, champion: Tried, seed: int) -> float:
    """Chance that the challenger's lead in Sharpe ratio over the folds comes about between equals.

    By the paired block bootstrap of `backtest.statistics.bootstrap`. Returns are compared per unit of risk,
    so that trading half as much is neither a gain nor a loss.

    Args:
        challenger: the variant.
        champion: the reigning strategy, over the same folds.
        seed: of the resampling.
    """
    found = paired_difference(
        challenger.returns, champion.returns, challenger.periods_per_year, np.random.default_rng(seed)
    )
    return round(found.sharpe_p_value, 6)
