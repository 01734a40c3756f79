"""Node `validator`: which proposals deserve a test. It can veto; it cannot overrule arithmetic."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.journal import Journal
from nodes.optimization import rules
from nodes.optimization.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    proposal_lines,
    strategy_lines,
)
from nodes.optimization.schemas import Verdicts
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import render, text


def validator(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for a verdict on every proposal; a validator that cannot answer abstains, which vetoes nothing."""
    context = OptimizationContext.of(runtime.context)
    iteration, proposals = state["iteration"], state["proposals"]
    run, called = state["run_id"], f"i{iteration:02d}.validator"
    record(context, run, called, "role_called", "validator", iteration=iteration)
    evidence = gather_evidence(state, iteration)
    numbers = [proposal["number"] for proposal in proposals]

    def check(answer: Verdicts) -> list[str]:
        judged = sorted(verdict.proposal for verdict in answer.verdicts)
        if judged == numbers:
            return []
        return [
            text("optimization.refusal.verdicts", context.language, wanted=str(numbers), found=str(judged))
        ]

    answer = ask(
        Question(
            role="validator",
            prompt=render(
                "optimization/validator",
                context.language,
                symbol=evidence["dataset"]["symbol"],
                timeframe=evidence["dataset"]["timeframe"],
                strategy=strategy_lines(evidence, context.language),
                figures=figure_lines(evidence["champion"], context.language),
                proposals=proposal_lines(proposals),
                history=history_lines(evidence, context.language),
            ),
            schema=Verdicts,
            evidence={**evidence, "proposals": proposals, "language": context.language},
            policy=rules.validator,
            check=check,
        ),
        chain=context.validator,
        context=context,
        journal=Journal(context, run, called, "validator", iteration),
    )
    verdicts: list[dict[str, Any]] | None = None
    if not isinstance(answer, Abstention):
        ordered = sorted(answer.value.verdicts, key=lambda verdict: verdict.proposal)
        verdicts = [verdict.model_dump(mode="json") for verdict in ordered]
    record(
        context,
        run,
        f"{called}.answer",
        "abstention" if verdicts is None else "answer",
        "validator",
        iteration=iteration,
        cites=[called, *(f"i{iteration:02d}.strategist.proposal.{number}" for number in numbers)],
        data={"verdicts": verdicts, "provenance": answer.provenance.model_dump(mode="json")},
    )
    return {"verdicts": verdicts}
