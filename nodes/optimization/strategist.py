"""Node `strategist`: typed changes to test next, none of them tried before."""

from __future__ import annotations

from dataclasses import replace

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.case import proposals_of
from nodes.optimization.evidence.evidence import analysis_lines
from nodes.optimization.policies import roles
from nodes.optimization.role import Brief, Made, Role, ask_role
from nodes.optimization.schemas import Proposals
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.proposing import complaints, none_usable, sorted_by
from prompts import Language, text
from record.events import Abstained, StrategistAnswer
from record.types import Doubt, Provenance


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


def _hypotheses(brief: Brief[OptimizationState]) -> list[str]:
    """The analyst's, in its words."""
    analysis = brief.state["analysis"]
    return [one["statement"] for one in analysis["hypotheses"]] if analysis else []


def _doubts(brief: Brief[OptimizationState], answer: Proposals) -> list[str]:
    """What goes back once: repeats and refused changes, hypotheses nobody made."""
    _, refused = sorted_by(brief.evidence, answer.proposals, brief.language)
    return [
        *complaints(refused),
        *_not_diverse(answer, brief.language),
        *_wrong_hypotheses(answer, len(_hypotheses(brief)), brief.language),
    ]


def _made(
    brief: Brief[OptimizationState], answer: Proposals, unfounded: list[Doubt], provenance: Provenance
) -> Made[OptimizationState]:
    usable, refused = sorted_by(brief.evidence, answer.proposals, brief.language)
    data = StrategistAnswer(refused=refused, unfounded=unfounded, provenance=provenance)
    return Made(data, {"proposals": usable}, usable)


STRATEGIST = Role[OptimizationState, Proposals](
    name="strategist",
    schema=Proposals,
    case=lambda brief: proposals_of(brief.evidence, len(_hypotheses(brief))),
    policy=roles.strategist,
    chain=lambda brief: brief.context.strategist,
    made=_made,
    abstained=lambda brief, provenance: Abstained(refused=[], unfounded=[], provenance=provenance),
    silent=lambda brief: {"proposals": []},
    follows=lambda brief: [f"i{brief.iteration:02d}.analyst.answer"],
    claims=lambda answer: [words for one in answer.proposals for words in (one.reason, one.expected_effect)],
    own=lambda answer: [one.change.model_dump_json() for one in answer.proposals],
    blocks=lambda brief: {"analysis": analysis_lines(brief.state["analysis"], brief.language)},
    knows=lambda brief: replace(brief.evidence, hypotheses=_hypotheses(brief)),
    check=lambda brief, answer: none_usable(brief.evidence, answer.proposals, brief.language),
    doubts=_doubts,
)


def strategist(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Ask for changes; those that cannot be tested are recorded with the reason and dropped."""
    return ask_role(STRATEGIST, state, OptimizationContext.of(runtime.context), state["iteration"])
