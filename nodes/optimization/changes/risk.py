"""`risk_management`: one rule that closes a position whatever the signals say is set, searched or removed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

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
    with_value,
)
from prompts import Words

RiskRule = Literal[
    "stop_loss_pct",
    "take_profit_pct",
    "trailing_stop_pct",
    "stop_loss_atr",
    "take_profit_atr",
    "trailing_stop_atr",
    "max_bars",
    "break_even_pct",
    "cooldown_bars",
]


_LIMITS: dict[RiskRule, str] = {
    "stop_loss_pct": "loss",
    "take_profit_pct": "gain",
    "trailing_stop_pct": "loss",
    "stop_loss_atr": "loss",
    "take_profit_atr": "gain",
    "trailing_stop_atr": "loss",
    "max_bars": "time",
    "break_even_pct": "loss",
    "cooldown_bars": "pause",
}
"""What a rule limits."""


class RiskManagement(Kind):
    """Set, search or remove one risk rule."""

    degrees = 1
    apart = "parameter"
    directions = (
        "open",
        *(f"{what}_{how}" for what in ("loss", "gain", "time", "pause") for how in ("more", "less")),
    )
    kind: Literal["risk_management"]
    parameter: RiskRule = Field(
        description="Which rule: percent rules in percent (2.0 is 2%), ATR rules in multiples of the ATR, "
        "max_bars and cooldown_bars in bars."
    )
    value: float | SearchRange | None = Field(
        description="A value in the rule's unit; or a range {low, high} that the engine searches; or null to "
        "remove the rule."
    )

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """One for the rules with the same bounds."""
        return cases_by_bounds(cls, get_args(RiskRule), spec, removable=True)

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with the rule set; of a range, the value nearest to the present one.

        Raises:
            BacktestError: a value out of bounds.
            ChangeError: `empty_range`.
        """
        value = self.value
        if value is not None:
            bounds = spec.bounds()[self.parameter]
            value = settled(self.parameter, value, bounds, present(spec, self.parameter))
        return with_value(spec, self.parameter, value)

    def direction(self, before: StrategySpec) -> str:
        """Whether what the rule limits is limited more or less; `open` where the search may do either."""
        limits, now = _LIMITS[self.parameter], present(before, self.parameter)
        # A smaller value is tighter, but for the pause, which a larger one lengthens.
        tighter = moved(now, self.value) * (1 if limits == "pause" else -1)
        tighter += (now is None) - (self.value is None)
        return f"{limits}_{'more' if tighter > 0 else 'less'}" if tighter else "open"

    def grid(self, spec: StrategySpec) -> Grid:
        """What numeric search may move."""
        return searched(spec, self.parameter, self.value)

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """The rule it names."""
        return (self.parameter,)

    def subject(self) -> str:
        """The rule, and whether it goes."""
        return f"{self.kind} {self.parameter}" + (" off" if self.value is None else "")

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        return words(
            f"changes.{self.kind}.{sentence_of(self.value)}",
            parameter=self.parameter,
            old=value_words(present(before, self.parameter), words),
            new=proposed_words(before, self.parameter, self.value, words),
        )
