"""`profit_table`: targets by age, or exits in parts, as a table that is set or removed whole."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import Field

from backtest import StrategySpec
from nodes.optimization.changes.base import Kind
from prompts import Words

Rule = Literal["roi", "scale_out"]


class ProfitTable(Kind):
    """Set or remove a table of targets."""

    degrees = 2
    directions = ("roi", "scale_out", "removed")
    kind: Literal["profit_table"]
    rule: Rule = Field(
        description="roi: targets by age, bars:percent (0:4,20:2,60:0); scale_out: targets in parts, "
        "percent:share (1.5:50,3:25)."
    )
    table: str | None = Field(max_length=200, description="The whole table; null removes it.")

    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The strategy with the table.

        Raises:
            BacktestError: it is no such table, or a row of it is out of bounds.
        """
        return spec.evolve(risk={self.rule: self.table})

    def direction(self, before: StrategySpec) -> str:
        """Which table; `removed` for none."""
        return "removed" if self.table is None else self.rule

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """None: no search moves a table."""
        return ()

    def subject(self) -> str:
        """Which table, and whether it goes."""
        return f"{self.kind} {self.rule}" + (" off" if self.table is None else "")

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        old = getattr(before.risk, self.rule) or words("optimization.change.none")
        key = "removed" if self.table is None else "sentence"
        return words(f"changes.{self.kind}.{key}", rule=self.rule, old=old, new=self.table or "")
