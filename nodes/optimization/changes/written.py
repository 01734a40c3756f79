"""What changes that bring a function share: it is read, its parameters are the strategy's, it has parents."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Annotated, Self

from pydantic import Field

from backtest import Bounds, StrategySpec
from backtest.cage.errors import CodeError
from backtest.cage.source import LONGEST, Bounded, Source, read_source
from backtest.cage.wording import told
from nodes.optimization.changes.base import Kind
from prompts import Words

MOST_PARENTS = 2

LONGEST_TOLD = 200
"""Characters of what a function says of itself that a remark has room for."""

Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Parent = Annotated[str, Field(min_length=1, max_length=40)]


class Written(Kind):
    """A change that brings a function, which the cage examines before anybody sees a figure of it."""

    caged = True
    source: Text = Field(description="One Python function.")
    parents: list[Parent] = Field(
        default=[],
        max_length=MOST_PARENTS,
        description="Names of the functions that it was made from; empty for a new idea.",
    )

    @abstractmethod
    def conditions(self, before: StrategySpec, words: Words) -> str:
        """What it does to the strategy `before` it, in words."""

    def code(self) -> str:
        """The function."""
        return self.source

    def read(self) -> Source:
        """The function, read by the cage.

        Raises:
            CodeError: it is refused.
        """
        return read_source(self.source)

    def with_source(self, text: str, name: str, parents: list[str]) -> Self:
        """The same change with another function in it, which is called so and made from these."""
        return self.model_copy(update={"source": text, "parents": parents})

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """None: it moves no value that was there."""
        return ()

    def subject(self) -> str:
        """What the function reads."""
        try:
            return f"{self.kind} {'+'.join(sorted(self.read().inputs))}"
        except CodeError:
            return self.kind

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        try:
            name = self.read().name
        except CodeError:
            return words(f"changes.{self.kind}.unreadable")
        return words(f"changes.{self.kind}.sentence", name=name, conditions=self.conditions(before, words))

    def effect(self, before: StrategySpec, words: Words) -> str:
        """What is expected of it: what the function measures, or when it trades."""
        return words(f"changes.{self.kind}.expected", about=self.about(words))

    def validated(self, words: Words) -> str:
        """Why it deserves a test."""
        return words(f"changes.{self.kind}.validated", about=self.about(words))

    def about(self, words: Words) -> str:
        """What the function measures, or when it trades, as far as a remark has room for it."""
        said = told(self.read().about, words)
        return said if len(said) <= LONGEST_TOLD else f"{said[: LONGEST_TOLD - 1]}…"


def own(source: Source, name: str) -> str:
    """What the strategy calls a parameter of the function."""
    return f"{source.name}_{name}"


def bounds_of(one: Bounded) -> Bounds:
    """The bounds of a parameter."""
    step = 1.0 if one.whole else (one.high - one.low) / 100.0
    return Bounds(low=one.low, high=one.high, step=step, integer=one.whole)
