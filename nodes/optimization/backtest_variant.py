"""Node `backtest_variant`: one proposal tested, in parallel with its sisters."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from backtest import BacktestError
from nodes.context import OptimizationContext
from nodes.forking import run_of
from nodes.optimization.parsed import told
from nodes.optimization.state import OptimizationState, VariantTask
from nodes.optimization.trials.backtest_tool import tools
from nodes.optimization.trials.ledger import count
from nodes.optimization.trials.trial import Beside, Tried, beside, searched, tried
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


def _beside(found: Tried, task: VariantTask, context: OptimizationContext) -> Beside | None:
    """Whether a lead over the champion is luck; None of a population, which leaves that to the verdict."""
    if context.search == "population":
        return None
    champion, dataset = task["champion"], Dataset.model_validate(task["dataset"])
    scores = found.figures["score"], champion["figures"]["score"]
    return beside(found, tried(champion["given"], champion["grid"], dataset, context), context, scores)


def backtest_variant(state: VariantTask, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Test a variant and compare it with the champion; the result is told as soon as it is there.

    What the engine refuses is recorded as a failed test, and harms no sister.
    """
    context = OptimizationContext.of(runtime.context)
    run, proposal, iteration = run_of(state["run_id"]), state["proposal"], state["iteration"]
    variant: Variant = {"figures": None, "error": None, "backtests": 1}
    grid = searched(proposal["grid"], state["allowance"], context.ranges)
    try:
        found = _test(state, grid)
        count(context, run, Dataset.model_validate(state["dataset"]), found.looked_at)
        luck = _beside(found, state, context)
        variant |= {
            "figures": found.figures,
            "spec": told(found.spec),
            "grid": grid,
            "p_value": None if luck is None else luck.p_value,
            "excess_t": found.excess_t,
            "bars_held": found.bars_held,
            "backtests": found.figures["walk_forward"]["configurations"],
        }
        if luck is not None and context.gate == "skill":  # before, these stood in the figures
            variant["folds_held"] = luck.held
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
