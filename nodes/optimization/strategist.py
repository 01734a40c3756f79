"""Node `strategist`: three typed changes to test next, none of them tried before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from backtest import BacktestError, StrategySpec
from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.errors import NodeError
from nodes.optimization import rules
from nodes.optimization.changes import Change, apply_change, describe_change
from nodes.optimization.evidence import (
    analysis_lines,
    figure_lines,
    gather_evidence,
    history_lines,
    strategy_lines,
)
from nodes.optimization.schemas import Proposals
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import Language, render, text


def _refusal(
    change: Change, spec: StrategySpec, tried: set[str], language: Language
) -> tuple[str | None, str | None]:
    """(hash, None) of the strategy the change leads to, or (None, why it cannot be tested)."""
    try:
        changed = apply_change(spec, change)
    except BacktestError as error:
        return None, text(f"backtest.error.{error.code}", language, **error.fields)
    if changed.hash in tried:
        return None, text("optimization.refusal.tried", language)
    return changed.hash, None


def sort_proposals(
    answer: Proposals, spec: StrategySpec, tried: set[str], language: Language
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split an answer into (usable, refused), each proposal as plain JSON with its sentence.

    Usable ones are numbered from 1 and carry the `hash` of the strategy they lead to, and that strategy as
    `spec`; refused ones carry the `reason_refused`.
    """
    usable: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    seen = set(tried)
    for proposal in answer.proposals:
        found, why = _refusal(proposal.change, spec, seen, language)
        entry = {
            **proposal.model_dump(mode="json"),
            "sentence": describe_change(proposal.change, spec, language),
        }
        if found is None:
            refused.append({**entry, "reason_refused": why})
        else:
            seen.add(found)
            changed = apply_change(spec, proposal.change).model_dump(mode="json")
            usable.append({**entry, "number": len(usable) + 1, "hash": found, "spec": changed})
    return usable, refused


def strategist(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for three changes; those that cannot be tested are recorded with the reason and dropped."""
    context = OptimizationContext.of(runtime.context)
    iteration = state["iteration"]
    run, called = state["run_id"], f"i{iteration:02d}.strategist"
    record(context, run, called, "role_called", "strategist", iteration=iteration)
    evidence = gather_evidence(state, iteration)
    spec = StrategySpec.model_validate(evidence["spec"])
    tried = set(evidence["tried"])

    def check(answer: Proposals) -> list[str]:
        """Nothing to complain of while one proposal can be tested; else every reason at once."""
        usable, refused = sort_proposals(answer, spec, tried, context.language)
        return [] if usable else [f"{entry['sentence']}: {entry['reason_refused']}" for entry in refused]

    question = Question(
        role="strategist",
        prompt=render(
            "optimization/strategist",
            context.language,
            symbol=evidence["dataset"]["symbol"],
            timeframe=evidence["dataset"]["timeframe"],
            strategy=strategy_lines(evidence, context.language),
            figures=figure_lines(evidence["champion"], context.language),
            analysis=analysis_lines(state["analysis"], context.language),
            history=history_lines(evidence, context.language),
        ),
        schema=Proposals,
        evidence={**evidence, "language": context.language},
        policy=rules.strategist,
        check=check,
    )
    try:
        answer = ask(question, chain=context.strategist, context=context)
    except NodeError as error:
        if error.code != "nothing_left":
            raise
        # The rules know no further change: an iteration without proposals, which the convergence test sees.
        record(
            context, run, f"{called}.answer", "exhausted", "strategist", iteration=iteration, cites=[called]
        )
        return {"proposals": []}
    usable: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    if not isinstance(answer, Abstention):
        usable, refused = sort_proposals(answer.value, spec, tried, context.language)
    record(
        context,
        run,
        f"{called}.answer",
        "abstention" if isinstance(answer, Abstention) else "answer",
        "strategist",
        iteration=iteration,
        cites=[called, f"i{iteration:02d}.analyst.answer"],
        data={"refused": refused, "provenance": answer.provenance.model_dump(mode="json")},
    )
    for proposal in usable:
        _record_proposal(context, run, iteration, called, proposal)
    return {"proposals": usable}


def _record_proposal(
    context: OptimizationContext, run: str, iteration: int, called: str, proposal: Mapping[str, Any]
) -> None:
    record(
        context,
        run,
        f"{called}.proposal.{proposal['number']}",
        "proposal",
        "strategist",
        iteration=iteration,
        cites=[f"{called}.answer"],
        data=proposal,
    )
