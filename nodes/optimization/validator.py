"""Node `validator`: which proposals deserve a test. It can veto; it cannot overrule arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.case import verdicts_of
from nodes.optimization.evidence.evidence import proposal_lines
from nodes.optimization.evidence.vetoes import veto_complaints, weighed
from nodes.optimization.policies import roles
from nodes.optimization.role import Brief, Made, Role, ask_role
from nodes.optimization.schemas import Verdicts
from nodes.optimization.state import OptimizationState
from prompts import text
from record.events import Abstained, ValidatorAnswer
from record.types import Doubt, Provenance
from record.types import Verdict as Judged


def _one_each(brief: Brief[OptimizationState], answer: Verdicts) -> list[str]:
    """A complaint unless every proposal has one verdict."""
    wanted = [proposal["number"] for proposal in brief.state["proposals"]]
    judged = sorted(verdict.proposal for verdict in answer.verdicts)
    if judged == wanted:
        return []
    return [text("optimization.refusal.verdicts", brief.language, wanted=str(wanted), found=str(judged))]


def _verdicts(answer: Verdicts) -> list[Judged]:
    ordered = sorted(answer.verdicts, key=lambda verdict: verdict.proposal)
    return [cast(Judged, verdict.model_dump(mode="json")) for verdict in ordered]


def _made(
    brief: Brief[OptimizationState], answer: Verdicts, unfounded: list[Doubt], provenance: Provenance
) -> Made[OptimizationState]:
    verdicts = weighed(_verdicts(answer), brief.evidence.ids, provenance)
    data = ValidatorAnswer(
        verdicts=verdicts,
        concerns=list(answer.concerns),
        confidence=answer.confidence,
        unfounded=unfounded,
        provenance=provenance,
    )
    return Made(data, {"verdicts": verdicts, "confidence": answer.confidence})


VALIDATOR = Role[OptimizationState, Verdicts](
    name="validator",
    schema=Verdicts,
    case=lambda brief: verdicts_of(brief.evidence, len(brief.state["proposals"])),
    words_only=True,
    policy=roles.validator,
    chain=lambda brief: brief.context.validator,
    made=_made,
    abstained=lambda brief, provenance: Abstained(
        verdicts=None, concerns=[], confidence=None, unfounded=[], provenance=provenance
    ),
    silent=lambda brief: {"verdicts": None, "confidence": None},
    follows=lambda brief: [
        f"i{brief.iteration:02d}.strategist.proposal.{proposal['number']}"
        for proposal in brief.state["proposals"]
    ],
    claims=lambda answer: [*(verdict.reason for verdict in answer.verdicts), *answer.concerns],
    blocks=lambda brief: {
        "proposals": proposal_lines(brief.state["proposals"], brief.evidence, brief.language)
    },
    knows=lambda brief: replace(brief.evidence, proposals=brief.state["proposals"]),
    cited=lambda answer: [name for verdict in answer.verdicts for name in verdict.evidence],
    check=_one_each,
    doubts=lambda brief, answer: veto_complaints(_verdicts(answer), brief.evidence.ids, brief.language),
)


def validator(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Ask for a verdict on every proposal; a validator that cannot answer abstains, which vetoes nothing."""
    return ask_role(VALIDATOR, state, OptimizationContext.of(runtime.context), state["iteration"])
