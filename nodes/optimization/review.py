"""Node `review`: what the roles made of a backtest, for machines and for people. Nothing was tested."""

from __future__ import annotations

from langgraph.runtime import Runtime

from backtest import StrategySpec
from nodes.context import OptimizationContext
from nodes.optimization.finishing import finish, result_frame
from nodes.optimization.state import OptimizationState
from prompts import Words
from record.results import ReviewRecord
from reports.review_markdown import review_report


def review(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Write `result.json` and `report.md` of a review; times and ids stand under `run` alone."""
    context = OptimizationContext.of(runtime.context)
    verdicts = {verdict["proposal"]: verdict for verdict in state.get("verdicts") or []}
    spec = StrategySpec.model_validate(state["initial"])
    result: ReviewRecord = {
        **result_frame(state, context),
        "graph": "review",
        "final_score": state["baseline"]["score"],
        "strategy": {"strategy": state["initial"], "description": spec.describe(), "hash": spec.hash},
        "development": state["baseline"],
        "analysis": state["analysis"],
        "proposals": [
            {
                "number": proposal["number"],
                "sentence": proposal["sentence"],
                "change": proposal["change"],
                "reason": proposal["reason"],
                "expected_effect": proposal["expected_effect"],
                "hash": proposal["hash"],
                "verdict": verdicts.get(proposal["number"]),
            }
            for proposal in state["proposals"]
        ],
        "debate": state.get("debate"),
    }
    finish(
        state,
        context,
        "review",
        result=result,
        report=review_report(result, Words(context.language)),
        champion=spec.hash,
        cites=[f"i{state['iteration']:02d}.strategist.answer"],
    )
    return {"result": result}
