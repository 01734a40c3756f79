"""The figures of one backtest, as plain JSON that state, prompts, record and report share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backtest import BacktestResult, StrategySpec
from backtest.score import Score, score, score_walk_forward
from backtest.types import Metrics
from backtest.walk_forward import WalkForward


def figures(spec: StrategySpec, result: BacktestResult) -> dict[str, Any]:
    """Score, metrics and exits of a backtest.

    Returns:
        `hash` of the strategy; `score` 0–10; `parts` of the score; `blocks`, the Sharpe ratio of each block
        of time; `metrics` by name, None where undefined; `exits` by reason, each {"trades", "average_return"}
        (a fraction).
    """
    return _figures(spec, result, score(result))


def trial_figures(spec: StrategySpec, walk: WalkForward, whole: BacktestResult) -> dict[str, Any]:
    """The same of a strategy tried on development data: the score and its blocks are those of the folds.

    Returns:
        As `figures`, `metrics` and `exits` being those of the whole development part, and `walk_forward`:
        {"folds", "configurations" compared in each, "efficiency", "metrics" of the test stretches as one
        account, "other_values": by fold, searched values that differ from those settled on}.
    """
    searched = [
        {name: value for name, value in _values(fold.spec).items() if _values(walk.spec).get(name) != value}
        for fold in walk.folds
    ]
    found = _figures(spec, whole, score_walk_forward(walk, whole))
    found["walk_forward"] = {
        "folds": len(walk.folds),
        "configurations": walk.configurations,
        "efficiency": _rounded(walk.efficiency),
        "metrics": _metrics(walk.metrics),
        "other_values": searched if any(searched) else [],
    }
    return found


def _values(spec: StrategySpec) -> dict[str, float]:
    return {**spec.params, **spec.risk.active(), **spec.sizing.active()}


def _figures(spec: StrategySpec, result: BacktestResult, scored: Score) -> dict[str, Any]:
    parts = asdict(scored)
    exits = {
        str(reason): {"trades": len(part), "average_return": round(float(part["return"].mean()), 6)}
        for reason, part in sorted(result.trades.groupby("exit_reason"), key=lambda group: str(group[0]))
    }
    return {
        "hash": spec.hash,
        "score": parts.pop("value"),
        "blocks": list(parts.pop("block_sharpes")),
        "parts": parts,
        "metrics": _metrics(result.metrics),
        "exits": exits,
    }


def _metrics(metrics: Metrics) -> dict[str, float | int | None]:
    return {name: _rounded(value) for name, value in metrics.to_dict().items()}


def _rounded(value: float | int | None) -> float | int | None:
    """Ten significant digits: more than any figure is worth, and the same on every machine."""
    return float(f"{value:.10g}") if isinstance(value, float) else value
