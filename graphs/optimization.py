"""The optimisation cycle: read a backtest, propose, validate, test in parallel, select, debate, go round.

load → baseline → analyst → strategist → validator → backtest_variant ×n → select → debate → converge
→ analyst again, or judge (holdout) → report.
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from graphs.debate import graph as debate
from nodes.context import OptimizationContext
from nodes.optimization.analyst import analyst
from nodes.optimization.backtest_variant import backtest_variant
from nodes.optimization.baseline import baseline
from nodes.optimization.converge import converge
from nodes.optimization.evidence import reigning
from nodes.optimization.judge import judge
from nodes.optimization.load import load
from nodes.optimization.report import report
from nodes.optimization.select import select
from nodes.optimization.state import OptimizationInput, OptimizationState, VariantTask
from nodes.optimization.strategist import strategist
from nodes.optimization.validator import validator


def _tests(state: OptimizationState, numbers: list[int]) -> list[Send] | Literal["select"]:
    """One parallel branch a proposal; straight to the selection where there is nothing to test."""
    by_number = {proposal["number"]: proposal for proposal in state["proposals"]}
    tasks: list[VariantTask] = [
        {
            "run_id": state["run_id"],
            "iteration": state["iteration"],
            "dataset": state["dataset"],
            "champion": reigning(state),
            "proposal": by_number[number],
        }
        for number in numbers
    ]
    return [Send("backtest_variant", task) for task in tasks] or "select"


def route_proposals(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> list[Send] | Literal["validator", "select"]:
    """To the validator if it is used and has something to judge, else to the tests."""
    if state["proposals"] and OptimizationContext.of(runtime.context).use_validator:
        return "validator"
    return _tests(state, [proposal["number"] for proposal in state["proposals"]])


def route_verdicts(state: OptimizationState) -> list[Send] | Literal["select"]:
    """To the tests of what was validated, in order of priority; an abstention vetoes nothing."""
    verdicts = state["verdicts"]
    if verdicts is None:
        return _tests(state, [proposal["number"] for proposal in state["proposals"]])
    ranked = sorted((verdict["priority"], verdict["proposal"]) for verdict in verdicts)
    decisions = {verdict["proposal"]: verdict["decision"] for verdict in verdicts}
    return _tests(state, [number for _, number in ranked if decisions[number] == "validated"])


def route_selection(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["debate", "converge"]:
    """Through the debate, unless it is off."""
    return "debate" if OptimizationContext.of(runtime.context).use_debate else "converge"


def route_convergence(state: OptimizationState) -> Literal["analyst", "judge"]:
    """Round again, or to the final judgement."""
    return "judge" if state["decision"]["stop"] else "analyst"


builder = StateGraph(OptimizationState, input_schema=OptimizationInput, context_schema=OptimizationContext)
builder.add_node("load", load)
builder.add_node("baseline", baseline)
builder.add_node("analyst", analyst)
builder.add_node("strategist", strategist)
builder.add_node("validator", validator)
builder.add_node("backtest_variant", backtest_variant)
builder.add_node("select", select)
builder.add_node("debate", debate)
builder.add_node("converge", converge)
builder.add_node("judge", judge)
builder.add_node("report", report)

builder.add_edge(START, "load")
builder.add_edge("load", "baseline")
builder.add_edge("baseline", "analyst")
builder.add_edge("analyst", "strategist")
builder.add_conditional_edges("strategist", route_proposals, ["validator", "backtest_variant", "select"])
builder.add_conditional_edges("validator", route_verdicts, ["backtest_variant", "select"])
builder.add_edge("backtest_variant", "select")
builder.add_conditional_edges("select", route_selection)
builder.add_edge("debate", "converge")
builder.add_conditional_edges("converge", route_convergence)
builder.add_edge("judge", "report")
builder.add_edge("report", END)

graph = builder.compile(name="optimization")
