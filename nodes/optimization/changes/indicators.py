"""`new_indicator`: a function written for this strategy, and the condition that names it."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field

from backtest import Bounds, StrategySpec
from backtest.cage.source import Source
from backtest.types import PLACES
from nodes.errors import ChangeError
from nodes.optimization.changes.base import Condition, Grid, SearchRange, Side
from nodes.optimization.changes.conditions import Logic, ReplaceCondition
from nodes.optimization.changes.written import Text, Written, bounds_of, own
from prompts import Words

LEVEL = "level"
"""What conditions call the number that `level` gives or searches."""


class NewIndicator(Written):
    """Write an indicator, and trade on it.

    Parameters of the function that a condition names become parameters of the strategy, and are searched
    within the bounds that the function gives them.
    """

    degrees = 4
    kind: Literal["new_indicator"]
    source: Text = Field(
        description="One Python function and nothing else, at most 30 lines: arrays among open, high, low, "
        "close, volume, then numbers with bounds and a default (period: (2, 200) = 20); a docstring that "
        "says what it measures; for loops over range, if, arithmetic, np and math; it returns an array that "
        "it made, one value a bar, np.nan where unknown. It never reads a later bar."
    )
    side: Side = Field(description="Which side. A side without an entry gets one.")
    entry: Condition | None = Field(
        default=None,
        description="New entry condition, which calls the function: volume_push(period) < level. Its "
        "parameters by their names are searched. null leaves the entry.",
    )
    exit: Condition | None = Field(
        default=None, description="New exit condition, in the same way; null leaves the exit."
    )
    logic: Logic = Field(
        default="replace",
        description="replace: in place of the present condition; and: both must hold; or: either suffices.",
    )
    level: float | SearchRange | None = Field(
        default=None,
        description="What conditions call level: a number, or a range {low, high} that the engine searches; "
        "null where no condition names it.",
    )
    alone: bool = Field(
        default=False, description="true: only this side is traded, and what the other side did goes."
    )

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with the conditions in their place, the function's parameters among its own.

        Raises:
            CodeError: the source is refused.
            BacktestError: a condition is refused.
            ChangeError: `no_condition`, `function_unused`; `no_array_of_values`, where it returns signals.
        """
        source = self.read()
        if source.places:
            raise ChangeError("no_array_of_values", name=source.name)
        placed = self._placed(source)
        if not any(source.name in _names(told) for told in (placed.entry, placed.exit) if told):
            raise ChangeError("function_unused", name=source.name)
        bounds = self._bounds(source)
        values = {name: value for name, (value, _) in bounds.items()}
        gone = {place: None for place in PLACES if self.alone and place.endswith(self._other)}
        changed = spec.evolve(params=values, **placed.places(spec), **gone)
        within = {name: bound for name, (_, bound) in bounds.items()}
        return changed.evolve(param_bounds={**changed.param_bounds, **within})

    def grid(self, spec: StrategySpec) -> Grid:
        """Parameters that a condition names over their bounds, and the levels."""
        source = self.read()
        found: Grid = {}
        for name, (_, bound) in self._bounds(source).items():
            if name != own(source, LEVEL):
                searched = SearchRange(low=bound.low, high=bound.high)
                found[name] = searched.values(name, bound)
            elif isinstance(self.level, SearchRange):
                found[name] = self.level.values(name, bound)
        return found

    def with_source(self, text: str, name: str, parents: list[str]) -> Self:
        """The same change with another function in it, which its conditions call."""
        known = self.read().name
        told = {
            place: None if condition is None else re.sub(rf"\b{known}\b", name, condition)
            for place, condition in (("entry", self.entry), ("exit", self.exit))
        }
        return super().with_source(text, name, parents).model_copy(update=told)

    def conditions(self, before: StrategySpec, words: Words) -> str:
        """Where they take their place."""
        told = self._placed().describe(before, words)
        goes = self.alone and getattr(before, f"entry{self._other}") is not None
        return words(f"changes.{self.kind}.alone", conditions=told) if goes else told

    @property
    def _other(self) -> str:
        """How the places of the other side end."""
        return "_short" if self.side == "long" else "_long"

    def _placed(self, source: Source | None = None) -> ReplaceCondition:
        """The same conditions by the names that the strategy's parameters have, or as they were written."""
        return ReplaceCondition(
            kind="replace_condition",
            side=self.side,
            entry=self._renamed(source, self.entry),
            exit=self._renamed(source, self.exit),
            logic=self.logic,
        )

    def _renamed(self, source: Source | None, condition: str | None) -> str | None:
        if condition is None or source is None:
            return condition
        for name in (*(one.name for one in source.parameters), LEVEL):
            # A name before a single = is that of an argument, and stays.
            condition = re.sub(rf"\b{name}\b(?!\s*=(?!=))", own(source, name), condition)
        return condition

    def _bounds(self, source: Source) -> dict[str, tuple[float, Bounds]]:
        """Value and bounds of each parameter that a condition names, as the strategy calls it."""
        placed = self._placed(source)
        named = {name for told in (placed.entry, placed.exit) if told for name in _names(told)}
        found = {own(source, one.name): (one.default, bounds_of(one)) for one in source.parameters}
        if self.level is not None:
            found[own(source, LEVEL)] = _level(self.level)
        return {name: told for name, told in found.items() if name in named}


def _names(condition: str) -> set[str]:
    return {name.lower() for name in re.findall(r"[A-Za-z_]\w*", condition)}


def _level(level: float | SearchRange) -> tuple[float, Bounds]:
    """The value to begin with, and bounds as wide again on either side as what is asked for."""
    low, high = (level.low, level.high) if isinstance(level, SearchRange) else (level, level)
    room = max(abs(high - low), 0.5 * max(abs(low), abs(high)), 1e-6)
    bound = Bounds(low=low - room, high=high + room, step=room / 50.0, integer=False)
    return (low + high) / 2.0, bound
