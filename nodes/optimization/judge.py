"""Node `judge`: the champion meets the holdout, once, and gets its verdict. No other node can read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from langgraph.runtime import Runtime

from backtest import StrategySpec, run_backtest
from backtest.stress import StressCase, stress_tests
from backtest.walk_forward import combinatorial_cross_validation
from market.datasets import Dataset, load_development, open_holdout
from nodes.context import OptimizationContext
from nodes.optimization.counting import begin_count, search_evidence
from nodes.optimization.evidence import reigning
from nodes.optimization.figures import figures
from nodes.optimization.judging import judged, rounded
from nodes.optimization.state import OptimizationState
from nodes.recording import record


def judge(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> dict[str, Any]:
    """Stress the champion on development data; then open the holdout and decide what may be believed.

    Development bars only warm up indicators in the holdout. Which opening this is was settled when the run
    began, like everything else that other runs could change meanwhile.
    """
    context = OptimizationContext.of(runtime.context)
    dataset = Dataset.model_validate(state["dataset"])
    run, iteration = state["run_id"], state["iteration"]
    spec = StrategySpec.model_validate(reigning(state)["spec"])
    search = search_evidence(context, run, dataset, iteration, spec.hash)
    opening = 1 + begin_count(context, run, dataset)["openings"]

    prices = load_development(dataset, context.home_path)
    case = StressCase.open(
        prices, spec, context.costs, context.fill, generator=np.random.default_rng(context.seed)
    )
    findings = stress_tests(case)
    crossed = combinatorial_cross_validation(prices, spec, costs=context.costs, fill=context.fill)
    frame, start, _ = open_holdout(dataset, context.home_path, reader=run)

    def held_out(strategy: StrategySpec) -> Any:
        return run_backtest(
            frame, strategy, costs=context.costs, fill=context.fill, trade_from=frame.index[start]
        )

    champion = held_out(spec)
    initial = StrategySpec.model_validate(state["initial"])
    judgement = {
        "holdout_hash": dataset.holdout_hash,
        "champion": figures(spec, champion),
        "initial": figures(initial, held_out(initial)),
        **judged(
            development=case.result,
            development_prices=prices,
            holdout=champion,
            holdout_prices=frame,
            search=search,
            opening=opening,
            findings=findings,
            seed=context.seed,
        ),
        "cross_validation": rounded(
            {"paths": len(crossed.sharpes), "sharpe_ratios": crossed.sharpes.tolist()}
        ),
    }
    record(
        context,
        run,
        "judge",
        "holdout",
        "judge",
        iteration=iteration,
        cites=[f"i{iteration:02d}.converge", "judge.ledger"],
        data=judgement,
    )
    return {"judgement": judgement}
