"""`switch_preset`: another built-in strategy, under the rules of risk that are in force."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from backtest import PRESETS, StrategySpec
from nodes.optimization.changes.base import Grid, Kind, SearchRange
from nodes.seam.narrowing import narrowed, one_of
from prompts import Words

MOST_AXES = 2
VALUES_AN_AXIS = 8


class SwitchPreset(Kind):
    """Change to another built-in strategy."""

    degrees = 2
    kind: Literal["switch_preset"]
    preset: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        description="Its name.", json_schema_extra={"enum": list(PRESETS)}
    )
    search: bool = Field(
        default=True,
        description="true: the engine searches its first two parameters; false: their usual values.",
    )
    both_sides: bool = Field(
        default=False,
        description="true: it also sells short, on the mirror image of its conditions.",
    )

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """For the built-in strategies."""
        return (narrowed(cls, preset=one_of(PRESETS)),)

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The built-in strategy with its usual values: filters and orders go, rules of risk and sizing stay.

        Raises:
            BacktestError: no such preset, or none that can be mirrored.
        """
        switched = StrategySpec.preset(self.preset)
        if self.both_sides:
            switched = switched.both_sides()
        risk = {name: value for name, value in spec.risk.active().items() if name != "order_bars"}
        return switched.evolve(risk=risk, sizing=spec.sizing.active())

    def grid(self, spec: StrategySpec) -> Grid:
        """The first parameters over the whole of their bounds."""
        if not self.search:
            return {}
        bounds = StrategySpec.preset(self.preset).bounds()
        names = list(StrategySpec.preset(self.preset).params)[:MOST_AXES]
        return {
            name: SearchRange(low=bounds[name].low, high=bounds[name].high).values(
                name, bounds[name], VALUES_AN_AXIS
            )
            for name in names
        }

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """All parameters of the strategy that it replaces."""
        return spec.params

    def subject(self) -> str:
        """The new strategy."""
        return f"{self.kind} {self.preset}"

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        key = "searched" if self.search else "sentence"
        new = self.preset
        if self.both_sides:
            new = words(f"changes.{self.kind}.both_sides", preset=self.preset)
        elif before.entry_short is not None:
            new = words(f"changes.{self.kind}.long_only", preset=self.preset)
        return words(f"changes.{self.kind}.{key}", old=before.name, new=new)
