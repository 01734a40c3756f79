"""`new_strategy`: a function that says at each bar whether to enter and whether to leave."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategySpec
from nodes.errors import ChangeError
from nodes.optimization.changes.base import Grid, SearchRange
from nodes.optimization.changes.written import Text, Written, bounds_of, own
from prompts import Words

MOST_SEARCHED = 3
"""Parameters whose values are searched; the others keep their defaults."""


class NewStrategy(Written):
    """Write a whole strategy.

    Its signals become functions of the language, its parameters those of the strategy: the first three are
    searched within the bounds that the function gives them. Risk rules and sizing stay.
    """

    degrees = 4
    kind: Literal["new_strategy"]
    source: Text = Field(
        description="One Python function and nothing else, written like that of new_indicator, but its "
        "docstring says when it trades, and it returns arrays of signals, np.zeros(len(close)) with 1.0 "
        "where they hold: entry, exit; or entry, exit, short_entry, short_exit."
    )

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy of the function: conditions, filters and orders go, rules of risk and sizing stay.

        Raises:
            CodeError: the source is refused.
            ChangeError: `no_signals`, where the function returns a single array.
        """
        source = self.read()
        if not source.places:
            raise ChangeError("no_signals", name=source.name)
        given = ", ".join(own(source, one.name) for one in source.parameters)
        conditions = {place: f"{source.name}_{place}({given}) > 0" for place in source.places}
        written = StrategySpec(
            name=source.name,
            params={own(source, one.name): one.default for one in source.parameters},
            param_bounds={own(source, one.name): bounds_of(one) for one in source.parameters},
            **conditions,
        )
        risk = {name: value for name, value in spec.risk.active().items() if name != "order_bars"}
        return written.evolve(risk=risk, sizing=spec.sizing.active())

    def grid(self, spec: StrategySpec) -> Grid:
        """The first parameters over their bounds."""
        source = self.read()
        found = {}
        for one in source.parameters[:MOST_SEARCHED]:
            searched = SearchRange(low=one.low, high=one.high)
            name = own(source, one.name)
            found[name] = searched.values(name, bounds_of(one))
        return found

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """All parameters of the strategy that it replaces."""
        return spec.params

    def conditions(self, before: StrategySpec, words: Words) -> str:
        """The sides that it trades."""
        return words(f"changes.{self.kind}.{'both_sides' if len(self.read().places) > 2 else 'long_only'}")
