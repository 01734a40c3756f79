"""Node `judge`: the champion meets the holdout, once, and gets its verdict. No other node can read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from langgraph.runtime import Runtime

from backtest import BacktestResult, StrategySpec
from backtest.engine.pooled import PooledResult
from backtest.validation.stress import stress_tests
from backtest.validation.traded import backtest_of, closes_of, stress_case
from backtest.validation.walk_forward import combinatorial_cross_validation
from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import reigning
from nodes.optimization.evidence.figures import figures
from nodes.optimization.role_statistics import brains
from nodes.optimization.state import OptimizationState
from nodes.optimization.trials.declared import judge_declared, taken
from nodes.optimization.trials.judging import bar_by_bar, by_instrument, judged, rounded
from nodes.optimization.trials.ledger import begin_count, check_evidence, close_count, search_evidence
from nodes.optimization.trials.trial import tried
from nodes.run_events import record
from providers.training import may_remember
from record.events import Event, Judged
from record.record import RunRecord
from record.run_tables import RETURNS, TRIALS, read_table, write_table
from record.types import Judgement, Searched, SearchFigures, Strategy
from vault.datasets import Dataset, load_development
from vault.declared import Declaration
from vault.ledger import Evidence
from vault.pools import development_of, holdout_of


def judge(state: OptimizationState, runtime: Runtime[OptimizationContext]) -> OptimizationState:
    """Stress the champion on development data; then open the holdout and decide what may be believed.

    Development bars only warm up indicators in the holdout. Which opening this is was settled when the run
    began, like everything else that other runs could change meanwhile.
    """
    context = OptimizationContext.of(runtime.context)
    dataset = Dataset.model_validate(state["dataset"])
    run, iteration = state["run_id"], state["iteration"]
    known = RunRecord(context.home_path, run).log.told("judge", Judged)
    if known is not None:  # a resumed run: what was opened is not opened again
        close_count(context, run, dataset, iteration)
        return {"judgement": known.judgement}
    champion = reigning(state)
    missing = check_evidence(context, run, dataset, iteration)
    search = search_evidence(context, run, dataset, iteration, champion["figures"]["hash"])
    folder = RunRecord(context.home_path, run).folder
    begun = begin_count(context, run, dataset)
    judgement, returns = meet_holdout(
        context,
        dataset,
        others=[Dataset.model_validate(one) for one in state.get("others", [])],
        champion=champion,
        initial=state["initial"],
        search=search,
        trials=read_table(folder, TRIALS),
        opening=1 + begun.openings,
        declared=taken(context, run, begun, iteration),
        remembering=remembering(context, dataset, RunRecord(context.home_path, run).events()),
        reader=run,
    )
    if missing:
        judgement["missing_evidence"] = missing
    if begun.opened:
        judgement["earlier_openings"] = begun.opened
    write_table(returns, folder / RETURNS)
    record(
        context,
        run,
        "judge",
        "judge",
        Judged(judgement=judgement),
        iteration=iteration,
        cites=[f"i{iteration:02d}.converge", "judge.ledger"],
    )
    close_count(context, run, dataset, iteration)
    return {"judgement": judgement}


def remembering(context: OptimizationContext, dataset: Dataset, events: Iterable[Event]) -> list[str]:
    """Models that answered in a run, were told its market, and may remember its holdout; none if blind."""
    if not context.named:
        return []
    answered = {model for brain in brains(events).values() for model in brain["answers"]}
    start = date.fromisoformat(dataset.boundary[:10])
    return sorted(model for model in answered if may_remember(model, start))


def meet_holdout(
    context: OptimizationContext,
    dataset: Dataset,
    *,
    others: Sequence[Dataset],
    champion: Searched,
    initial: Strategy,
    search: SearchFigures,
    trials: pd.DataFrame,
    opening: int,
    remembering: Sequence[str],
    reader: str,
    declared: Declaration | None = None,
) -> tuple[Judgement, pd.DataFrame]:
    """The last judgement, from nothing but prices and what is on record: the same each time.

    Args:
        context: costs, fill, seed, data folder.
        dataset: prices with a holdout, which is opened here.
        others: other instruments, on whose development parts the champion is tried.
        champion: the strategy to judge.
        initial: the strategy that the run began with.
        search: as `counting.search_evidence` gives it.
        trials: the table that it was computed from.
        opening: which opening of the holdout this is.
        remembering: models that may have known what happened there.
        reader: who opens it.
        declared: the market's hypothesis, where this run is the one that judges it.

    Returns:
        What the judgement says, as plain JSON, and `judging.bar_by_bar`.
    """
    spec, first = StrategySpec.model_validate(champion["spec"]), StrategySpec.model_validate(initial)
    prices = development_of(dataset, context.home_path)
    case = stress_case(
        prices,
        spec,
        context.costs,
        context.fill,
        generator=np.random.default_rng(context.seed),
        others={
            f"{one.symbol} {one.timeframe} {one.development_hash}": load_development(one, context.home_path)
            for one in others
        },
    )
    findings = stress_tests(case)
    crossed = combinatorial_cross_validation(prices, spec, costs=context.costs, fill=context.fill)
    tests = tried(champion["given"], champion["grid"], dataset, context).returns
    before = backtest_of(prices, first, context.costs, context.fill)
    frames, starts = holdout_of(dataset, context.home_path, reader=reader)

    def held_out(strategy: StrategySpec) -> BacktestResult:
        return backtest_of(frames, strategy, context.costs, context.fill, trade_from=starts)

    held, held_initial = held_out(spec), held_out(first)
    belief = judged(
        development=case.result,
        development_closes=closes_of(prices),
        holdout=held,
        holdout_closes=closes_of(frames),
        search=search,
        trial_sharpes=Evidence.of(trials).sharpes.tolist(),
        opening=opening,
        findings=findings,
        remembering=remembering,
        seed=context.seed,
    )
    judgement: Judgement = {
        "holdout_hash": dataset.holdout_hash,
        "champion": figures(spec, held, closes_of(frames)),
        "initial": figures(first, held_initial, closes_of(frames)),
        "verdict": belief["verdict"],
        "overfitting": belief["overfitting"],
        "sight": belief["sight"],
        "attribution": belief["attribution"],
        "stress": belief["stress"],
        "holdout": belief["holdout"],
        "cross_validation": {
            "paths": len(crossed.sharpes),
            "sharpe_ratios": rounded(list(crossed.sharpes)),
        },
    }
    if isinstance(case.result, PooledResult) and isinstance(held, PooledResult):
        judgement["instruments"] = by_instrument(
            case.result,
            held,
            search=search,
            opening=opening,
            findings=findings,
            remembering=remembering,
        )
    if declared is not None and isinstance(prices, pd.DataFrame) and isinstance(frames, pd.DataFrame):
        start = frames.index.searchsorted(starts[dataset.symbol])
        judgement["declared"] = judge_declared(declared, dataset, prices, frames, int(start), context.seed)
    returns = bar_by_bar(
        development=case.result,
        development_closes=closes_of(prices),
        holdout=held,
        holdout_closes=closes_of(frames),
        tests=tests,
        initial=(before, held_initial),
    )
    return judgement, returns
