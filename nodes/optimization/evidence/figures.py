"""The figures of one backtest, as plain JSON that state, prompts, record and report share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd
from numpy.typing import ArrayLike

from backtest import BacktestResult, StrategySpec
from backtest.types import AccountLost, Metrics
from backtest.validation.score import Score, score, score_walk_forward
from backtest.validation.walk_forward import FoldResult, WalkForward
from record.types import Exits, Figures, Fold, LostAccount
from record.types import Metrics as RecordedMetrics


def figures(spec: StrategySpec, result: BacktestResult, closes: ArrayLike | None) -> Figures:
    """Score, metrics and exits of a backtest; `closes` are those of all its bars, None of a pool.

    Returns:
        `hash` of the strategy; `score` 0–10; `parts` of the score; `blocks`, the Sharpe ratio of each block
        of time, None from the one on in which the account was lost; `account_lost`, {"bar", "time", "price"}
        of the exit that took all, None where there was none; `metrics` by name, None where undefined; `exits`
        by reason, each {"trades", "average_return"} (a fraction); `bars_per_year`, as `BarsPerYear.to_dict`
        gives it.
    """
    return _figures(spec, result, score(result, closes))


def trial_figures(
    spec: StrategySpec, walk: WalkForward, whole: BacktestResult, closes: ArrayLike | None
) -> Figures:
    """The same of a strategy tried on development data: the score and its blocks are those of the folds.

    Returns:
        As `figures`, `metrics` and `exits` being those of the whole development part, and `walk_forward`:
        {"folds", "configurations" compared in each, "efficiency", "metrics" of the test stretches as one
        account, "account_lost" where that account ended, "other_values": by fold, searched values that differ
        from those settled on, "per_fold": see `_fold`}.
    """
    searched = [
        {name: value for name, value in _values(fold.spec).items() if _values(walk.spec).get(name) != value}
        for fold in walk.folds
    ]
    found = _figures(spec, whole, score_walk_forward(walk, whole, closes))
    found["walk_forward"] = {
        "folds": len(walk.folds),
        "configurations": walk.configurations,
        "efficiency": _rounded(walk.efficiency),
        "metrics": _metrics(walk.metrics),
        "account_lost": _end(walk.account_lost),
        "other_values": searched if any(searched) else [],
        "per_fold": [_fold(fold, whole.all_times, walk.searched) for fold in walk.folds],
    }
    return found


def _fold(found: FoldResult, times: pd.DatetimeIndex, searched: Sequence[str]) -> Fold:
    """One walk-forward test.

    Returns:
        `train_start`, `train_end`, `test_start`, `test_end`: ISO times of the first and last bars;
        `train_bars`, `test_bars`; `fitted`, whether a choice was made on the training stretch; `values` of
        the names that were searched, None where a rule is off; `train_sharpe_ratio`, None where nothing was
        chosen; `sharpe_ratio`, `total_return`, `n_trades` and `account_lost` of the test.
    """
    fold, tested = found.fold, found.test.metrics
    own = _values(found.spec)
    return {
        "train_start": times[fold.train_start].isoformat(),
        "train_end": times[fold.train_stop - 1].isoformat(),
        "train_bars": fold.train_stop - fold.train_start,
        "test_start": times[fold.test_start].isoformat(),
        "test_end": times[fold.test_stop - 1].isoformat(),
        "test_bars": fold.test_stop - fold.test_start,
        "fitted": found.fitted,
        "values": {name: own.get(name) for name in sorted(searched)},
        "train_sharpe_ratio": None if found.train is None else _rounded(found.train.sharpe_ratio),
        "sharpe_ratio": _rounded(tested.sharpe_ratio),
        "total_return": _rounded(tested.total_return),
        "n_trades": tested.n_trades,
        "account_lost": _end(found.test.account_lost),
    }


def _values(spec: StrategySpec) -> dict[str, float]:
    """What a search may have chosen: numbers, no tables."""
    settings = {**spec.params, **spec.risk.active(), **spec.sizing.active()}
    return {name: value for name, value in settings.items() if not isinstance(value, str)}


def _figures(spec: StrategySpec, result: BacktestResult, scored: Score) -> Figures:
    parts = asdict(scored)
    exits: dict[str, Exits] = {
        str(reason): {"trades": len(part), "average_return": round(float(part["return"].mean()), 6)}
        for reason, part in sorted(result.trades.groupby("exit_reason"), key=lambda group: str(group[0]))
    }
    return {
        "hash": spec.hash,
        "score": parts.pop("value"),
        "blocks": list(parts.pop("block_sharpes")),
        "parts": parts,
        "account_lost": _end(result.account_lost),
        "metrics": _metrics(result.metrics),
        "exits": exits,
        "bars_per_year": result.bars_per_year.to_dict(),
    }


def _metrics(metrics: Metrics) -> RecordedMetrics:
    return {name: _rounded(value) for name, value in metrics.to_dict().items()}


def _end(lost: AccountLost | None) -> LostAccount | None:
    if lost is None:
        return None
    return {"bar": lost.bar, "time": lost.time.isoformat(), "price": _rounded(lost.price)}


def _rounded(value: float | int | None) -> float | int | None:
    """Ten significant digits: more than any figure is worth, and the same on every machine."""
    return float(f"{value:.10g}") if isinstance(value, float) else value
