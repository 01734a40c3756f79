"""Node `strategist`: typed changes to test next, none of them tried before."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from backtest.language.functions import reference
from nodes.context import OptimizationContext
from nodes.errors import NodeError
from nodes.optimization.changes import kinds_told
from nodes.optimization.evidence.claims import doubts, unfounded_claims
from nodes.optimization.evidence.evidence import (
    analysis_lines,
    figure_lines,
    gather_evidence,
    history_lines,
    lesson_lines,
    quoted,
    strategy_lines,
)
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.evidence.specs import read_spec
from nodes.optimization.policies import roles
from nodes.optimization.schemas import Proposals
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.proposing import complaints, sort_proposals
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from prompts import Language, render, text
from record.events import Abstained, Exhausted, Proposed, RoleCalled, StrategistAnswer
from record.types import Doubt, Proposal, Refused


def _not_diverse(answer: Proposals, language: Language) -> list[str]:
    """A complaint where all changes are of one kind on one thing: values of one parameter teach little."""
    aims = {
        (proposal.change.kind, getattr(proposal.change, "parameter", "")) for proposal in answer.proposals
    }
    return [text("optimization.refusal.diverse", language)] if len(aims) == 1 else []


def _wrong_hypotheses(answer: Proposals, count: int, language: Language) -> list[str]:
    """Complaints about hypotheses that the analyst has not made."""
    wrong = sorted({proposal.hypothesis for proposal in answer.proposals if proposal.hypothesis > count})
    return [text("optimization.refusal.hypothesis", language, number=number, count=count) for number in wrong]


def strategist(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask for changes; those that cannot be tested are recorded with the reason and dropped."""
    context = OptimizationContext.of(runtime.context)
    language, iteration = context.language, state["iteration"]
    run, called = state["run_id"], f"i{iteration:02d}.strategist"
    record(context, run, called, "strategist", RoleCalled(), iteration=iteration)
    evidence = gather_evidence(state, iteration)
    spec = read_spec(evidence["spec"])
    tried, grid = set(evidence["tried"]), evidence["grid"]
    hypotheses = len(state["analysis"]["hypotheses"]) if state["analysis"] else 0
    parts = {
        "strategy": strategy_lines(evidence, language),
        "figures": figure_lines(evidence, language),
        "analysis": analysis_lines(state["analysis"], language),
        "history": history_lines(evidence, language),
        "lessons": lesson_lines(evidence, language),
    }
    shown = [*parts.values(), evidence["dataset"]["timeframe"]]

    def claims_and_numbers(answer: Proposals) -> tuple[list[str], list[float]]:
        """Reasons and expectations, and what they may cite: the evidence, and what is proposed itself."""
        claims = [words for one in answer.proposals for words in (one.reason, one.expected_effect)]
        return claims, known_numbers(*shown, *(one.change.model_dump_json() for one in answer.proposals))

    def check(answer: Proposals) -> list[str]:
        """Nothing to complain of while one proposal can be tested; else every reason at once."""
        usable, refused = sort_proposals(answer.proposals, spec, tried, language, grid)
        return [] if usable else complaints(refused)

    def doubt(answer: Proposals) -> list[str]:
        """What goes back once: repeats and refused changes, unfounded numbers, hypotheses nobody made."""
        _, refused = sort_proposals(answer.proposals, spec, tried, language, grid)
        return [
            *complaints(refused),
            *_not_diverse(answer, language),
            *_wrong_hypotheses(answer, hypotheses, language),
            *doubts(*claims_and_numbers(answer), language),
        ]

    question = Question(
        role="strategist",
        prompt=render(
            "optimization/strategist",
            language,
            symbol=quoted(evidence["dataset"]["symbol"]),
            timeframe=quoted(evidence["dataset"]["timeframe"]),
            functions=reference(language),
            kinds=kinds_told(language),
            **parts,
        ),
        schema=Proposals,
        evidence={**evidence, "hypotheses": hypotheses, "language": language},
        policy=roles.strategist,
        check=check,
        doubts=doubt,
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
            context, run, f"{called}.answer", "strategist", Exhausted(), iteration=iteration, cites=[called]
        )
        return {"proposals": []}
    usable: list[Proposal] = []
    refused: list[Refused] = []
    unfounded: list[Doubt] = []
    if not isinstance(answer, Abstention):
        usable, refused = sort_proposals(answer.value.proposals, spec, tried, language, grid)
        unfounded = unfounded_claims(*claims_and_numbers(answer.value), language)
    record(
        context,
        run,
        f"{called}.answer",
        "strategist",
        (Abstained if isinstance(answer, Abstention) else StrategistAnswer)(
            refused=refused, unfounded=unfounded, provenance=answer.provenance.plain()
        ),
        iteration=iteration,
        cites=[called, f"i{iteration:02d}.analyst.answer"],
    )
    for proposal in usable:
        _record_proposal(context, run, iteration, called, proposal)
    return {"proposals": usable}


def _record_proposal(
    context: OptimizationContext, run: str, iteration: int, called: str, proposal: Proposal
) -> None:
    record(
        context,
        run,
        f"{called}.proposal.{proposal['number']}",
        "strategist",
        Proposed(proposal=proposal),
        iteration=iteration,
        cites=[f"{called}.answer"],
    )
