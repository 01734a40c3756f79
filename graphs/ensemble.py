"""The ensemble: four agents side by side, an arbiter, a check that may send its answer back, one summary.

gather → technical ∥ macro ∥ sentiment ∥ quality → arbiter → check → arbiter again, or publish.
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph

from nodes.context import EnsembleContext
from nodes.ensemble.arbiter import arbiter
from nodes.ensemble.check import check
from nodes.ensemble.gather import gather
from nodes.ensemble.macro import macro
from nodes.ensemble.publish import publish
from nodes.ensemble.quality import quality
from nodes.ensemble.sentiment import sentiment
from nodes.ensemble.state import EnsembleInput, EnsembleState
from nodes.ensemble.technical import technical


def route_check(state: EnsembleState) -> Literal["arbiter", "publish"]:
    """Back to the arbiter with the errors while corrections are left, else on to publishing."""
    return "arbiter" if state["verdict"] == "revise" else "publish"


builder = StateGraph(EnsembleState, input_schema=EnsembleInput, context_schema=EnsembleContext)
builder.add_node("gather", gather)
builder.add_node("technical", technical)
builder.add_node("macro", macro)
builder.add_node("sentiment", sentiment)
builder.add_node("quality", quality)
builder.add_node("arbiter", arbiter)
builder.add_node("check", check)
builder.add_node("publish", publish)

builder.add_edge(START, "gather")
builder.add_edge("gather", "technical")
builder.add_edge("gather", "macro")
builder.add_edge("gather", "sentiment")
builder.add_edge("gather", "quality")
builder.add_edge(["technical", "macro", "sentiment", "quality"], "arbiter")
builder.add_edge("arbiter", "check")
builder.add_conditional_edges("check", route_check)
builder.add_edge("publish", END)

graph = builder.compile(name="ensemble")
