"""Node `strategist`: three typed changes to test next, none of them tried before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from backtest import StrategySpec
from nodes.ask import Abstention, Question, ask
from nodes.context import OptimizationContext
from nodes.errors import NodeError
from nodes.journal import Journal
from nodes.optimization import rules
from nodes.optimization.evidence import (
    analysis_lines,
    figure_lines,
    gather_evidence,
    history_lines,
    strategy_lines,
)
from nodes.optimization.proposing import sort_proposals
from nodes.optimization.schemas import Proposals
from nodes.optimization.state import OptimizationState
from nodes.recording import record
from prompts import render


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
        usable, refused = sort_proposals(answer.proposals, spec, tried, context.language)
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
        answer = ask(
            question,
            chain=context.strategist,
            context=context,
            journal=Journal(context, run, called, "strategist", iteration),
        )
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
        usable, refused = sort_proposals(answer.value.proposals, spec, tried, context.language)
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
