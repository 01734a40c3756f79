"""One function of the strategy language as one entry: what parser, engine, mirror, charts, docs need of it.

Only how it is computed stands elsewhere: one rule in `backtest.engine.derived`, which needs kernels. An entry
that leaves something unsaid is refused by its name when it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from backtest.language.tree import Node, Number, Series
from base.entries import EntryError

ArgumentKind = Literal["series", "operand", "period", "number", "condition"]
ImageKind = Literal[
    "price",
    "move",
    "share",
    "size",
    "alike",
    "sum",
    "magnitude",
    "joint",
    "product",
    "inside",
    "condition",
    "none",
]


@dataclass(frozen=True, slots=True)
class Label:
    """What a reader calls it, in both languages."""

    en: str
    fr: str


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a function.

    Attributes:
        name: what help and errors call it.
        kind: `series` varies from bar to bar, `operand` may also be constant, `period` is a whole constant
            number of bars, `number` is any constant, `condition` is true or false.
        default: used when the argument is left out; None when it must be given.
        low: the smallest period, or the smallest number where there is a largest.
        high: the largest period or number.
        turns: in the mirror a number becomes this less itself.
    """

    name: str
    kind: ArgumentKind
    default: Node | None = None
    low: float = 1
    high: float | None = None
    turns: float | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """What a value becomes when prices are turned upside down (`backtest.language.mirror`).

    Attributes:
        kind: `price` is reflected as prices are, `move` changes its sign, `share` becomes `total` less
            itself, `size` stays as it is, `alike` becomes what its series becomes, `sum` so many of it;
            `magnitude` stays where its series only changes its sign; `joint` becomes what its operands
            become, brought to one form; `product` changes its sign with each of its series; `inside` stays,
            its condition mirrored; `condition` is true or false; `none` has no mirror image.
        total: of a share, the sum of a value and its image.
        opposite: the function that takes its place, where that is another one.
    """

    kind: ImageKind
    total: float = 0.0
    opposite: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """What a value cannot leave.

    Attributes:
        low: never below.
        high: never above.
        never_zero: it is a price, so always above zero.
        within: it stays within the range of its series.
    """

    low: float = -math.inf
    high: float = math.inf
    never_zero: bool = False
    within: bool = False


UNBOUNDED = Range()
PERCENT = Range(0.0, 100.0)
NOT_NEGATIVE = Range(0.0)
PRICE_RANGE = Range(0.0, never_zero=True)
WITHIN = Range(within=True)
TRUTH = Range(0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One function of the language.

    Attributes:
        name: as conditions write it.
        label: as a reader calls it.
        arguments: in order.
        inputs: columns it reads beside its arguments.
        condition: whether it is true or false at each bar, instead of a number.
        window: the function of a series and a period that is called so elsewhere (TA-Lib's MAX).
        ordered: pairs of periods of which the first must be below the second.
        warm_up: bars after the first complete input that have no value yet: an expression over the periods.
        image: what it becomes in the mirror.
        range: what its values cannot leave.
        not_below: values of the same bar that it is never below: an argument, a series, or another function
            with the same arguments. Holds where every number among its arguments is zero or more.
        not_above: values that it is never above, likewise.
        family: what a chart draws it with; the name's first word where it is left out.
        phrases: other spellings that mean this and nothing else.
        hints: words that could mean two things, of which this is the likelier.
        formula: its value, for the reference.
        special: what happens at zero, at gaps and at the beginning.
        example: a condition that uses it.
        source: where the formula comes from.
    """

    name: str
    label: Label | None = None
    arguments: tuple[Argument, ...] = ()
    inputs: tuple[str, ...] = ()
    condition: bool = False
    window: str = ""
    ordered: tuple[tuple[str, str], ...] = ()
    warm_up: str = ""
    image: Image | None = None
    range: Range | None = None
    not_below: tuple[str, ...] = ()
    not_above: tuple[str, ...] = ()
    family: str = ""
    phrases: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    formula: str = ""
    special: str = ""
    example: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse an entry that leaves something unsaid.

        Raises:
            EntryError: naming the entry and what it lacks.
        """
        told = ("label", "warm_up", "image", "range", "formula", "example", "source")
        missing = [field for field in told if not getattr(self, field)]
        if missing:
            raise EntryError(f"{self.name}: {', '.join(missing)} not said")
        of_series = bool(self.arguments) and self.arguments[0].kind in ("series", "condition")
        if self.mirrored.kind in ("alike", "sum", "magnitude", "inside") and not of_series:
            raise EntryError(f"{self.name}: image {self.mirrored.kind!r} needs a series in front")
        if self.bounds.within and not of_series:
            raise EntryError(f"{self.name}: range `within` needs a series in front")
        try:
            self.bars(
                *(max(int(argument.low), 2) for argument in self.arguments if argument.kind == "period")
            )
        except (SyntaxError, NameError, TypeError) as error:
            raise EntryError(f"{self.name}: warm_up {self.warm_up!r}: {error}") from error

    @property
    def mirrored(self) -> Image:
        """Its image, which every entry has."""
        assert self.image is not None
        return self.image

    @property
    def bounds(self) -> Range:
        """Its range, which every entry has."""
        assert self.range is not None
        return self.range

    @property
    def operands(self) -> tuple[int, ...]:
        """Places of the arguments that are series, or may be."""
        return tuple(at for at, one in enumerate(self.arguments) if one.kind in ("series", "operand"))

    @property
    def drawn_with(self) -> str:
        """The chart's panel it belongs to."""
        return self.family or self.name.partition("_")[0]

    def bars(self, *periods: int) -> int:
        """Bars after the first complete input that have no value yet.

        Args:
            periods: the values of its arguments of that kind, in order.
        """
        names = ", ".join(argument.name for argument in self.arguments if argument.kind == "period")
        return int(_compiled(names, self.warm_up)(*periods))


@cache
def _compiled(names: str, expression: str) -> Callable[..., Any]:
    """An entry's expression as a function: it comes from code, never from a user."""
    compiled: Callable[..., Any] = eval(
        f"lambda {names}: {expression}", {"__builtins__": {}, "max": max, "isqrt": math.isqrt}
    )
    return compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Entries about one thing, in the order in which docs and prompts show them."""

    title: Label
    entries: tuple[Entry, ...]
    note: str = ""


SOURCE = Argument("series", "series", Series("close"))
"""A series that may be left out: the close."""
SERIES_REQUIRED = Argument("series", "series")


def period(default: int | None = None, low: int = 1, name: str = "period") -> Argument:
    """A number of bars."""
    return Argument(name, "period", None if default is None else Number(default), low)


def number(name: str, default: float) -> Argument:
    """A constant."""
    return Argument(name, "number", Number(default))


def collected(groups: tuple[Group, ...]) -> dict[str, Entry]:
    """Every entry by its name, in order.

    Raises:
        EntryError: two entries of a name or of a phrase; an opposite or a bound that is not there, or whose
            arguments are others.
    """
    found: dict[str, Entry] = {}
    spoken: dict[str, str] = {}
    for entry in (entry for group in groups for entry in group.entries):
        if entry.name in found:
            raise EntryError(f"{entry.name}: there are two entries of this name")
        found[entry.name] = entry
        for phrase in entry.phrases:
            if spoken.setdefault(phrase, entry.name) != entry.name:
                raise EntryError(f"{entry.name}: {phrase!r} already means {spoken[phrase]}")
    for name, entry in found.items():
        if (opposite := entry.mirrored.opposite) is not None:
            other = found.get(opposite)
            if other is None or other.mirrored.opposite != name or other.arguments != entry.arguments:
                raise EntryError(f"{name}: {opposite} is not its opposite")
        own = {argument.name for argument in entry.arguments} | {"open", "high", "low", "close", "typical"}
        for bound in (*entry.not_below, *entry.not_above):
            if bound not in own and (bound not in found or found[bound].arguments != entry.arguments):
                raise EntryError(f"{name}: {bound} cannot bound it")
    return found
