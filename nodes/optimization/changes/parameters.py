"""`param_adjustment`: one of the strategy's own parameters takes another value, given or searched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backtest import StrategyError, StrategySpec
from base.reasons import nearest, told_known
from nodes.optimization.changes.base import (
    Kind,
    OneValue,
    SearchRange,
    cases_by_bounds,
    present,
    settled,
    with_value,
)


class ParamAdjustment(OneValue):
    """Set one of the strategy's own parameters to a value, or let the engine search it in a range."""

    degrees = 0
    of_strategy = True
    kind: Literal["param_adjustment"]
    parameter: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        description="Name of the strategy's parameter, as listed under 'param'."
    )
    value: float | SearchRange = Field(
        description="A number within the listed bounds; or, better, a range {low, high} in the direction you "
        "believe in: the engine searches the value there."
    )

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """One for the parameters of the strategy with the same bounds."""
        return cases_by_bounds(cls, spec.params, spec)

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with the value set; of a range, the value nearest to the present one.

        A rule of risk or a sizing setting named here is understood as such: models often put it there, and it
        can mean nothing else.

        Raises:
            BacktestError: unknown parameter, a value out of bounds or out of order.
            ChangeError: `empty_range`.
        """
        bounds = spec.bounds()
        if self.parameter not in bounds:
            # Of rules and settings, which may stand here too, the one that may have been meant.
            known = told_known(self.parameter, {*spec.params, nearest(self.parameter, bounds)})
            raise StrategyError("unknown_parameter", name=self.parameter, known=known)
        value = settled(self.parameter, self.value, bounds[self.parameter], present(spec, self.parameter))
        return with_value(spec, self.parameter, value)
