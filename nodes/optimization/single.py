"""Node `single`: one agent in the place of the team. One call an iteration reads, proposes and judges.

The simplest honest opponent of the team: the same evidence, the same knowledge of the strategy language and
of the changes, the same tests and the same arithmetic after it; no second voice and no debate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from langgraph.runtime import Runtime
from pydantic import Field

from backtest.language.functions import reference
from nodes.context import OptimizationContext
from nodes.errors import NodeError
from nodes.optimization.changes import kinds_told
from nodes.optimization.evidence.claims import claims_of, doubts, unfounded_claims
from nodes.optimization.evidence.evidence import (
    figure_lines,
    gather_evidence,
    history_lines,
    lesson_lines,
    quoted,
    strategy_lines,
)
from nodes.optimization.evidence.grounding import known_numbers
from nodes.optimization.evidence.specs import read_spec
from nodes.optimization.policies import debate, roles
from nodes.optimization.schemas import MOST_PROPOSALS, Analysis, Proposal, Sentence
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.proposing import complaints, sort_proposals
from nodes.run_events import record
from nodes.seam.ask import Abstention, Question, ask
from nodes.seam.journal import Journal
from prompts import render, system_text
from record.events import Abstained, Exhausted, Proposed, RoleCalled, SingleAnswer
from record.types import Analysis as Analysed
from record.types import Verdict


class JudgedProposal(Proposal):
    """One typed change, the reason for it, and its author's own verdict."""

    decision: Literal["validated", "rejected"] = Field(description="Whether it deserves a test after all.")
    objection: Sentence = Field(description="What speaks against it.")


class Work(Analysis):
    """A whole iteration by one agent: the reading, three judged proposals, and whether to go on."""

    proposals: Annotated[list[JudgedProposal], Field(min_length=3, max_length=MOST_PROPOSALS)] = Field(
        description="Three to six different changes, none of them tried before, each judged."
    )
    stance: Literal["continue", "stop"] = Field(
        description="continue the search after these tests, or stop with the champion they leave."
    )


def policy(evidence: Mapping[str, Any]) -> Work:
    """The rules of the three roles, one after the other.

    Raises:
        NodeError: `nothing_left`, as the strategist's.
    """
    reading = roles.analyst(evidence)
    proposed = roles.strategist({**evidence, "hypotheses": len(reading.hypotheses)}).proposals
    numbered = [
        {**proposal.model_dump(mode="json"), "number": number, "conditions": 0}
        for number, proposal in enumerate(proposed, start=1)
    ]
    verdicts = {v.proposal: v for v in roles.validator({**evidence, "proposals": numbered}).verdicts}
    told = debate.speak({**evidence, "voice": "single", "turns": [], "cited": evidence["ids"][:1]})
    return Work(
        **reading.model_dump(),
        proposals=[
            JudgedProposal(
                **proposal.model_dump(),
                decision=verdicts[number].decision,
                objection=verdicts[number].reason,
            )
            for number, proposal in enumerate(proposed, start=1)
        ],
        stance=told.stance,
    )


def single(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Ask the strategist's models for everything at once; who cannot answer abstains, as the team would."""
    context = OptimizationContext.of(runtime.context)
    iteration = state.get("iteration", 0) + 1
    run, called = state["run_id"], f"i{iteration:02d}.single"
    record(context, run, called, "single", RoleCalled(), iteration=iteration)
    evidence = gather_evidence(state, iteration)
    spec, tried = read_spec(evidence["spec"]), set(evidence["tried"])
    language, grid = context.language, evidence["grid"]
    parts = {
        "strategy": strategy_lines(evidence, language),
        "figures": figure_lines(evidence, language),
        "history": history_lines(evidence, language),
        "lessons": lesson_lines(evidence, language),
    }

    def claims_and_numbers(answer: Work) -> tuple[list[str], list[float]]:
        reasons = [w for one in answer.proposals for w in (one.reason, one.expected_effect, one.objection)]
        proposed = [one.change.model_dump_json() for one in answer.proposals]
        return [*claims_of(answer), *reasons], known_numbers(
            *parts.values(), evidence["dataset"]["timeframe"], *proposed
        )

    def doubt(answer: Work) -> list[str]:
        _, refused = sort_proposals(answer.proposals, spec, tried, language, grid)
        cited = [name for hypothesis in answer.hypotheses for name in hypothesis.evidence]
        return [
            *complaints(refused),
            *doubts(*claims_and_numbers(answer), language, cited=cited, known=evidence["ids"]),
        ]

    def check(answer: Work) -> list[str]:
        usable, refused = sort_proposals(answer.proposals, spec, tried, language, grid)
        return [] if usable else complaints(refused)

    empty: dict[str, Any] = {"iteration": iteration, "analysis": None, "proposals": [], "verdicts": None}
    try:
        answer = ask(
            Question(
                role="single",
                prompt=render(
                    "optimization/single",
                    context.language,
                    strategist=system_text(
                        "optimization/strategist",
                        context.language,
                        functions=reference(context.language),
                        kinds=kinds_told(context.language),
                    ),
                    symbol=quoted(evidence["dataset"]["symbol"]),
                    timeframe=quoted(evidence["dataset"]["timeframe"]),
                    **parts,
                ),
                schema=Work,
                evidence={
                    **evidence,
                    "target_score": context.target_score,
                    "language": context.language,
                },
                policy=policy,
                check=check,
                doubts=doubt,
            ),
            chain=context.strategist,
            context=context,
            journal=Journal(context, run, called, "single", iteration),
        )
    except NodeError as error:
        if error.code != "nothing_left":
            raise
        # The rules know no further change: an iteration without proposals, which the convergence test sees.
        record(context, run, f"{called}.answer", "single", Exhausted(), iteration=iteration, cites=[called])
        return empty
    provenance = answer.provenance.plain()
    if isinstance(answer, Abstention):
        record(
            context,
            run,
            f"{called}.answer",
            "single",
            Abstained(provenance=provenance),
            iteration=iteration,
            cites=[called],
        )
        return empty
    work = answer.value
    usable, refused = sort_proposals(work.proposals, spec, tried, language, grid)
    analysis: Analysed = {
        **cast(Analysed, work.model_dump(mode="json", include=set(Analysis.model_fields))),
        "unfounded": unfounded_claims(*claims_and_numbers(work), language),
    }
    verdicts: list[Verdict] = [
        {
            "proposal": entry["number"],
            "decision": entry["decision"],
            "priority": entry["number"],
            "reason": entry["objection"],
        }
        for entry in usable
    ]
    record(
        context,
        run,
        f"{called}.answer",
        "single",
        SingleAnswer(
            answer=analysis,
            refused=refused,
            verdicts=verdicts,
            stance=work.stance,
            provenance=provenance,
        ),
        iteration=iteration,
        cites=[called],
    )
    for entry in usable:
        record(
            context,
            run,
            f"i{iteration:02d}.strategist.proposal.{entry['number']}",
            "single",
            Proposed(proposal=entry),
            iteration=iteration,
            cites=[f"{called}.answer"],
        )
    return {
        "iteration": iteration,
        "analysis": analysis,
        "proposals": usable,
        "verdicts": verdicts,
        "debate": {"iteration": iteration, "decision": work.stance, "turns": [], "dissent": []},
    }
