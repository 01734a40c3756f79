"""What is left when orders come late, trading costs more, and levels are met as on a path."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.data.paths import reaches
from backtest.engine.run import BacktestResult
from backtest.kernels.simulation import BARS
from backtest.validation.stress.case import AnyCase, Finding, graded, skipped
from backtest.validation.stress.entry import StressTest

WIDER_SPREAD = 3.0
LEAST_SPREAD_BPS = 10.0
SHORTEST_HELD = 2.0
"""Bars that positions are held on average before one bar of delay says something of them."""
_KEPT, _LEFT = 0.5, 0.0
_AROUND = 20
"""Bars whose moves tell the volatility inside one."""
_PATHS = 5


def delay(case: AnyCase) -> Finding:
    """Every signal one bar late.

    A position of h bars keeps (h − 1) / h of them: that much of an edge spread evenly over it is expected to
    be left. The figure is what is left as a share of that. Positions that are hardly held longer than a bar
    keep nothing, by construction: there the test says nothing.
    """
    rows = case.result.trade_values
    held = float(rows[:, BARS].mean()) if len(rows) else 0.0
    if held < SHORTEST_HELD:
        return skipped("delay")
    return _compared("delay", case, case.rerun(late=True), expected=(held - 1.0) / held)


def costs(case: AnyCase) -> Finding:
    """Fees, slippage and spread twice as high; what is free stays free.

    The figure is the share of the excess Sharpe ratio that is left.
    """
    doubled = {
        name: 2.0 * getattr(case.costs, name)
        for name in ("fee_bps", "fee_fixed", "slippage_bps", "slippage_atr", "spread_bps")
    }
    if not any(doubled.values()):
        return skipped("costs")
    return _compared("costs", case, case.rerun(costs=case.costs.model_copy(update=doubled)))


def spread(case: AnyCase) -> Finding:
    """A spread three times as wide, 10 basis points at least: a thin market.

    The figure is the share of the excess Sharpe ratio that is left.
    """
    wide = max(WIDER_SPREAD * case.costs.spread_bps, LEAST_SPREAD_BPS)
    found = case.rerun(costs=case.costs.model_copy(update={"spread_bps": wide}))
    return _compared("spread", case, found, spread_bps=wide)


def path(case: AnyCase) -> Finding:
    """Highs and lows of a path without memory from each open to its close, signals unchanged.

    Stops and targets fill at their level where a bar reaches it. Bars that were not recorded to their ends,
    or whose prices jump, leave levels untouched that were passed: whoever trails a stop closely earns by that
    on shuffled bars of a real index, which nothing can time. The figure is the share of the excess Sharpe
    ratio that is left, the mean of some paths.
    """
    if not case.spec.fills_inside_bars:
        return skipped("path")
    changed = []
    for generator in case.generator.spawn(_PATHS):
        changed.append(case.rerun(prices=[_redrawn(part.prices, generator) for part in case.parts]))
    return _compared("path", case, *changed)


def _redrawn(prices: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """The bars with other highs and lows."""
    opens, closes = (np.log(prices[name].to_numpy()) for name in ("open", "close"))
    moves = closes - opens
    deviations = pd.Series(moves**2).rolling(_AROUND, min_periods=1).mean().to_numpy() ** 0.5
    high, low = reaches(moves, deviations, generator)
    return prices.assign(high=np.exp(opens + high), low=np.exp(opens + low))


def _compared(
    name: str, case: AnyCase, *changed: BacktestResult, expected: float = 1.0, **fields: float
) -> Finding:
    before = case.excess_sharpe(case.result)
    after = float(np.mean([case.excess_sharpe(one) for one in changed]))
    if len(case.result.trade_values) == 0:
        return skipped(name)
    # A strategy without an excess has nothing to keep.
    left = after / before / expected if before > 0.0 else 0.0 if after <= 0.0 else 1.0
    return Finding(
        name=name,
        outcome=graded(left, passes=_KEPT, weak=_LEFT) if before > 0.0 and left > 0.0 else "failed",
        figure=left,
        fields={
            "before": before,
            "after": after,
            "return_percent": float(np.mean([one.metrics.total_return for one in changed])),
            **fields,
        },
    )


TESTS = (
    StressTest(name="delay", run=delay, failing="essential"),
    StressTest(name="costs", run=costs, failing="essential"),
    StressTest(name="spread", run=spread, failing="told"),
    StressTest(name="path", run=path, failing="essential"),
)
