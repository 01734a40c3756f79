"""`risk_management`: one rule that closes a position whatever the signals say is set, searched or removed."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from backtest import StrategySpec
from nodes.optimization.changes.base import (
    Kind,
    OneValue,
    SearchRange,
    cases_by_bounds,
    moved,
    present,
    settled,
    with_value,
)

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


class RiskManagement(OneValue):
    """Set, search or remove one risk rule."""

    degrees = 1
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
