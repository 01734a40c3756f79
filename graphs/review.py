"""A review: read a backtest, propose, judge the proposals and debate. It tests nothing and changes nothing.

load_review → baseline → analyst → strategist → validator → debate → review. A graph of its own, with the same
roles: its drawing shows that no test, no selection and no holdout can be reached from it.
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START
from langgraph.runtime import Runtime

from graphs.debate import graph as debate
from graphs.door import RunGraph
from nodes.context import OptimizationContext
from nodes.optimization.analyst import analyst
from nodes.optimization.baseline import baseline
from nodes.optimization.load_review import load_review
from nodes.optimization.outcome import ReviewOutput
from nodes.optimization.review import review
from nodes.optimization.state import OptimizationState, ReviewInput
from nodes.optimization.strategist import strategist
from nodes.optimization.validator import validator
from nodes.run_lock import invocations


def _debate_or_review(context: OptimizationContext) -> Literal["debate", "review"]:
    return "debate" if context.use_debate else "review"


def route_proposals(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["validator", "debate", "review"]:
    """To the validator if it is used and has something to judge."""
    context = OptimizationContext.of(runtime.context)
    return "validator" if state["proposals"] and context.use_validator else _debate_or_review(context)


def route_verdicts(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["debate", "review"]:
    """Through the debate, unless it is off."""
    return _debate_or_review(OptimizationContext.of(runtime.context))


builder = RunGraph(
    OptimizationState, input_schema=ReviewInput, context_schema=OptimizationContext, outcome=ReviewOutput
)
builder.add_node("load_review", load_review)
builder.add_node("baseline", baseline)
builder.add_node("analyst", analyst)
builder.add_node("strategist", strategist)
builder.add_node("validator", validator)
builder.add_node("debate", debate)
builder.add_node("review", review)

builder.add_edge(START, "load_review")
builder.add_edge("load_review", "baseline")
builder.add_edge("baseline", "analyst")
builder.add_edge("analyst", "strategist")
builder.add_conditional_edges("strategist", route_proposals)
builder.add_conditional_edges("validator", route_verdicts)
builder.add_edge("debate", "review")
builder.add_edge("review", END)

graph = builder.compile(name="review").with_config(callbacks=[invocations])
