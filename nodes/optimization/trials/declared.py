"""A hypothesis that was declared before anybody looked: judged once, at one trial, apart from the search."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from backtest import BacktestResult, StrategySpec, run_backtest
from backtest.statistics.returns import Moments, moments
from backtest.validation.attribution import attribution
from backtest.validation.stress import StressCase, stress_tests
from backtest.validation.trials import excess_returns
from backtest.validation.verdict import Part, Search, decide
from nodes.context import OptimizationContext
from nodes.optimization.trials.judging import rounded
from nodes.optimization.trials.ledger import once
from providers.training import may_remember
from record.events import HypothesisTaken, LedgerBegun
from record.types import DeclaredHypothesis
from vault.datasets import Dataset
from vault.declared import Declaration, take

TAKEN = "judge.declared"
"""Id of the event that says whether this run judges the market's hypothesis."""


def taken(context: OptimizationContext, run: str, begun: LedgerBegun, iteration: int) -> Declaration | None:
    """The hypothesis that this run is to judge: one that stood when it began, and that no other run took.

    Raises:
        OSError: the data folder cannot be written.
    """
    if begun.declared is None:
        return None
    found = Declaration.model_validate(begun.declared)
    told = once(
        context,
        run,
        TAKEN,
        iteration,
        f"i{iteration:02d}.converge",
        HypothesisTaken,
        lambda: HypothesisTaken(taken=take(found, context.home_path, run)),
    )
    return found if told.taken else None


def judge_declared(
    declared: Declaration, dataset: Dataset, prices: pd.DataFrame, frame: pd.DataFrame, start: int, seed: int
) -> DeclaredHypothesis:
    """The verdict on a hypothesis: one trial, first look, whatever was searched and opened since.

    Args:
        declared: what was predicted.
        dataset: the prices.
        prices: the development part.
        frame: all rows.
        start: position of the first row of the holdout.
        seed: of the resamples.
    """
    spec = StrategySpec.model_validate(declared.strategy)
    case = StressCase.open(prices, spec, declared.costs, declared.fill, generator=np.random.default_rng(seed))
    held = run_backtest(frame, spec, costs=declared.costs, fill=declared.fill, trade_from=frame.index[start])
    parts: dict[Part, tuple[BacktestResult, pd.DataFrame]] = {
        "development": (case.result, prices),
        "holdout": (held, frame),
    }
    sign = 1.0 if declared.direction == "above" else -1.0

    def predicted(part: Part) -> Moments:
        result, rows = parts[part]
        return moments(sign * excess_returns(result, rows["close"]))

    start_day = date.fromisoformat(dataset.boundary[:10])
    author = declared.declared_by
    remembers = author != "person" and may_remember(author, start_day)
    verdict = decide(
        development=predicted("development"),
        holdout=predicted("holdout"),
        search=Search(trials=1, sharpe_variance=0.0),
        opening=1,
        trades=case.result.metrics.n_trades + held.metrics.n_trades,
        # What is to earn less than holding needs no proof that it bears delays and costs.
        findings=stress_tests(case) if sign > 0.0 else (),
        lost=[name for name, (result, _) in parts.items() if sign > 0.0 and result.account_lost is not None],
        remembering=[author] if remembers else (),
    )
    generator = np.random.default_rng(seed)
    earned = {
        name: attribution(result, rows["close"], generator).to_dict()
        for name, (result, rows) in parts.items()
    }
    found: DeclaredHypothesis = rounded(
        {
            "text": declared.text,
            "direction": declared.direction,
            "strategy": declared.strategy,
            "description": spec.describe(),
            "declared_by": author,
            "declared_at": declared.declared_at,
            "fingerprint": declared.fingerprint,
            "verdict": verdict.to_dict(),
            "attribution": earned,
        }
    )
    return found
