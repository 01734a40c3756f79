"""`replace_condition`: another entry, another exit, or both; in place of the present one or joined to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategySpec
from nodes.errors import ChangeError
from nodes.optimization.changes.base import Condition, Kind, Side, functions_of, same_words
from prompts import Words

Logic = Literal["replace", "and", "or"]


class ReplaceCondition(Kind):
    """Give one side another entry, another exit, or both."""

    degrees = 3
    directions = ("other", "other_exit", "entry_more", "entry_less", "exit_more", "exit_less")
    kind: Literal["replace_condition"]
    side: Side | Literal["both"] = Field(
        description="Which side. A side without an entry gets one. "
        "both: written for long; the short side becomes the mirror image of it."
    )
    entry: Condition | None = Field(
        default=None, description="New entry condition in the strategy language; null leaves the entry."
    )
    exit: Condition | None = Field(
        default=None, description="New exit condition in the strategy language; null leaves the exit."
    )
    logic: Logic = Field(
        default="replace",
        description="replace: in place of the present condition; and: both must hold; or: either suffices.",
    )

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with the conditions in their place; parameters that nothing uses any more go.

        Raises:
            BacktestError: a condition is refused or cannot be mirrored, or an exit is left without an entry.
            ChangeError: `no_condition`, where the change names neither entry nor exit.
        """
        changed = spec.evolve(**self.places(spec))
        return changed.both_sides() if self.side == "both" else changed

    def places(self, spec: StrategySpec) -> dict[str, str]:
        """The conditions by their place in the strategy, joined to those that are there.

        Raises:
            ChangeError: `no_condition`.
        """
        side = "long" if self.side == "both" else self.side
        given = {f"entry_{side}": self.entry, f"exit_{side}": self.exit}
        if not any(given.values()):
            raise ChangeError("no_condition", side=self.side)
        changes = {}
        for place, condition in given.items():
            if condition is None:
                continue
            before = getattr(spec, place)
            joined = before is not None and self.logic != "replace"
            changes[place] = f"({before}) {self.logic} ({condition})" if joined else condition
        return changes

    def direction(self, before: StrategySpec) -> str:
        """Whether one side's entry or exit holds more or less often; `other` for entirely other trades."""
        if self.side == "both" or (self.entry and self.exit):
            return "other"
        place = "entry" if self.entry else "exit"
        absent = getattr(before, f"{place}_{self.side}") is None
        if absent or self.logic == "or":
            return f"{place}_more"
        if self.logic == "and":
            return f"{place}_less"
        return "other" if self.entry else "other_exit"

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """None: it moves no value."""
        return ()

    def subject(self) -> str:
        """The side, and what its conditions speak of."""
        parts = [functions_of(condition) for condition in (self.entry, self.exit) if condition]
        return f"{self.kind} {self.side} {' / '.join(parts)}"

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        parts = []
        side = "long" if self.side == "both" else self.side
        for place, condition in (("entry", self.entry), ("exit", self.exit)):
            if condition is None:
                continue
            logic = self.logic if getattr(before, f"{place}_{side}") is not None else "replace"
            parts.append(words(f"changes.{self.kind}.{place}_{logic}", condition=same_words(condition)))
        return words(
            f"changes.{self.kind}.sentence",
            side=words(f"optimization.side.{self.side}"),
            parts=words(f"changes.{self.kind}.between").join(parts),
        )
