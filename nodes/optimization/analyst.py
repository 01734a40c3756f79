"""Node `analyst`: opens an iteration and reads the champion's backtest."""

from __future__ import annotations

from typing import cast

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.case import analysis_of
from nodes.optimization.evidence.claims import cited_by, claims_of, unknown_ids
from nodes.optimization.policies import roles
from nodes.optimization.role import Brief, Made, Role, ask_role
from nodes.optimization.schemas import Analysis
from nodes.optimization.state import OptimizationState
from record.events import Abstained, AnalystAnswer
from record.types import Analysis as Analysed
from record.types import Doubt, Provenance


def _made(
    brief: Brief[OptimizationState], answer: Analysis, unfounded: list[Doubt], provenance: Provenance
) -> Made[OptimizationState]:
    analysis: Analysed = {
        **cast(Analysed, answer.model_dump(mode="json")),
        "unfounded": unfounded,
        "unknown_evidence": unknown_ids(cited_by(answer), brief.evidence.ids),
    }
    update: OptimizationState = {"iteration": brief.iteration, "analysis": analysis}
    return Made(AnalystAnswer(answer=analysis, provenance=provenance), update)


ANALYST = Role[OptimizationState, Analysis](
    name="analyst",
    schema=Analysis,
    case=lambda brief: analysis_of(brief.evidence, Analysis),
    words_only=True,
    policy=roles.analyst,
    chain=lambda brief: brief.context.analyst,
    made=_made,
    abstained=lambda brief, provenance: Abstained(answer=None, provenance=provenance),
    silent=lambda brief: {"iteration": brief.iteration, "analysis": None},
    follows=lambda brief: [f"i{brief.iteration - 1:02d}.evidence"],
    claims=claims_of,
    cited=cited_by,
)


def analyst(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Ask for a reading of the champion; an analyst that cannot answer abstains and the cycle goes on."""
    context = OptimizationContext.of(runtime.context)
    return ask_role(ANALYST, state, context, state.get("iteration", 0) + 1)
