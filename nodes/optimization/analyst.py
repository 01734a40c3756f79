"""Node `analyst`: opens an iteration and reads the champion's backtest."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.journal import Journal
from nodes.optimization import rules
from nodes.optimization.evidence import figure_lines, gather_evidence, history_lines, strategy_lines
from nodes.optimization.schemas import Analysis
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import render


def analyst(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for a reading of the champion; an analyst that cannot answer abstains and the cycle goes on."""
    context = OptimizationContext.of(runtime.context)
    iteration = state.get("iteration", 0) + 1
    called = f"i{iteration:02d}.analyst"
    record(context, state["run_id"], called, "role_called", "analyst", iteration=iteration)
    evidence = gather_evidence(state, iteration)
    answer = ask(
        Question(
            role="analyst",
            prompt=render(
                "optimization/analyst",
                context.language,
                symbol=evidence["dataset"]["symbol"],
                timeframe=evidence["dataset"]["timeframe"],
                strategy=strategy_lines(evidence, context.language),
                figures=figure_lines(evidence["champion"], context.language),
                history=history_lines(evidence, context.language),
            ),
            schema=Analysis,
            evidence={**evidence, "language": context.language},
            policy=rules.analyst,
        ),
        chain=context.analyst,
        context=context,
        journal=Journal(context, state["run_id"], called, "analyst", iteration),
    )
    analysis = None if isinstance(answer, Abstention) else answer.value.model_dump(mode="json")
    record(
        context,
        state["run_id"],
        f"{called}.answer",
        "answer" if analysis else "abstention",
        "analyst",
        iteration=iteration,
        cites=[called],
        data={"answer": analysis, "provenance": answer.provenance.model_dump(mode="json")},
    )
    return {"iteration": iteration, "analysis": analysis}
