"""What a run's page draws, read from its record: the champion on development prices, and the curves.

Prices after the boundary are never read here: out of sample the curves are returns that the judgement left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest import ExpressionError, RequestError
from backtest.types import COST_NAMES
from prompts import Language, Words
from record.record import RunRecord
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from record.types import Strategy
from reports.champion import Champion, tested_champion
from reports.comparison import WHO, Floats, growth
from vault.adding import use
from vault.datasets import Dataset
from vault.errors import MarketError
from vault.pools import development_of


class NothingToDraw(Exception):
    """The run has not come so far, or its prices are gone."""


@lru_cache(maxsize=8)
def _tested(home: Path, dataset: str, spec: str, settings: str, language: Language) -> Champion:
    """A strategy on development prices; all but the home and the language as JSON, so that it is kept."""
    known = json.loads(dataset)
    prices = development_of(Dataset.model_validate(known), home)
    use(home)  # what the run has written since this process began
    return tested_champion(prices, json.loads(spec), json.loads(settings), known, Words(language))


def tested(
    home: Path, about: Mapping[str, Any], view: RunView, spec: Strategy | None, words: Words
) -> Champion:
    """A strategy of a run on its development prices, with its costs and fills.

    Raises:
        NothingToDraw: it is not known yet, or the prices are gone.
    """
    if view.dataset is None or spec is None:
        raise NothingToDraw
    settings = {name: about["context"].get(name) for name in (*COST_NAMES, "fill")}
    told = (json.dumps(part, sort_keys=True) for part in (view.dataset, spec, settings))
    try:
        return _tested(home, *told, words.language)
    except (
        MarketError,
        ExpressionError,
        RequestError,
    ) as error:  # or the code that its conditions call is not here
        raise NothingToDraw from error


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Accounts of 1, bar by bar, from the first development bar on.

    Attributes:
        index: times of the bars, the embargo left out.
        accounts: n values each, by `reports.comparison.WHO`.
        boundary: place of the first bar of the holdout; None where it stayed closed.
        apart: the same of the holdout alone, from its first bar on.
    """

    index: pd.DatetimeIndex
    accounts: Mapping[str, Floats]
    boundary: int | None
    apart: Curves | None = None

    @classmethod
    def of(cls, returns: pd.DataFrame) -> Curves:
        """Of `returns.parquet`."""
        outside = (returns["part"] == "holdout").to_numpy()
        both = bool(outside.any() and not outside.all())
        return cls(
            index=pd.DatetimeIndex(returns.index),
            accounts={name: growth(returns[name].to_numpy(dtype=np.float64)) for name in WHO},
            boundary=int(outside.argmax()) if both else None,
            apart=cls.of(returns[outside]) if both else None,
        )


def curves(home: Path, record: RunRecord, view: RunView, words: Words) -> Curves:
    """Start, champion and holding: over both parts once judged, else over the development part so far.

    Raises:
        NothingToDraw: nothing has been tested yet, or the prices are gone.
        ReportError: `unreadable_record`.
    """
    if view.status is not None and (returns := table_or_none(record.folder, RETURNS)) is not None:
        return Curves.of(returns)
    about = record.about()
    first = tested(home, about, view, view.initial, words)
    best = tested(home, about, view, view.champion_spec, words)
    closes = first.prices["close"].reindex(first.tested.index).to_numpy(dtype=np.float64)
    return Curves(
        index=pd.DatetimeIndex(first.tested.index),
        accounts={
            "initial": first.tested.equity_values / first.tested.initial_capital,
            "champion": best.tested.equity_values / best.tested.initial_capital,
            "market": closes / closes[0],
        },
        boundary=None,
    )
