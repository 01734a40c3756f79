"""Node `macro`: reads the economy's figures."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.context import EnsembleContext
from nodes.ensemble import rules
from nodes.ensemble.consult import consult
from nodes.ensemble.evidence import lines
from nodes.ensemble.schemas import MacroReport
from nodes.ensemble.state import EnsembleState


def macro(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Ask for the report; an agent that cannot answer abstains and the others go on."""
    context = EnsembleContext.of(runtime.context)
    turn = consult(
        "macro",
        state,
        context,
        chain=context.macro,
        schema=MacroReport,
        policy=rules.macro,
        rows=lines(state["evidence"]["macro"]),
    )
    return {"macro": turn}
