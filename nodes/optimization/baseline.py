"""Node `baseline`: backtest the strategy the run begins with."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from market.datasets import Dataset
from nodes.context import OptimizationContext
from nodes.optimization.backtest_tool import backtest_development
from nodes.optimization.state import OptimizationState
from nodes.recording import begin, record


def baseline(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Backtest the initial strategy on development data, then begin the record.

    In this order: data or a strategy that the engine refuses leave no run behind.
    """
    context = OptimizationContext.of(runtime.context)
    found = backtest_development(
        StrategySpec.model_validate(state["initial"]), Dataset.model_validate(state["dataset"]), context
    )
    run = state["run_id"]
    begin(context, run, {"graph": state.get("graph", "optimization"), "input": state["request"]})
    record(
        context,
        run,
        "i00.load",
        "started",
        "load",
        data={
            "run": run,
            "dataset": state["dataset"],
            "strategy": state["initial"],
            "max_iterations": context.max_iterations,
        },
    )
    record(
        context,
        run,
        "i00.baseline",
        "backtest",
        "baseline",
        cites=["i00.load"],
        data={"figures": found},
    )
    return {"baseline": found}
