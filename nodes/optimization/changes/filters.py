"""`add_filter` and `remove_filter`: one more condition that an entry needs, or one less."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

from pydantic import Field

from backtest import StrategyError, StrategySpec
from backtest.language.parser import parse
from backtest.language.tree import And, Node, meaning, show
from nodes.errors import ChangeError
from nodes.optimization.changes.base import Condition, Kind, Side, functions_of, listed, same_words
from nodes.seam.narrowing import narrowed, one_of
from prompts import Words


def required(spec: StrategySpec, side: Side) -> tuple[Node, ...]:
    """The conditions that an entry needs all of; none where the side has no entry."""
    tree = spec.trees.get(f"entry_{side}")
    if tree is None:
        return ()
    return tree.operands if isinstance(tree, And) else (tree,)


class _OneFilter(Kind):
    of_strategy = True
    side: Side
    condition: Condition

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """None: it moves no value."""
        return ()

    def subject(self) -> str:
        """What the condition speaks of."""
        return f"{self.kind} {functions_of(self.condition)}"

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        return words(
            f"changes.{self.kind}.sentence",
            side=words(f"optimization.side.{self.side}"),
            condition=same_words(self.condition),
        )


class AddFilter(_OneFilter):
    """Require one more condition for an entry."""

    degrees = 3
    kind: Literal["add_filter"]
    side: Side = Field(description="Which entries are filtered.")
    condition: Condition = Field(
        description="A condition in the strategy language, "
        "for example adx(14) > 25 or close > sma(close, 100)."
    )

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """For the sides that have an entry."""
        sides = [side for side in get_args(Side) if required(spec, side)]
        return (narrowed(cls, side=one_of(sides)),) if sides else ()

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy that enters only where the condition holds as well.

        Raises:
            BacktestError: the side has no entry, or the condition is refused.
        """
        return spec.with_filter(self.condition, side=self.side)


class RemoveFilter(_OneFilter):
    """Drop one of the conditions that an entry needs."""

    degrees = 0
    apart = "side"
    kind: Literal["remove_filter"]
    side: Side = Field(description="Which entries.")
    condition: Condition = Field(description="The condition to drop, copied as it stands in the entry.")

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """One a side, with the conditions of its entry; the only condition of a side cannot go."""
        return tuple(
            narrowed(cls, side=one_of([side]), condition=one_of(map(show, parts)))
            for side in get_args(Side)
            if len(parts := required(spec, side)) > 1
        )

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy without the condition; a parameter that nothing uses any more goes with it.

        Raises:
            BacktestError: the side has no entry, or the condition does not parse.
            ChangeError: `unknown_filter`, `last_condition`.
        """
        parts = required(spec, self.side)
        if not parts:
            raise StrategyError("no_entry", name=spec.name)
        dropped = meaning(parse(self.condition, spec.params, own=spec.kinds))
        kept = [part for part in parts if meaning(part) != dropped]
        if len(kept) == len(parts):
            raise ChangeError(
                "unknown_filter", condition=self.condition, known=listed(show(part) for part in parts)
            )
        if not kept:
            raise ChangeError("last_condition", condition=self.condition)
        return spec.evolve(**{f"entry_{self.side}": show(kept[0] if len(kept) == 1 else And(tuple(kept)))})
