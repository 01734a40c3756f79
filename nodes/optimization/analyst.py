"""Node `analyst`: opens an iteration and reads the champion's backtest."""

from __future__ import annotations

from typing import Any, cast

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.evidence.claims import claims_of, doubts, unfounded_claims, unknown_ids
from nodes.optimization.evidence.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    lesson_lines,
    quoted,
    strategy_lines,
)
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.policies import roles
from nodes.optimization.schemas import Analysis
from nodes.optimization.state import OptimizationState
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from prompts import render
from record.events import Abstained, AnalystAnswer, RoleCalled
from record.types import Analysis as Analysed


def analyst(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for a reading of the champion; an analyst that cannot answer abstains and the cycle goes on."""
    context = OptimizationContext.of(runtime.context)
    iteration = state.get("iteration", 0) + 1
    called = f"i{iteration:02d}.analyst"
    record(context, state["run_id"], called, "analyst", RoleCalled(), iteration=iteration)
    evidence = gather_evidence(state, iteration)
    strategy = strategy_lines(evidence, context.language)
    figures = figure_lines(evidence, context.language)
    history = history_lines(evidence, context.language)
    learnt = lesson_lines(evidence, context.language)
    numbers = known_numbers(strategy, figures, history, learnt, evidence["dataset"]["timeframe"])

    def check(answer: Analysis) -> list[str]:
        cited = [name for hypothesis in answer.hypotheses for name in hypothesis.evidence]
        return doubts(claims_of(answer), numbers, context.language, cited=cited, known=evidence["ids"])

    answer = ask(
        Question(
            role="analyst",
            prompt=render(
                "optimization/analyst",
                context.language,
                symbol=quoted(evidence["dataset"]["symbol"]),
                timeframe=quoted(evidence["dataset"]["timeframe"]),
                strategy=strategy,
                figures=figures,
                history=history,
                lessons=learnt,
            ),
            schema=Analysis,
            evidence={**evidence, "language": context.language},
            policy=roles.analyst,
            doubts=check,
        ),
        chain=context.analyst,
        context=context,
        journal=Journal(context, state["run_id"], called, "analyst", iteration),
    )
    analysis: Analysed | None = None
    provenance = answer.provenance.plain()
    if not isinstance(answer, Abstention):
        cited = [name for hypothesis in answer.value.hypotheses for name in hypothesis.evidence]
        analysis = {
            **cast(Analysed, answer.value.model_dump(mode="json")),
            "unfounded": unfounded_claims(claims_of(answer.value), numbers, context.language),
            "unknown_evidence": unknown_ids(cited, evidence["ids"]),
        }
    record(
        context,
        state["run_id"],
        f"{called}.answer",
        "analyst",
        AnalystAnswer(answer=analysis, provenance=provenance)
        if analysis
        else Abstained(answer=None, provenance=provenance),
        iteration=iteration,
        cites=[called, f"i{iteration - 1:02d}.evidence"],
    )
    return {"iteration": iteration, "analysis": analysis}
