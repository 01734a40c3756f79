"""`sizing`: how much a position is worth; one method at a time, never more than the account."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategySpec
from nodes.optimization.changes.base import (
    Grid,
    Kind,
    SearchRange,
    cases_by_bounds,
    moved,
    present,
    proposed_words,
    searched,
    sentence_of,
    settled,
    value_words,
)
from prompts import Words

Method = Literal["equity_pct", "fixed_amount", "risk_per_trade_pct", "volatility_target_pct"]
METHODS: tuple[Method, ...] = ("equity_pct", "fixed_amount", "risk_per_trade_pct", "volatility_target_pct")


class Sizing(Kind):
    """Set, search or remove the method of sizing; leverage is none of its business."""

    degrees = 1
    apart = "method"
    directions = ("smaller", "larger", "other", "whole")
    kind: Literal["sizing"]
    method: Method = Field(
        description="equity_pct: percent of the account; fixed_amount: an amount of money; "
        "risk_per_trade_pct: percent of the account lost at the stop, which must exist; "
        "volatility_target_pct: annualised volatility in percent."
    )
    value: float | SearchRange | None = Field(
        description="A value in the method's unit; or a range {low, high} that the engine searches; "
        "or null to trade the whole account again."
    )

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """One for the methods with the same bounds."""
        return cases_by_bounds(cls, METHODS, spec, removable=True)

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with this method alone; of a range, the value nearest to the present one.

        Raises:
            BacktestError: a value out of bounds, or a stop is missing.
            ChangeError: `empty_range`.
        """
        value = self.value
        if value is not None:
            value = settled(self.method, value, spec.bounds()[self.method], present(spec, self.method))
        return spec.evolve(sizing={**dict.fromkeys(METHODS), self.method: value})

    def direction(self, before: StrategySpec) -> str:
        """Whether positions shrink or grow; `other` where a method begins or the search may do either."""
        if self.value is None:
            return "whole"
        return ("other", "larger", "smaller")[moved(present(before, self.method), self.value)]

    def grid(self, spec: StrategySpec) -> Grid:
        """What numeric search may move."""
        return searched(spec, self.method, self.value)

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """Every method, of which one is in force at a time."""
        return METHODS

    def subject(self) -> str:
        """The method."""
        return f"{self.kind} {self.method}"

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        return words(
            f"changes.{self.kind}.{sentence_of(self.value)}",
            method=self.method,
            old=value_words(present(before, self.method), words),
            new=proposed_words(before, self.method, self.value, words),
        )
