"""The ensemble: parallel agents, an arbiter, a check that may send its answer back, one summary.

gather → technical ∥ macro ∥ sentiment ∥ quality → arbiter → check → arbiter again, or publish.
The agents are those of `nodes.ensemble.agents`.
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START

from graphs.locked import AttendedGraph
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.arbiter import arbiter
from nodes.ensemble.check import check
from nodes.ensemble.consult import agent_node
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.gather import gather
from nodes.ensemble.publish import publish
from nodes.ensemble.state import EnsembleInput, EnsembleOutput, EnsembleState
from nodes.run_lock import invocations


def route_check(state: EnsembleState) -> Literal["arbiter", "publish"]:
    """Back to the arbiter with the errors while corrections are left, else on to publishing."""
    return "arbiter" if state["verdict"] == "revise" else "publish"


builder = AttendedGraph(
    EnsembleState, input_schema=EnsembleInput, context_schema=EnsembleContext, outcome=EnsembleOutput
)
builder.add_node("gather", gather)
builder.add_node("arbiter", arbiter)
builder.add_node("check", check)
builder.add_node("publish", publish)

builder.add_edge(START, "gather")
for name, agent in AGENTS.items():
    builder.add_node(name, agent_node(agent))
    builder.add_edge("gather", name)
builder.add_edge(list(AGENTS), "arbiter")
builder.add_edge("arbiter", "check")
builder.add_conditional_edges("check", route_check)
builder.add_edge("publish", END)

graph = builder.compile(name="ensemble").with_config(callbacks=[invocations])
