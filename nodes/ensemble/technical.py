"""Node `technical`: reads the strongest forecasts."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.context import EnsembleContext
from nodes.ensemble import rules
from nodes.ensemble.consult import consult
from nodes.ensemble.evidence import lines
from nodes.ensemble.schemas import TechnicalReport
from nodes.ensemble.state import EnsembleState


def technical(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Ask for the report; an agent that cannot answer abstains and the others go on."""
    context = EnsembleContext.of(runtime.context)
    turn = consult(
        "technical",
        state,
        context,
        chain=context.technical,
        schema=TechnicalReport,
        policy=rules.technical,
        rows=lines(state["evidence"]["technical"]),
    )
    return {"technical": turn}
