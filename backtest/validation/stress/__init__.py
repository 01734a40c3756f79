"""Stress tests of one strategy: each gives a figure, an outcome and what its sentence tells.

The sentences are in `prompts/texts/stress.*.toml`; the verdict that draws on them is
`backtest.validation.verdict`.
"""

from __future__ import annotations

from collections.abc import Callable

from backtest.validation.stress.case import Finding, Outcome, SignalSource, StressCase
from backtest.validation.stress.causality import foresight, look_ahead, recursion
from backtest.validation.stress.execution import costs, delay, spread
from backtest.validation.stress.markets import other_symbols, regimes
from backtest.validation.stress.neighbourhood import parameters
from backtest.validation.stress.resampling import best_trades, random_entries, trade_bootstrap, trade_order

STRESS_TESTS: tuple[Callable[[StressCase], Finding], ...] = (
    look_ahead,
    foresight,
    recursion,
    delay,
    costs,
    spread,
    parameters,
    random_entries,
    trade_bootstrap,
    trade_order,
    best_trades,
    regimes,
    other_symbols,
)


def stress_tests(case: StressCase) -> tuple[Finding, ...]:
    """Every test, in the order in which a report tells them."""
    return tuple(test(case) for test in STRESS_TESTS)


__all__ = ["STRESS_TESTS", "Finding", "Outcome", "SignalSource", "StressCase", "stress_tests"]
