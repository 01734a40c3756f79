"""Node `backtest_variant`: one proposal tested, in parallel with its sisters."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from backtest import BacktestError
from nodes.context import OptimizationContext
from nodes.optimization.backtest_tool import tools
from nodes.optimization.state import VariantTask
from nodes.recording import record


def backtest_variant(state: VariantTask, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Call the backtest tool; what the engine refuses is recorded as a failed test, and harms no sister."""
    context = OptimizationContext.of(runtime.context)
    proposal, iteration = state["proposal"], state["iteration"]
    call = {
        "name": "backtest_strategy",
        "args": {"strategy": proposal["spec"]},
        "id": f"{iteration}-{proposal['number']}",
        "type": "tool_call",
    }
    found: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    try:
        messages = tools.invoke({"dataset": state["dataset"], "messages": [AIMessage("", tool_calls=[call])]})
        found = messages["messages"][0].artifact
    except BacktestError as error:
        problem = {"code": error.code, **error.fields}
    record(
        context,
        state["run_id"],
        f"i{iteration:02d}.backtest.{proposal['number']}",
        "backtest" if found else "error",
        "backtest_variant",
        iteration=iteration,
        cites=[f"i{iteration:02d}.strategist.proposal.{proposal['number']}"],
        data={
            "number": proposal["number"],
            "sentence": proposal["sentence"],
            "figures": found,
            "error": problem,
        },
    )
    return {"variants": {proposal["hash"]: {"iteration": iteration, "figures": found, "error": problem}}}
