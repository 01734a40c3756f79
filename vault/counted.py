"""Searches that a person made by hand, counted: every configuration of a sweep is one more chance of luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet

from backtest import BacktestResult, Costs, StrategySpec, SweepFile
from backtest.engine.sweep import configured, grid_axes
from backtest.portfolio import PortfolioResult
from backtest.statistics.returns import bar_returns
from backtest.types import Fill
from backtest.validation.traded import Traded
from backtest.validation.trials import Trial, configuration_trials, grid_trials, trial, trial_of
from vault.datasets import Dataset
from vault.ledger import MOST_ROWS_A_SEARCH, Ledger

SAMPLED = 256
"""Configurations of a large sweep whose returns are kept for comparison."""


def rows_looked_at(dataset: Dataset, *, whole: bool) -> str:
    """Identity of the rows that were evaluated: the development part, or everything."""
    return f"{dataset.development_hash}+{dataset.holdout_hash}" if whole else dataset.development_hash


def count_backtest(
    home: Path, dataset: Dataset, result: BacktestResult, prices: pd.DataFrame | None, *, whole: bool
) -> None:
    """Count one backtest: of several instruments on each of them too, and no prices are needed.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    found = trial(result, None if prices is None else prices["close"])
    _count_one(home, dataset, found, whole=whole)
    for one in dataset.instruments:
        if each := found.each.get(one.symbol):
            _count_one(home, one, each, whole=whole)


def count_portfolio(home: Path, dataset: Dataset, result: PortfolioResult, name: str, *, whole: bool) -> None:
    """Count one set of target weights on the market of all its instruments.

    Args:
        home: the data folder.
        dataset: the prices.
        result: what the weights did.
        name: identity of the weights and of how they were traded.
        whole: whether the holdout was seen.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    own = bar_returns(result.equity, result.initial_capital)
    _count_one(home, dataset, trial_of(name, own, result.excess), whole=whole)


def _count_one(home: Path, dataset: Dataset, found: Trial, *, whole: bool) -> None:
    Ledger(home).count(
        dataset.family,
        [found],
        development_hash=rows_looked_at(dataset, whole=whole),
        origin="backtest",
        source="backtest",
    )


def count_sweep(
    home: Path,
    dataset: Dataset,
    prices: Traded,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs,
    fill: Fill,
    found: SweepFile,
    *,
    whole: bool,
) -> None:
    """Count a finished sweep: a row a configuration; where they are many, a sample of them and their number.

    Of more than `MOST_ROWS_A_SEARCH` configurations `SAMPLED`, drawn at random, are trials like any other, so
    that their returns can be compared; the rest is one row with a count, its ratios as those of the sample.
    A sweep of several instruments counts on each of them too.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    ledger, source = Ledger(home), f"sweep {spec.hash}"
    if few := found.rows <= MOST_ROWS_A_SEARCH:
        trials = grid_trials(prices, spec, grid, costs, fill)
    else:
        trials = configuration_trials(prices, _sampled(spec, grid, found), costs, fill)
    counted = [(dataset, trials)]
    for one in dataset.instruments:
        if each := [looked.each[one.symbol] for looked in trials if one.symbol in looked.each]:
            counted.append((one, each))
    for market, looks in counted:
        rows = rows_looked_at(market, whole=whole)
        ledger.count(market.family, looks, development_hash=rows, origin="sweep", source=source)
        if few:
            continue
        ratios = np.array([one.excess_sharpe for one in looks])
        ledger.count_search(
            market.family,
            about={
                "strategy": spec.model_dump(mode="json", exclude={"name"}),
                "grid": {name: list(values) for name, values in grid.items()},
                "rows": rows,
            },
            configurations=found.rows - len(looks),
            sharpe_mean=float(ratios.mean()),
            sharpe_variance=float(ratios.var(ddof=1)),
            origin="sweep",
            source=source,
        )


def _sampled(spec: StrategySpec, grid: Mapping[str, Iterable[Any]], found: SweepFile) -> list[StrategySpec]:
    """`SAMPLED` configurations of a sweep, the same ones each time it is counted."""
    axes = list(grid_axes(spec, grid))
    places = np.sort(np.random.default_rng(0).choice(found.rows, SAMPLED, replace=False))
    chosen = parquet.read_table(found.path, columns=axes).take(places).to_pylist()
    specs = (configured(spec, {name: _value(value) for name, value in row.items()}) for row in chosen)
    return list({one.hash: one for one in specs}.values())


def _value(stored: Any) -> Any:
    """A value of an axis: what was off is stored as NaN."""
    return None if isinstance(stored, float) and math.isnan(stored) else stored
