"""Searches that a person made by hand, counted: every configuration of a sweep is one more chance of luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet

from backtest import BacktestResult, Costs, StrategySpec, SweepFile, periods_per_year
from backtest.trials import grid_trials, trial
from backtest.types import Fill
from market.datasets import Dataset
from market.ledger import MOST_ROWS_A_SEARCH, Ledger


def rows_looked_at(dataset: Dataset, *, whole: bool) -> str:
    """Identity of the rows that were evaluated: the development part, or everything."""
    return f"{dataset.development_hash}+{dataset.holdout_hash}" if whole else dataset.development_hash


def count_backtest(
    home: Path, dataset: Dataset, result: BacktestResult, prices: pd.DataFrame, *, whole: bool
) -> None:
    """Count one backtest.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    Ledger(home).count(
        dataset.family,
        [trial(result, prices["close"])],
        development_hash=rows_looked_at(dataset, whole=whole),
        origin="backtest",
        source="backtest",
    )


def count_sweep(
    home: Path,
    dataset: Dataset,
    prices: pd.DataFrame,
    spec: StrategySpec,
    grid: Mapping[str, Iterable[Any]],
    costs: Costs,
    fill: Fill,
    found: SweepFile,
    *,
    whole: bool,
) -> None:
    """Count a finished sweep: a row a configuration, or one row with their number where they are many.

    Raises:
        MarketError: `unusable_ledger`.
        OSError: the folder cannot be written.
    """
    ledger, rows = Ledger(home), rows_looked_at(dataset, whole=whole)
    source = f"sweep {spec.hash}"
    if found.rows <= MOST_ROWS_A_SEARCH:
        trials = grid_trials(prices, spec, grid, costs, fill)
        ledger.count(dataset.family, trials, development_hash=rows, origin="sweep", source=source)
        return
    per_year = periods_per_year(pd.DatetimeIndex(prices.index))
    ratios = parquet.read_table(found.path, columns=["sharpe_ratio"])["sharpe_ratio"].to_pandas()
    # What never traded has no ratio, and was no chance of luck either; it is counted all the same.
    ratios = ratios.fillna(0.0) / math.sqrt(per_year)
    ledger.count_search(
        dataset.family,
        about={
            "strategy": spec.model_dump(mode="json", exclude={"name"}),
            "grid": {name: list(values) for name, values in grid.items()},
            "rows": rows,
        },
        configurations=found.rows,
        sharpe_mean=float(ratios.mean()),
        sharpe_variance=float(ratios.var(ddof=1)),
        origin="sweep",
        source=source,
    )
