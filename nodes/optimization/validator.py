"""Node `validator`: which proposals deserve a test. It can veto; it cannot overrule arithmetic."""

from __future__ import annotations

from typing import Any, cast

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.evidence.claims import doubts, unfounded_claims
from nodes.optimization.evidence.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    lesson_lines,
    proposal_lines,
    quoted,
    strategy_lines,
)
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.policies import roles
from nodes.optimization.schemas import Verdicts
from nodes.optimization.state import OptimizationState
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from prompts import render, text
from record.events import Abstained, RoleCalled, ValidatorAnswer
from record.types import Doubt
from record.types import Verdict as Judged


def validator(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for a verdict on every proposal; a validator that cannot answer abstains, which vetoes nothing."""
    context = OptimizationContext.of(runtime.context)
    iteration, proposals = state["iteration"], state["proposals"]
    run, called = state["run_id"], f"i{iteration:02d}.validator"
    record(context, run, called, "validator", RoleCalled(), iteration=iteration)
    evidence = gather_evidence(state, iteration)
    numbers = [proposal["number"] for proposal in proposals]

    parts = {
        "strategy": strategy_lines(evidence, context.language),
        "figures": figure_lines(evidence, context.language),
        "proposals": proposal_lines(proposals),
        "history": history_lines(evidence, context.language),
        "lessons": lesson_lines(evidence, context.language),
    }
    shown = known_numbers(*parts.values(), evidence["dataset"]["timeframe"])

    def claims(answer: Verdicts) -> list[str]:
        return [*(verdict.reason for verdict in answer.verdicts), *answer.concerns]

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
                symbol=quoted(evidence["dataset"]["symbol"]),
                timeframe=quoted(evidence["dataset"]["timeframe"]),
                **parts,
            ),
            schema=Verdicts,
            evidence={**evidence, "proposals": proposals, "language": context.language},
            policy=roles.validator,
            check=check,
            doubts=lambda answer: doubts(claims(answer), shown, context.language),
        ),
        chain=context.validator,
        context=context,
        journal=Journal(context, run, called, "validator", iteration),
    )
    verdicts: list[Judged] | None = None
    confidence: float | None = None
    concerns: list[str] = []
    unfounded: list[Doubt] = []
    if not isinstance(answer, Abstention):
        confidence, concerns = answer.value.confidence, list(answer.value.concerns)
        unfounded = unfounded_claims(claims(answer.value), shown, context.language)
        ordered = sorted(answer.value.verdicts, key=lambda verdict: verdict.proposal)
        verdicts = [cast(Judged, verdict.model_dump(mode="json")) for verdict in ordered]
    record(
        context,
        run,
        f"{called}.answer",
        "validator",
        Abstained(
            verdicts=None,
            concerns=[],
            confidence=None,
            unfounded=[],
            provenance=answer.provenance.plain(),
        )
        if verdicts is None
        else ValidatorAnswer(
            verdicts=verdicts,
            concerns=concerns,
            confidence=confidence,
            unfounded=unfounded,
            provenance=answer.provenance.plain(),
        ),
        iteration=iteration,
        cites=[called, *(f"i{iteration:02d}.strategist.proposal.{number}" for number in numbers)],
    )
    return {"verdicts": verdicts, "confidence": confidence}
