"""The strategy a run began with, its champion and holding, on each part of the data: figures and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.statistics.returns import moments
from record.results import RunResult
from reports.tables import metric
from reports.words import WordsLike

Floats = NDArray[np.float64]

WHO = ("initial", "champion", "market")
"""Columns of `returns.parquet`, in the order in which they are told; `market` is holding."""
PARTS = ("holdout", "walk_forward", "development")
"""The one that decides comes first."""

ROWS: tuple[tuple[str, str], ...] = (
    ("total_return", "percent"),
    ("sharpe_ratio", "number"),
    ("max_drawdown", "percent"),
    ("n_trades", "number"),
)


def growth(returns: Floats) -> Floats:
    """What an account of 1 has become after each bar, by the return of each bar."""
    grown: Floats = np.cumprod(1.0 + returns, dtype=np.float64)
    return grown


def underwater(account: Floats) -> Floats:
    """Loss from the highest value so far, the 1 before the first bar included: never positive."""
    lost: Floats = account / np.maximum(np.maximum.accumulate(account), 1.0) - 1.0
    return lost


def rolling_sharpe(account: Floats, window: int, bars_per_year: float) -> Floats:
    """Annualised Sharpe ratio of the last `window` bars at each bar; NaN before, and where nothing moved.

    Args:
        account: value after each bar of an account that had 1 before.
        window: bars, 2 at least.
        bars_per_year: what it is annualised with.
    """
    returns = pd.Series(account).pct_change().fillna(account[0] - 1.0)
    rolled = returns.rolling(window)
    deviation = rolled.std().to_numpy(dtype=np.float64)
    mean = rolled.mean().to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(deviation > 1e-12, mean / deviation, np.nan) * np.sqrt(bars_per_year)
    return ratio


def monthly_returns(index: pd.DatetimeIndex, account: Floats) -> pd.DataFrame:
    """Return of each calendar month, a row a year, and of the whole year in column 13; NaN where no bar is.

    Args:
        index: times of the bars.
        account: value after each bar of an account that had 1 before.
    """
    last = pd.Series(account).groupby([np.asarray(index.year), np.asarray(index.month)]).last()
    before = last.shift(fill_value=1.0)
    months = (last / before - 1.0).unstack().reindex(columns=range(1, 13))
    ends = last.groupby(level=0).last()
    months[13] = ends / ends.shift(fill_value=1.0) - 1.0
    return months


def holding_figures(returns: Floats, bars_per_year: float) -> dict[str, float | int | None]:
    """The metrics of holding through bars, by the market's return of each: no costs, and one trade.

    Args:
        returns: n simple returns.
        bars_per_year: what the Sharpe ratio is annualised with.
    """
    account = growth(returns)
    sharpe = moments(returns).sharpe if returns.size > 1 else None
    return {
        "total_return": float(account[-1] - 1.0) if returns.size else None,
        "sharpe_ratio": None if sharpe is None else sharpe * float(np.sqrt(bars_per_year)),
        "max_drawdown": float(underwater(account).min()) if returns.size else None,
        "n_trades": 1,
    }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures by part and strategy.

    Attributes:
        parts: of `PARTS` those that were measured; then by `WHO` metrics, None where they are not known:
            holding's, in a run of a version that left no `returns.parquet`.
        scores: 0–10, by part, of start and champion.
        periods: first and last day, by part, where they are known.
    """

    parts: Mapping[str, Mapping[str, Mapping[str, Any] | None]]
    scores: Mapping[str, Mapping[str, float]]
    periods: Mapping[str, tuple[str, str]]


def comparison(result: RunResult, returns: pd.DataFrame | None) -> Comparison:
    """What `result.json` and `returns.parquet` hold of start, champion and holding.

    Args:
        result: of an optimisation.
        returns: its table; None in a run that left none.
    """
    champion, initial = result["champion"], result["initial"]
    found: dict[str, dict[str, Mapping[str, Any] | None]] = {}
    scores: dict[str, dict[str, float]] = {}
    if champion["holdout"] and initial["holdout"]:
        found["holdout"] = {
            "initial": initial["holdout"]["metrics"],
            "champion": champion["holdout"]["metrics"],
        }
        scores["holdout"] = {
            "initial": initial["holdout"]["score"],
            "champion": champion["holdout"]["score"],
        }
    tests = {
        name: one["development"].get("walk_forward")
        for name, one in (("initial", initial), ("champion", champion))
    }
    if tests["initial"] and tests["champion"]:
        found["walk_forward"] = {name: one["metrics"] for name, one in tests.items() if one}
        scores["walk_forward"] = {
            "initial": initial["development"]["score"],
            "champion": champion["development"]["score"],
        }
    found["development"] = {
        "initial": initial["development"]["metrics"],
        "champion": champion["development"]["metrics"],
    }
    for part, held in _held(result, returns).items():
        if part in found:
            found[part]["market"] = held
    return Comparison(
        parts={part: found[part] for part in PARTS if part in found},
        scores=scores,
        periods=_periods(result, returns),
    )


def _periods(result: RunResult, returns: pd.DataFrame | None) -> dict[str, tuple[str, str]]:
    dataset = result["dataset"]
    ends = {
        "holdout": (dataset.get("boundary"), dataset.get("last")),
        "development": (dataset.get("first"), dataset.get("development_last")),
    }
    found = {part: (first[:10], last[:10]) for part, (first, last) in ends.items() if first and last}
    if returns is not None and (tested := returns["champion_tests"].notna()).any():
        times = pd.DatetimeIndex(returns.index[tested])
        found["walk_forward"] = (f"{times[0]:%Y-%m-%d}", f"{times[-1]:%Y-%m-%d}")
    return found


def _held(result: RunResult, returns: pd.DataFrame | None) -> dict[str, dict[str, float | int | None]]:
    if returns is None:
        return {}
    year = result["champion"]["development"].get("bars_per_year")
    inside = returns[returns["part"] == "development"]
    outside = returns[returns["part"] == "holdout"]
    tested = inside[inside["champion_tests"].notna()]
    bars = {"development": inside, "walk_forward": tested, "holdout": outside}
    return {
        part: holding_figures(rows["market"].to_numpy(dtype=np.float64), year["value"])
        for part, rows in bars.items()
        if year and len(rows)
    }


def comparison_rows(found: Comparison, part: str, words: WordsLike) -> tuple[list[str], list[list[str]]]:
    """(head, rows) of one part: a row a metric, a column a strategy; the score where it has one there."""
    known = found.parts[part]
    head = [words("report.table.metric"), *(words(f"report.who.{name}") for name in WHO)]
    rows = [
        [words(f"report.metric.{name}"), *(_cell(known.get(who), name, kind, words) for who in WHO)]
        for name, kind in ROWS
    ]
    if part in found.scores:
        told = (words.number(found.scores[part][name]) for name in ("initial", "champion"))
        rows.append([words("report.metric.score"), *told, "–"])
    return head, rows


def _cell(metrics: Mapping[str, Any] | None, name: str, kind: str, words: WordsLike) -> str:
    return "–" if metrics is None else metric(words, metrics, name, kind)


def headline(result: RunResult, found: Comparison, words: WordsLike) -> str:
    """What the champion brought out of sample beside holding, in one sentence; empty for a closed holdout."""
    if (parts := found.parts.get("holdout")) is None:
        return ""
    champion, held = parts["champion"], parts.get("market")
    assert champion is not None, "the champion was judged"
    told = {
        "first": result["dataset"].get("boundary", "")[:10],
        "last": result["dataset"].get("last", "")[:10],
        "champion": words.percent(champion["total_return"], signed=True),
    }
    if held is None:
        return words("report.headline.alone", **told)
    return words("report.headline.beside", **told, holding=words.percent(held["total_return"], signed=True))
