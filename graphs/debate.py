"""The debate: voices speak in turn, then their consensus is counted. A subgraph of the optimisation cycle."""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.consensus import consensus, last_stances
from nodes.optimization.speak import speak, voices
from nodes.optimization.state import DebateState


def next_speaker(state: DebateState, runtime: Runtime[OptimizationContext]) -> Literal["speak", "consensus"]:
    """Another turn, until a full round agrees or the rounds are used up."""
    context = OptimizationContext.of(runtime.context)
    n_voices, turns = len(voices(context)), state["turns"]
    if len(turns) % n_voices:
        return "speak"
    # Nobody to disagree is an agreement too: where no voice could answer another round brings nothing.
    agreed = len({turn["stance"] for turn in last_stances(turns, n_voices)}) <= 1
    return "consensus" if agreed or len(turns) >= n_voices * context.debate_rounds else "speak"


builder = StateGraph(DebateState, context_schema=OptimizationContext)
builder.add_node("speak", speak)
builder.add_node("consensus", consensus)
builder.add_edge(START, "speak")
builder.add_conditional_edges("speak", next_speaker)
builder.add_edge("consensus", END)

graph = builder.compile(name="debate")
