"""Node `sentiment`: reads seven days of news, instrument by instrument."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from nodes.context import EnsembleContext
from nodes.ensemble import rules
from nodes.ensemble.consult import consult
from nodes.ensemble.evidence import lines
from nodes.ensemble.schemas import SentimentReport
from nodes.ensemble.state import EnsembleState


def sentiment(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> dict[str, Any]:
    """Ask for the report; an agent that cannot answer abstains and the others go on."""
    context = EnsembleContext.of(runtime.context)
    turn = consult(
        "sentiment",
        state,
        context,
        chain=context.sentiment,
        schema=SentimentReport,
        policy=rules.sentiment,
        rows=lines(state["evidence"]["sentiment"]),
    )
    return {"sentiment": turn}
