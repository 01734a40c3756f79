"""Plateau or needle: what the neighbours of the chosen parameters earn."""

from __future__ import annotations

import numpy as np

from backtest.errors import BacktestError
from backtest.strategy import StrategySpec
from backtest.types import Risk
from backtest.validation.stress.case import AnyCase, Finding, graded, skipped
from backtest.validation.stress.entry import StressTest

RELATIVE = 0.10
PLATEAU, NEEDLE = 0.7, 0.3


def neighbours(spec: StrategySpec) -> list[StrategySpec]:
    """Strategies with one parameter or setting moved by 10 % or by one step, up and down, each once."""
    found: dict[str, StrategySpec] = {}
    bounds = spec.bounds()
    settings = {**spec.risk.active(), **spec.sizing.active()}
    values = {**spec.params, **{name: float(settings[name]) for name in settings if name in bounds}}
    for name, value in values.items():
        bound = bounds[name]
        for moved in (
            value * (1.0 - RELATIVE),
            value * (1.0 + RELATIVE),
            value - bound.step,
            value + bound.step,
        ):
            new = float(round(moved)) if bound.integer else moved
            new = min(max(new, bound.low), bound.high)
            kind = "params" if name in spec.params else "risk" if name in Risk.model_fields else "sizing"
            try:
                neighbour = spec.evolve(**{kind: {name: new}})
            except BacktestError:
                continue  # a fast period at the slow one: no strategy
            if neighbour.hash != spec.hash:
                found.setdefault(neighbour.hash, neighbour)
    return list(found.values())


def parameters(case: AnyCase) -> Finding:
    """The median excess Sharpe ratio of the neighbours, as a share of the strategy's own.

    A plateau keeps seven tenths of it; under three tenths the choice stands on a needle.
    """
    own = case.excess_sharpe(case.result)
    found = []
    for neighbour in neighbours(case.spec):
        if neighbour.lookback() <= case.bars:
            found.append(case.excess_sharpe(case.rerun(spec=neighbour)))
    if not found or len(case.result.trade_values) == 0:
        return skipped("parameters")
    ratios = np.array(found)
    share = float(np.median(ratios)) / own if own > 0.0 else 0.0
    return Finding(
        name="parameters",
        outcome=graded(share, passes=PLATEAU, weak=NEEDLE),
        figure=share,
        fields={
            "own": own,
            "median": float(np.median(ratios)),
            "lowest": float(ratios.min()),
            "neighbours": len(ratios),
            "positive": int((ratios > 0.0).sum()),
        },
    )


TESTS = (StressTest(name="parameters", run=parameters, failing="essential"),)
