"""The figures of one backtest, as plain JSON that state, prompts, record and report share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backtest import BacktestResult, StrategySpec
from backtest.score import score


def figures(spec: StrategySpec, result: BacktestResult) -> dict[str, Any]:
    """Score, metrics and exits of a backtest.

    Returns:
        `hash` of the strategy; `score` 0–10; `parts` of the score; `blocks`, the Sharpe ratio of each block
        of time; `metrics` by name, None where undefined; `exits` by reason, each {"trades", "average_return"}
        (a fraction).
    """
    scored = asdict(score(result))
    exits = {
        str(reason): {"trades": len(part), "average_return": round(float(part["return"].mean()), 6)}
        for reason, part in sorted(result.trades.groupby("exit_reason"), key=lambda group: str(group[0]))
    }
    return {
        "hash": spec.hash,
        "score": scored.pop("value"),
        "blocks": list(scored.pop("block_sharpes")),
        "parts": scored,
        "metrics": {name: _rounded(value) for name, value in result.metrics.to_dict().items()},
        "exits": exits,
    }


def _rounded(value: float | int | None) -> float | int | None:
    """Ten significant digits: more than any figure is worth, and the same on every machine."""
    return float(f"{value:.10g}") if isinstance(value, float) else value
