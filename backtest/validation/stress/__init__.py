"""Stress tests of one strategy: each gives a figure, an outcome and what its sentence tells.

A test is its entry in one of the files here and its sentences in `prompts/texts/stress.*.toml`; the verdict
that draws on them is `backtest.validation.verdict`.
"""

from __future__ import annotations

from dataclasses import replace

from backtest.validation.stress import causality, execution, markets, neighbourhood, resampling
from backtest.validation.stress.case import Finding, Outcome, SignalSource, StressCase
from backtest.validation.stress.entry import StressTest, collected
from base.plugins import with_plugins

# The order in which a report tells them, and in which they draw on the case's randomness.
_OWN: tuple[StressTest, ...] = (
    *causality.TESTS,
    *execution.TESTS,
    *neighbourhood.TESTS,
    *resampling.TESTS,
    *markets.TESTS,
)

STRESS_TESTS: dict[str, StressTest] = collected(with_plugins("stress", _OWN, collected, texts="stress"))
"""Every test by its name."""


def stress_tests(case: StressCase) -> tuple[Finding, ...]:
    """Every test, in the order in which a report tells them."""
    return tuple(replace(test.run(case), name=name) for name, test in STRESS_TESTS.items())


__all__ = ["STRESS_TESTS", "Finding", "Outcome", "SignalSource", "StressCase", "StressTest", "stress_tests"]
