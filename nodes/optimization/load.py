"""Node `load`: prices, their split, the strategy to start from, and the run's folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from langgraph.runtime import Runtime

from backtest import StrategySpec
from market.datasets import find_dataset, register
from market.errors import MarketError
from market.prices import read_prices
from nodes.context import OptimizationContext
from nodes.optimization.state import OptimizationInput
from nodes.recording import record
from providers import parse_reference
from reports.record import RunRecord

DATASET_PREFIX = "dataset:"


def new_run_name(now: datetime | None = None) -> str:
    """A name that sorts by time and is taken by nobody: `20261121-034512-1f2e3d`."""
    moment = now or datetime.now(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


def initial_strategy(given: OptimizationInput) -> StrategySpec:
    """The strategy the input names: a whole one of its own, or a preset with parameters.

    Raises:
        BacktestError: the strategy, a parameter or a condition is not valid.
    """
    if given.spec is not None:
        return StrategySpec.model_validate(given.spec)
    return StrategySpec.preset(given.strategy, **given.params)


def load(state: OptimizationInput, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Read and split the prices, build the strategy, begin the record.

    Bad input is raised as the room's own error: there is nothing to go on with.
    """
    context = OptimizationContext.of(runtime.context)
    for reference in (*context.analyst, *context.strategist, *context.validator):
        parse_reference(reference)  # a model that cannot be meant is bad input, not an answer that failed
    spec = initial_strategy(state)
    if state.data.startswith(DATASET_PREFIX):
        dataset = find_dataset(state.data.removeprefix(DATASET_PREFIX), context.home_path)
    else:
        frame, source = read_prices(state.data, context.home_path)
        dataset = register(
            frame,
            symbol=state.symbol or source.symbol,
            timeframe=state.timeframe or source.timeframe,
            home=context.home_path,
        )
    if dataset.holdout_rows == 0:
        raise MarketError("no_holdout", symbol=dataset.symbol, boundary=dataset.boundary)
    run = state.run or new_run_name()
    RunRecord(context.home_path, run).start(
        {
            "graph": "optimization",
            "input": {**state.model_dump(mode="json"), "run": run},
            "context": context.model_dump(mode="json"),
        }
    )
    record(
        context,
        run,
        "i00.load",
        "started",
        "load",
        data={"dataset": dataset.model_dump(mode="json"), "strategy": spec.model_dump(mode="json")},
    )
    return {
        "run_id": run,
        "dataset": dataset.model_dump(mode="json"),
        "initial": spec.model_dump(mode="json"),
        "history": [],
    }
