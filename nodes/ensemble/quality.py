"""Node `quality`: judges the data itself; what its judgement costs a source is arithmetic."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.context import EnsembleContext
from nodes.ensemble import rules
from nodes.ensemble.consult import consult
from nodes.ensemble.evidence import lines
from nodes.ensemble.schemas import QualityReport
from nodes.ensemble.state import EnsembleState


def quality(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Ask for the report; an agent that cannot answer abstains and the others go on."""
    context = EnsembleContext.of(runtime.context)
    turn = consult(
        "quality",
        state,
        context,
        chain=context.quality,
        schema=QualityReport,
        policy=rules.quality,
        rows=lines(state["evidence"]["quality"]),
    )
    return {"quality": turn}
