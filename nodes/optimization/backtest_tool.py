"""The backtest as a LangChain tool, for any agent that can call one.

It sees development data only: the holdout cannot be reached from here.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from langchain_core.tools import tool
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from pydantic import Field

from backtest import StrategySpec, run_backtest
from market.datasets import Dataset, load_development
from nodes.context import OptimizationContext
from nodes.optimization.figures import figures


def backtest_development(
    spec: StrategySpec, dataset: Dataset, context: OptimizationContext
) -> dict[str, Any]:
    """Figures of a strategy on the development part of a dataset, with the run's costs and fill."""
    result = run_backtest(
        load_development(dataset, context.home_path),
        spec,
        costs=context.costs,
        fill=context.fill,
    )
    return figures(spec, result)


@tool(response_format="content_and_artifact")
def backtest_strategy(
    strategy: Annotated[dict[str, Any], Field(description="The whole strategy as JSON.")],
    dataset: Annotated[dict[str, Any], InjectedState("dataset")],
    runtime: ToolRuntime[OptimizationContext],
) -> tuple[str, dict[str, Any]]:
    """Backtest a trading strategy on the run's development data and return its figures."""
    found = backtest_development(
        StrategySpec.model_validate(strategy),
        Dataset.model_validate(dataset),
        OptimizationContext.of(runtime.context),
    )
    return json.dumps({"score": found["score"], "metrics": found["metrics"]}), found


# Errors of the engine are answers a proposal can get; the caller of the tool records them.
tools = ToolNode([backtest_strategy], handle_tool_errors=False)
