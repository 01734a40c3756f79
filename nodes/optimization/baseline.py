"""Node `baseline`: backtest the strategy the run begins with."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from market.datasets import Dataset
from nodes.context import OptimizationContext
from nodes.optimization.backtest_tool import backtest_development
from nodes.optimization.state import OptimizationState
from nodes.recording import record


def baseline(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Backtest the initial strategy on development data; bad data or too few bars end the run here."""
    context = OptimizationContext.of(runtime.context)
    found = backtest_development(
        StrategySpec.model_validate(state["initial"]), Dataset.model_validate(state["dataset"]), context
    )
    record(
        context,
        state["run_id"],
        "i00.baseline",
        "backtest",
        "baseline",
        cites=["i00.load"],
        data={"figures": found},
    )
    return {"baseline": found}
