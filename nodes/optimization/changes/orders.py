"""`entry_order`: a side enters by an order at a price level, or at the market again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategyError, StrategySpec
from nodes.optimization.changes.base import Condition, Kind, Side, functions_of, same_words
from nodes.optimization.changes.filters import required
from nodes.seam.narrowing import narrowed, one_of
from prompts import Words

Order = Literal["limit", "stop"]


class EntryOrder(Kind):
    """Let entry signals place an order at a price level, or enter at the market again."""

    degrees = 2
    of_strategy = True
    directions = ("limit", "stop", "market")
    kind: Literal["entry_order"]
    side: Side | Literal["both"] = Field(
        description="Which entries. both: written for long, mirrored for short."
    )
    order: Order = Field(description="limit: wait for a better price; stop: enter once price moves on to it.")
    level: Condition | None = Field(
        description="A price series at the signal's bar, such as lowest(low, 20) or close - atr(14); "
        "null: at market."
    )
    bars: int | None = Field(default=None, ge=1, le=500, description="Bars it waits; null: until filled.")

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """For the sides that have an entry."""
        sides = [side for side in ("long", "short") if required(spec, side)]
        return (narrowed(cls, side=one_of([*sides, *(["both"] if "long" in sides else [])])),)

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with this order in place of the side's others.

        Raises:
            BacktestError: the side has no entry, the level is refused or has no mirror image.
        """
        side = "long" if self.side == "both" else self.side
        if not required(spec, side):
            raise StrategyError("no_entry", name=spec.name)
        places: dict[str, str | None] = {f"entry_{one}_{side}": None for one in ("limit", "stop")}
        if self.level is None:
            changed = spec.evolve(**places, **{f"cancel_{side}": None})
        else:
            places[f"entry_{self.order}_{side}"] = self.level
            changed = spec.evolve(**places, risk={"order_bars": self.bars})
        return changed.both_sides() if self.side == "both" else changed

    def direction(self, before: StrategySpec) -> str:
        """Which order it is; `market` for none."""
        return "market" if self.level is None else self.order

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """How long orders wait."""
        return ("order_bars",)

    def subject(self) -> str:
        """The side, the order, and what its level speaks of."""
        level = "off" if self.level is None else f"{self.order} {functions_of(self.level, 'series')}"
        return f"{self.kind} {self.side} {level}"

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        side = words(f"optimization.side.{self.side}")
        if self.level is None:
            return words(f"changes.{self.kind}.removed", side=side)
        key = f"{self.order}_waits" if self.bars else "sentence" if self.order == "limit" else "stop"
        level = same_words(self.level, "series")
        return words(f"changes.{self.kind}.{key}", side=side, level=level, bars=self.bars or 0)
