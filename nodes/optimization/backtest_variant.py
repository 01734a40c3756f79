"""Node `backtest_variant`: one proposal tested, in parallel with its sisters."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from backtest import BacktestError
from backtest.validation.score import folds_held
from nodes.context import OptimizationContext
from nodes.forking import run_of
from nodes.optimization.state import OptimizationState, VariantTask
from nodes.optimization.trials.backtest_tool import tools
from nodes.optimization.trials.ledger import count
from nodes.optimization.trials.trial import MOST_CONFIGURATIONS, Tried, p_value, thinned, tried
from nodes.run_events import record
from record.events import VariantFailed, VariantTested
from record.types import Variant
from vault.datasets import Dataset


def _test(task: VariantTask, grid: dict[str, list[float]]) -> Tried:
    """Call the backtest tool for one proposal."""
    proposal = task["proposal"]
    call = {
        "name": "backtest_strategy",
        "args": {"strategy": proposal["spec"], "grid": grid},
        "id": f"{task['iteration']}-{proposal['number']}",
        "type": "tool_call",
    }
    messages = tools.invoke({"dataset": task["dataset"], "messages": [AIMessage("", tool_calls=[call])]})
    found: Tried = messages["messages"][0].artifact
    return found


def _luck(found: Tried, task: VariantTask, context: OptimizationContext) -> float | None:
    """p-value of the lead over the champion; None where there is no lead to be tested.

    A population ranks and leaves significance to the verdict.
    """
    if context.search == "population":
        return None
    champion = task["champion"]
    leads = found.figures["score"] > champion["figures"]["score"]
    held = folds_held(found.figures["blocks"], champion["figures"]["blocks"])
    if not leads or 2 * held <= len(found.figures["blocks"]):
        return None
    dataset = Dataset.model_validate(task["dataset"])
    return p_value(found, tried(champion["given"], champion["grid"], dataset, context), context.seed)


def backtest_variant(state: VariantTask, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Test a variant and compare it with the champion; the result is told as soon as it is there.

    What the engine refuses is recorded as a failed test, and harms no sister.
    """
    context = OptimizationContext.of(runtime.context)
    run, proposal, iteration = run_of(state["run_id"]), state["proposal"], state["iteration"]
    variant: Variant = {"figures": None, "error": None, "backtests": 1}
    allowance = state["allowance"]
    most = MOST_CONFIGURATIONS if allowance is None else min(allowance, MOST_CONFIGURATIONS)
    grid = thinned(proposal["grid"], most)
    try:
        found = _test(state, grid)
        count(context, run, Dataset.model_validate(state["dataset"]), found.looked_at)
        variant |= {
            "figures": found.figures,
            "spec": found.spec.model_dump(mode="json"),
            "grid": grid,
            "p_value": _luck(found, state, context),
            "excess_t": found.excess_t,
            "bars_held": found.bars_held,
            "backtests": found.figures["walk_forward"]["configurations"],
        }
    except BacktestError as error:
        variant["error"] = {"code": error.code, **error.fields}
    record(
        context,
        run,
        f"i{iteration:02d}.backtest.{proposal['number']}",
        "backtest_variant",
        (VariantTested if variant["figures"] else VariantFailed)(
            variant={
                "number": proposal["number"],
                "sentence": proposal["sentence"],
                "given": proposal["spec"],
                **variant,
            }
        ),
        iteration=iteration,
        cites=[f"i{iteration:02d}.strategist.proposal.{proposal['number']}"],
    )
    return {"variants": {proposal["hash"]: {**variant, "iteration": iteration}}}
