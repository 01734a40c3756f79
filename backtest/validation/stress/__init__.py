"""Stress tests of one strategy: each gives a figure, an outcome and what its sentence tells.

A test is its entry in one of the files here and its sentences in `prompts/texts/stress.*.toml`; the verdict
that draws on them is `backtest.validation.verdict`.
"""

from __future__ import annotations

from dataclasses import replace

from backtest.validation.stress import causality, execution, markets, neighbourhood, resampling
from backtest.validation.stress.case import AnyCase, Finding, Outcome, PooledCase, SignalSource, StressCase
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

_WORST_LAST: tuple[Outcome, ...] = ("skipped", "passed", "weak", "failed")

STRESS_TESTS: dict[str, StressTest] = collected(with_plugins("stress", _OWN, collected, texts="stress"))
"""Every test by its name."""


def stress_tests(case: AnyCase) -> tuple[Finding, ...]:
    """Every test, in the order in which a report tells them."""
    return tuple(replace(_found(test, case), name=name) for name, test in STRESS_TESTS.items())


def _found(test: StressTest, case: AnyCase) -> Finding:
    """What a test finds; a plugin's knows one instrument alone, and the worst of many counts."""
    if test in _OWN:
        return test.run(case)
    return max((test.run(part) for part in case.parts), key=lambda one: _WORST_LAST.index(one.outcome))


__all__ = [
    "STRESS_TESTS",
    "Finding",
    "Outcome",
    "PooledCase",
    "SignalSource",
    "StressCase",
    "StressTest",
    "stress_tests",
]
