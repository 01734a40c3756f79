"""The cycle's own backtest tool: its prices and settings come from the run. `threadx.tools` has anybody's.

It sees development data only: the holdout cannot be reached from here.
"""

# No annotations as text here: LangChain would evaluate them anew at every call.
import json
from typing import Annotated

from langchain_core.tools import tool
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from pydantic import Field

from nodes.context import OptimizationContext
from nodes.optimization.trials.trial import Tried, tried
from record.types import Prices, Strategy
from vault.datasets import Dataset


@tool(response_format="content_and_artifact")
def backtest_strategy(
    strategy: Annotated[Strategy, Field(description="The whole strategy as JSON.")],
    dataset: Annotated[Prices, InjectedState("dataset")],
    runtime: ToolRuntime[OptimizationContext],
    grid: Annotated[
        dict[str, list[float]],
        Field(description="Values by name that numeric search may choose among."),
    ] = {},  # noqa: B006 - a default of the tool's schema, never written to
) -> tuple[str, Tried]:
    """Try a trading strategy on the run's development data, walk-forward, and return its figures."""
    found = tried(strategy, grid, Dataset.model_validate(dataset), OptimizationContext.of(runtime.context))
    told = {"score": found.figures["score"], "metrics": found.figures["metrics"]}
    return json.dumps(told), found


# Errors of the engine are answers a proposal can get; the caller of the tool records them.
tools = ToolNode([backtest_strategy], handle_tool_errors=False)
