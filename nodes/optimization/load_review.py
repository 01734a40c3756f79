"""Node `load_review`: prices and strategy of a backtest that is to be read, not changed."""

from __future__ import annotations

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.load import prepare
from nodes.optimization.state import OptimizationState, ReviewInput


def load_review(state: ReviewInput, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Begin a review. A dataset without holdout rows will do: a review never opens them."""
    return {**prepare(state, OptimizationContext.of(runtime.context)), "graph": "review"}
