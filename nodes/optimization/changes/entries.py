"""`several_entries`: how many entries a position may consist of."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategySpec
from backtest.types import SIZES
from nodes.optimization.changes.base import Kind, value_words
from prompts import Words

MOST_ENTRIES = 10


class SeveralEntries(Kind):
    """Let further entry signals add to a position, or no longer."""

    degrees = 1
    kind: Literal["several_entries"]
    entries: int = Field(
        ge=1,
        le=MOST_ENTRIES,
        description="Entries of a position at most, each sized as the first; 1 adds none.",
    )

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with so many entries; of the whole account each takes an equal part."""
        sizing: dict[str, float] = {"max_entries": self.entries}
        if self.entries > 1 and not any(getattr(spec.sizing, name) for name in SIZES):
            sizing["equity_pct"] = math.floor(1_000.0 / self.entries) / 10.0
        return spec.evolve(sizing=sizing)

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """How many entries there are."""
        return ("max_entries",)

    def subject(self) -> str:
        """Itself."""
        return self.kind

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        return words(
            f"changes.{self.kind}.sentence",
            old=value_words(before.sizing.max_entries, words),
            new=value_words(self.entries, words),
        )
