"""The optimisation cycle: read a backtest, propose, validate, test in parallel, select, debate, repeat.

load → baseline → [survey] → analyst → strategist → validator → [approve] → backtest_variant ×n → select
→ debate → converge → analyst again, or judge (holdout) → report. One agent (`single`) may replace the roles.
"""

from __future__ import annotations

from typing import Literal

from langgraph.graph import END, START
from langgraph.runtime import Runtime
from langgraph.types import Send

from graphs.debate import graph as debate
from graphs.door import RunGraph
from nodes.context import OptimizationContext
from nodes.optimization.analyst import analyst
from nodes.optimization.approve import approve
from nodes.optimization.backtest_variant import backtest_variant
from nodes.optimization.baseline import baseline
from nodes.optimization.converge import converge
from nodes.optimization.evidence.history import anything_tested
from nodes.optimization.judge import judge
from nodes.optimization.load import load
from nodes.optimization.outcome import OptimizationOutput
from nodes.optimization.report import report
from nodes.optimization.select import select
from nodes.optimization.single import single
from nodes.optimization.state import OptimizationInput, OptimizationState
from nodes.optimization.strategist import strategist
from nodes.optimization.survey import survey
from nodes.optimization.trials.approval import awaited
from nodes.optimization.trials.tasks import tasks, validated
from nodes.optimization.validator import validator
from nodes.run_lock import invocations


def _tests(
    state: OptimizationState, numbers: list[int], context: OptimizationContext
) -> list[Send] | Literal["select"]:
    """One parallel branch per proposal, in order; directly to the selection if there is nothing to test."""
    return [Send("backtest_variant", task) for task in tasks(state, numbers, context)] or "select"


def route_roles(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["analyst", "single"]:
    """To the team, or to the one agent in its place."""
    return "single" if OptimizationContext.of(runtime.context).roles == "single" else "analyst"


def route_search(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["survey", "analyst", "single"]:
    """To the survey that begins a population, or straight to the roles."""
    context = OptimizationContext.of(runtime.context)
    return "survey" if context.search == "population" else route_roles(state, runtime)


def route_proposals(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> list[Send] | Literal["validator", "approve", "select"]:
    """To the validator if it is used and has something to judge, else to the person or the tests."""
    context = OptimizationContext.of(runtime.context)
    if not state["proposals"]:
        return "select"
    if context.use_validator:
        return "validator"
    numbers = [proposal["number"] for proposal in state["proposals"]]
    return "approve" if awaited(state["proposals"], context.approve) else _tests(state, numbers, context)


def route_verdicts(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> list[Send] | Literal["approve", "select"]:
    """To the person, who sees vetoes too, or to the tests of what was validated."""
    context = OptimizationContext.of(runtime.context)
    if awaited(state["proposals"], context.approve):
        return "approve"
    return _tests(state, validated(state), context)


def route_approval(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> list[Send] | Literal["select"]:
    """To the tests of what the person accepted, the validator's first choice first."""
    accepted = set(state["approval"]["accepted"])
    ranked = validated(state) if state.get("verdicts") else []
    numbers = [n for n in ranked if n in accepted] + sorted(accepted - set(ranked))
    return _tests(state, numbers, OptimizationContext.of(runtime.context))


def route_selection(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["debate", "converge"]:
    """Through the debate, unless it is off or there is only one voice."""
    context = OptimizationContext.of(runtime.context)
    return "debate" if context.use_debate and context.roles == "team" else "converge"


def route_convergence(
    state: OptimizationState, runtime: Runtime[OptimizationContext]
) -> Literal["analyst", "single", "judge", "report"]:
    """Another iteration, or the final judgement; if nothing was tested the holdout stays closed."""
    if not state["decision"]["stop"]:
        return route_roles(state, runtime)
    return "judge" if anything_tested(state) else "report"


builder = RunGraph(
    OptimizationState,
    input_schema=OptimizationInput,
    context_schema=OptimizationContext,
    outcome=OptimizationOutput,
)
builder.add_node("load", load)
builder.add_node("baseline", baseline)
builder.add_node("survey", survey)
builder.add_node("analyst", analyst)
builder.add_node("strategist", strategist)
builder.add_node("validator", validator)
builder.add_node("single", single)
builder.add_node("approve", approve)
builder.add_node("backtest_variant", backtest_variant)
builder.add_node("select", select)
builder.add_node("debate", debate)
builder.add_node("converge", converge)
builder.add_node("judge", judge)
builder.add_node("report", report)

TESTS = ["backtest_variant", "select"]
builder.add_edge(START, "load")
builder.add_edge("load", "baseline")
builder.add_conditional_edges("baseline", route_search)
builder.add_conditional_edges("survey", route_roles)
builder.add_edge("analyst", "strategist")
builder.add_conditional_edges("strategist", route_proposals, ["validator", "approve", *TESTS])
builder.add_conditional_edges("validator", route_verdicts, ["approve", *TESTS])
builder.add_conditional_edges("single", route_verdicts, ["approve", *TESTS])
builder.add_conditional_edges("approve", route_approval, TESTS)
builder.add_edge("backtest_variant", "select")
builder.add_conditional_edges("select", route_selection)
builder.add_edge("debate", "converge")
builder.add_conditional_edges("converge", route_convergence)
builder.add_edge("judge", "report")
builder.add_edge("report", END)

graph = builder.compile(name="optimization").with_config(callbacks=[invocations])
