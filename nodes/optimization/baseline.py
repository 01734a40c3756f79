"""Node `baseline`: backtest the strategy the run begins with."""

from __future__ import annotations

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.evidence.preparing import prepare_dossier, prepare_lessons
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.archive import usual_day
from nodes.optimization.trials.ledger import begin_count, count
from nodes.optimization.trials.trial import tried
from nodes.optimization.trials.workshop import tell_library
from nodes.run_events import begin, record
from record.events import BaselineTested, PricesRead, Started
from vault.datasets import Dataset


def baseline(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Backtest the initial strategy on development data, then begin the record.

    In this order: data or a strategy that the engine refuses leave no run behind.
    """
    context = OptimizationContext.of(runtime.context)
    dataset = Dataset.model_validate(state["dataset"])
    tested = tried(state["initial"], {}, dataset, context)
    found = tested.figures
    run = state["run_id"]
    begin(context, run, {"graph": state.get("graph", "optimization"), "input": state["request"]})
    record(
        context,
        run,
        "i00.load",
        "load",
        Started(
            run=run,
            dataset=state["dataset"],
            others=state.get("others", []),
            strategy=state["initial"],
            max_iterations=context.max_iterations,
            blind=not context.named,
        ),
    )
    if notices := state["dataset"].get("notices"):
        record(context, run, "i00.read", "load", PricesRead(notices=notices), cites=["i00.load"])
    tell_library(context, run)
    begin_count(context, run, dataset)
    count(context, run, dataset, tested.looked_at)
    record(
        context,
        run,
        "i00.baseline",
        "baseline",
        BaselineTested(figures=found),
        cites=["i00.load"],
    )
    begun: OptimizationState = {**state, "baseline": found}
    update: OptimizationState = {"baseline": found, "bars_a_day": usual_day(dataset, context)}
    if context.search == "single" or state.get("graph") == "review":  # else the survey prepares it
        update["dossier"] = prepare_dossier(begun, context, 0, after="baseline")
    update["lessons"] = prepare_lessons(begun, runtime.store, context)
    return update
