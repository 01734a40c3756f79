"""One strategy tried on the development part: walk-forward tests, and the whole of it; nothing is counted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from backtest import BacktestResult, Costs, StrategySpec
from backtest.engine.engines import chosen, executor
from backtest.engine.sweep import configured
from backtest.kernels.simulation import BARS
from backtest.statistics.bootstrap import paired_difference
from backtest.statistics.returns import Returns
from backtest.types import Fill
from backtest.validation.score import excess_of_folds, excess_of_tests, folds_held
from backtest.validation.traded import Traded, backtest_of, closes_of
from backtest.validation.trials import Trial as Looked
from backtest.validation.trials import configuration_trials, grid_trials, trial
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


def combinations(grid: GridLike) -> int:
    """How many combinations of values a grid has."""
    return math.prod(map(len, grid.values()))


def searched(
    grid: GridLike, most: int | None, ranges: Literal["thinned", "sampled"]
) -> dict[str, list[float]]:
    """What a test searches of a proposal's values.

    Args:
        grid: values by name.
        most: combinations that it may try; None for as many as usual.
        ranges: of more than that, `thinned` takes fewer values, `sampled` leaves the choice to `walk_forward`
            as long as the usual number may be tried.
    """
    allowed = MOST_CONFIGURATIONS if most is None else min(most, MOST_CONFIGURATIONS)
    if ranges == "sampled" and allowed == MOST_CONFIGURATIONS:
        return {name: sorted(values) for name, values in sorted(grid.items())}
    return thinned(grid, allowed)


def thinned(grid: GridLike, most: int = MOST_CONFIGURATIONS) -> dict[str, list[float]]:
    """The grid with at most so many combinations: the longest axis loses every second value, again and again.

    Its two ends stay as long as three values do.
    """
    axes = {name: sorted(values) for name, values in sorted(grid.items())}
    while combinations(axes) > most:
        name = max(axes, key=lambda one: (len(axes[one]), one))
        values = axes[name]
        axes[name] = [*values[:-1:2], values[-1]] if len(values) > 3 else values[::2]
    return axes


def try_strategy(
    prices: Traded, spec: StrategySpec, grid: GridLike, costs: Costs, fill: Fill, seed: int = 0
) -> Trial:
    """Walk-forward tests with searched values refitted in each fold, and a backtest of what they settle on.

    A grid of more than `MOST_CONFIGURATIONS` is sampled; `thinned` ones are tried whole.

    Raises:
        BacktestError: the engine refuses the strategy, or the history is too short for it.
    """
    walk = walk_forward(
        prices,
        spec,
        grid or None,
        costs=costs,
        fill=fill,
        plateau=True,
        least_trades=LEAST_TRADES,
        settle=True,
        most=MOST_CONFIGURATIONS,
        seed=seed,
        workers=1,  # variants run side by side: more threads would only wait for each other
    )
    return Trial(walk.spec, walk, backtest_of(prices, walk.spec, costs, fill))


_HOLDING = 0.2
"""Deviation of the excess, as a part of the account's, below which a strategy as good as holds.

It is out of the market for one bar in twenty-five. Its ratio would be that of a few costs to next to no risk,
which anything leads.
"""


def t_statistic(look: Looked) -> float:
    """Of the excess over holding with the same exposure; ten digits, the same on every machine."""
    return float(f"{look.excess_sharpe * math.sqrt(look.n_observations):.10g}")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial as state, record and comparisons need it; shared, never written to.

    Attributes:
        spec: what would be traded.
        figures: see `nodes.optimization.evidence.figures.trial_figures`.
        returns: of the walk-forward tests, bar by bar.
        excess: of them over holding, what the score is made of; none of what as good as holds; and
        excess_blocks: its Sharpe ratio in each fold, None from the one on in which the account was lost.
        periods_per_year: bars a year.
        looked_at: every configuration that was compared, for the trial ledger; the first is what would be
            traded.
        bars_held: average bars of its trades on the whole development part; 0 without any.
    """

    spec: StrategySpec
    figures: Figures
    returns: pd.Series
    excess: Returns
    excess_blocks: tuple[float | None, ...]
    periods_per_year: float
    looked_at: tuple[Looked, ...]
    bars_held: float

    @property
    def excess_t(self) -> float:
        """t-statistic of the excess over holding with the same exposure, on the whole development part."""
        return t_statistic(self.looked_at[0])


@lru_cache(maxsize=_KEPT)
def _tried(spec: str, grid: str, dataset: str, home: str, costs: str, fill: Fill, seed: int) -> Tried:
    """Everything is named by content, so an answer holds as long as it is kept."""
    prices = development_of(Dataset.model_validate_json(dataset), Path(home))
    task = _Task(
        StrategySpec.model_validate_json(spec),
        json.loads(grid),
        Costs.model_validate_json(costs),
        fill,
        seed,
    )
    (found,) = executor(chosen()).results(_try, [task], prices)
    return found


class _Task(NamedTuple):
    """What is to be tried on prices."""

    strategy: StrategySpec
    grid: GridLike
    costs: Costs
    fill: Fill
    seed: int


def _try(prices: Traded, task: _Task) -> Tried:
    """A trial, wherever the prices are."""
    strategy, values, terms, fill, seed = task
    found = try_strategy(prices, strategy, values, terms, fill, seed)
    if found.walk.combinations:
        specs = [configured(strategy, one) for one in found.walk.combinations]
        compared = configuration_trials(prices, specs, terms, fill)
    else:
        compared = grid_trials(prices, strategy, values, terms, fill) if values else []
    held = found.whole.trade_values[:, BARS]
    excess = excess_of_tests(found.walk, closes_of(prices))
    if excess.std() < _HOLDING * found.walk.returns.std():
        excess = np.zeros_like(excess)
    return Tried(
        spec=found.spec,
        figures=trial_figures(found.spec, found.walk, found.whole, closes_of(prices)),
        returns=found.walk.returns,
        excess=excess,
        excess_blocks=excess_of_folds(found.walk, excess),
        periods_per_year=found.walk.periods_per_year,
        looked_at=(trial(found.whole, closes_of(prices)), *compared),
        bars_held=float(held.mean()) if len(held) else 0.0,
    )


def tried(strategy: Strategy, grid: GridLike, dataset: Dataset, context: OptimizationContext) -> Tried:
    """Try a strategy on the development part of a dataset, with the run's costs and fill.

    What was tried a moment ago (the champion, above all) is not computed again.

    Args:
        strategy: a StrategySpec as JSON.
        grid: values by name that numeric search may choose among; see `try_strategy`.
        dataset: prices.
        context: costs, fill, seed, data folder.

    Raises:
        BacktestError: the engine refuses the strategy, or the history is too short for it.
        MarketError: the registered prices are gone or damaged.
    """
    return _tried(
        json.dumps(strategy, sort_keys=True),
        json.dumps(grid, sort_keys=True),
        dataset.model_dump_json(),
        str(context.home_path),
        context.costs.model_dump_json(),
        context.fill,
        context.seed if combinations(grid) > MOST_CONFIGURATIONS else 0,
    )


class Beside(NamedTuple):
    """A challenger beside the champion.

    Attributes:
        held: folds in which it is no worse.
        p_value: chance that its lead comes about between equals; None where it does not lead or not in most
            of the folds.
    """

    held: int
    p_value: float | None


def beside(
    challenger: Tried, champion: Tried, context: OptimizationContext, scores: tuple[float, float]
) -> Beside:
    """Compare two strategies over the same folds by what `context.gate` says: their skill or Sharpe ratio.

    Args:
        challenger: the variant.
        champion: the reigning strategy.
        context: gate and seed.
        scores: of both, as they are on record.
    """
    if context.gate == "skill":
        blocks, before = challenger.excess_blocks, champion.excess_blocks
    else:
        blocks, before = tuple(challenger.figures["blocks"]), tuple(champion.figures["blocks"])
    held = folds_held(blocks, before)
    leads = scores[0] > scores[1] and 2 * held > len(blocks)
    return Beside(held, p_value(challenger, champion, context.seed, context.gate) if leads else None)


def p_value(
    challenger: Tried, champion: Tried, seed: int, gate: Literal["skill", "sharpe"] = "skill"
) -> float:
    """Chance that the challenger's lead over the folds comes about between equals.

    By the paired block bootstrap of `backtest.statistics.bootstrap`. What is compared is per unit of risk, so
    that trading half as much is neither a gain nor a loss.

    Args:
        challenger: the variant.
        champion: the reigning strategy, over the same folds.
        seed: of the resampling.
        gate: `skill` compares the excess over holding, costs in doubt charged, as the score does; `sharpe`
            returns, as runs of earlier versions did.
    """
    mine, theirs = (one.excess if gate == "skill" else one.returns for one in (challenger, champion))
    found = paired_difference(mine, theirs, challenger.periods_per_year, np.random.default_rng(seed))
    return round(found.sharpe_p_value, 6)
