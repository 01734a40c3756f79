"""Node `single`: one agent in the place of the team. One call an iteration reads, proposes and judges.

The simplest honest opponent of the team: the same evidence, the same knowledge of the strategy language and
of the changes, the same tests and the same arithmetic after it; no second voice and no debate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, cast

from langgraph.runtime import Runtime
from pydantic import Field

from nodes.context import OptimizationContext
from nodes.optimization.case import analysis_of, ids_of, proposal_of
from nodes.optimization.evidence.claims import cited_by, claims_of
from nodes.optimization.evidence.evidence import Evidence
from nodes.optimization.evidence.vetoes import veto_complaints, weighed
from nodes.optimization.policies import debate, roles
from nodes.optimization.role import Brief, Made, Role, ask_role
from nodes.optimization.schemas import MOST_PROPOSALS, Analysis, Grounds, Proposal, Remark
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.proposing import complaints, none_usable, sorted_by
from nodes.seam.narrowing import narrowed
from prompts import part_of
from record.events import Abstained, SingleAnswer
from record.types import Analysis as Analysed
from record.types import Doubt, Provenance, Verdict


class JudgedProposal(Proposal):
    """One typed change, the reason for it, and its author's own verdict."""

    decision: Literal["validated", "rejected"] = Field(description="Whether it deserves a test after all.")
    against: Grounds = Field(
        default=[], description="Ids of the evidence against it; without them a veto does not count."
    )
    objection: Remark = Field(default="", description="What speaks against it, in a sentence of its own.")


class Work(Analysis):
    """A whole iteration by one agent: the reading, three judged proposals, and whether to go on."""

    proposals: Annotated[list[JudgedProposal], Field(min_length=3, max_length=MOST_PROPOSALS)] = Field(
        description="Three to six different changes, none of them tried before, each judged."
    )
    stance: Literal["continue", "stop"] = Field(
        description="continue the search after these tests, or stop with the champion they leave."
    )


def _case(brief: Brief[OptimizationState]) -> type[Work]:
    judged = narrowed(JudgedProposal, against=ids_of(brief.evidence))
    work = narrowed(Work, proposals=list[proposal_of(brief.evidence, None, judged)])  # type: ignore[misc]
    return analysis_of(brief.evidence, work)


def policy(evidence: Evidence) -> Work:
    """The rules of the three roles, one after the other.

    Raises:
        NodeError: `nothing_left`, as the strategist's.
    """
    reading = roles.analyst(evidence)
    stated = [one.statement for one in reading.hypotheses]
    proposed = roles.strategist(replace(evidence, hypotheses=stated)).proposals
    numbered: list[Any] = [
        {**proposal.model_dump(mode="json"), "number": number, "conditions": 0}
        for number, proposal in enumerate(proposed, start=1)
    ]
    verdicts = {v.proposal: v for v in roles.validator(replace(evidence, proposals=numbered)).verdicts}
    told = debate.speak(replace(evidence, voice="single", turns=[], cited=evidence.ids[:1]))
    return Work(
        **reading.model_dump(),
        proposals=[
            JudgedProposal(
                **proposal.model_dump(),
                decision=verdicts[number].decision,
                against=verdicts[number].evidence,
                objection=verdicts[number].reason,
            )
            for number, proposal in enumerate(proposed, start=1)
        ],
        stance=told.stance,
    )


def _doubts(brief: Brief[OptimizationState], work: Work) -> list[str]:
    judged: list[Verdict] = [
        {"proposal": number, "decision": one.decision, "reason": one.objection, "evidence": one.against}
        for number, one in enumerate(work.proposals, start=1)
    ]
    return [
        *complaints(sorted_by(brief.evidence, work.proposals, brief.language)[1]),
        *veto_complaints(judged, brief.evidence.ids, brief.language),
    ]


def _made(
    brief: Brief[OptimizationState], work: Work, unfounded: list[Doubt], provenance: Provenance
) -> Made[OptimizationState]:
    usable, refused = sorted_by(brief.evidence, work.proposals, brief.language)
    analysis: Analysed = {
        **cast(Analysed, work.model_dump(mode="json", include=set(Analysis.model_fields))),
        "unfounded": unfounded,
    }
    verdicts: list[Verdict] = [
        {
            "proposal": entry["number"],
            "decision": entry["decision"],
            "priority": entry["number"],
            "reason": entry["objection"],
            "evidence": entry["against"],
        }
        for entry in usable
    ]
    verdicts = weighed(verdicts, brief.evidence.ids, provenance)
    data = SingleAnswer(
        answer=analysis, refused=refused, verdicts=verdicts, stance=work.stance, provenance=provenance
    )
    update: OptimizationState = {
        "iteration": brief.iteration,
        "analysis": analysis,
        "proposals": usable,
        "verdicts": verdicts,
        "debate": {"iteration": brief.iteration, "decision": work.stance, "turns": [], "dissent": []},
    }
    return Made(data, update, usable)


SINGLE = Role[OptimizationState, Work](
    name="single",
    schema=Work,
    case=_case,
    policy=policy,
    chain=lambda brief: brief.context.strategist,
    made=_made,
    abstained=lambda brief, provenance: Abstained(provenance=provenance),
    silent=lambda brief: {
        "iteration": brief.iteration,
        "analysis": None,
        "proposals": [],
        "verdicts": None,
    },
    follows=lambda brief: [],
    claims=lambda work: [
        *claims_of(work),
        *(told for one in work.proposals for told in (one.reason, one.expected_effect, one.objection)),
    ],
    cited=lambda work: [*cited_by(work), *(name for one in work.proposals for name in one.against)],
    own=lambda work: [one.change.model_dump_json() for one in work.proposals],
    values=lambda brief: {"strategist": part_of("optimization/strategist", "user", brief.language)},
    knows=lambda brief: replace(
        brief.evidence, target_score=brief.context.target_score, patience=brief.context.patience
    ),
    check=lambda brief, work: none_usable(brief.evidence, work.proposals, brief.language),
    doubts=_doubts,
)


def single(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Ask the strategist's models for everything at once; who cannot answer abstains, as the team would."""
    context = OptimizationContext.of(runtime.context)
    return ask_role(SINGLE, state, context, state.get("iteration", 0) + 1)
