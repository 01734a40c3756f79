"""Node `converge`: whether to go round again. Numbers decide; the debate may only stop early."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from backtest.validation.score import relative_gain
from nodes.context import OptimizationContext
from nodes.optimization.evidence.history import backtests_done
from nodes.optimization.evidence.preparing import prepare_dossier
from nodes.optimization.state import OptimizationState
from nodes.run_events import record
from nodes.seam.journal import run_budget
from record.events import Converged
from record.types import Budget, Decision

Reason = Literal["target_score", "no_gain", "max_iterations", "debate", "going_on"] | Budget


def stop_reason(
    scores: list[float],
    stopped_by_debate: bool,
    budget: Budget | None,
    context: OptimizationContext,
    ranks: list[float] | None = None,
) -> Reason:
    """Why the cycle stops, or `going_on`.

    Args:
        scores: the champion's score before the first iteration and after each one.
        stopped_by_debate: the debate's consensus of this iteration.
        budget: the limit that is used up, if one is.
        context: thresholds.
        ranks: of a population its champion's excess t, likewise: it is what the search raises.
    """
    raised = scores if ranks is None else ranks
    iterations = len(scores) - 1
    if scores[-1] >= context.target_score:
        return "target_score"
    if budget is not None:
        return budget
    if (
        iterations >= context.patience
        and relative_gain(raised[-1], raised[-1 - context.patience]) < context.convergence_threshold
    ):
        return "no_gain"
    if iterations >= context.max_iterations:
        return "max_iterations"
    return "debate" if stopped_by_debate else "going_on"


def converge(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Compare the scores of the last iterations, and what was spent, with the limits of the run.

    Where the cycle goes round again, the next iteration's evidence is prepared.
    """
    context = OptimizationContext.of(runtime.context)
    iteration = state["iteration"]
    scores = [state["baseline"]["score"], *(entry["score"] for entry in state["history"])]
    debate = state.get("debate")
    stopped = bool(debate and debate["iteration"] == iteration and debate["decision"] == "stop")
    decided = f"i{iteration:02d}.converge"
    budget: Budget | None = run_budget(context, state["run_id"], decided, "converge", iteration)
    if context.max_backtests is not None and backtests_done(state) >= context.max_backtests:
        budget = budget or "budget_backtests"
    ranks = None
    if context.search == "population":
        ranks = [state["history"][0]["excess_t_before"], *(one["excess_t"] for one in state["history"])]
    reason = stop_reason(scores, stopped, budget, context, ranks)
    raised = scores if ranks is None else ranks
    decision: Decision = {
        "stop": reason != "going_on",
        "reason": reason,
        "score": scores[-1],
        "gain": round(relative_gain(raised[-1], raised[-2]), 6),
    }
    record(
        context,
        state["run_id"],
        decided,
        "converge",
        Converged(decision=decision),
        iteration=iteration,
        cites=[f"i{iteration:02d}.select"],
    )
    if decision["stop"]:
        return {"decision": decision}
    return {"decision": decision, "dossier": prepare_dossier(state, context, iteration, after="select")}
