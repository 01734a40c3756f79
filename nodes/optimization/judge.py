"""Node `judge`: the champion meets the holdout, once. The only node that can read it."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec, run_backtest
from market.datasets import Dataset, open_holdout
from nodes.context import OptimizationContext
from nodes.optimization.evidence import reigning
from nodes.optimization.figures import figures
from nodes.optimization.state import OptimizationState
from nodes.recording import record


def judge(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Backtest champion and initial strategy on the holdout; development bars only warm up indicators."""
    context = OptimizationContext.of(runtime.context)
    dataset = Dataset.model_validate(state["dataset"])
    champion = reigning(state)
    frame, start = open_holdout(dataset, context.home_path)

    def judged(strategy: dict[str, Any]) -> dict[str, Any]:
        spec = StrategySpec.model_validate(strategy)
        result = run_backtest(
            frame, spec, costs=context.costs, fill=context.fill, trade_from=frame.index[start]
        )
        return figures(spec, result)

    judgement = {
        "holdout_hash": dataset.holdout_hash,
        "champion": judged(champion["spec"]),
        "initial": judged(state["initial"]),
    }
    record(
        context,
        state["run_id"],
        "judge",
        "holdout",
        "judge",
        iteration=state["iteration"],
        cites=[f"i{state['iteration']:02d}.converge"],
        data=judgement,
    )
    return {"judgement": judgement}
