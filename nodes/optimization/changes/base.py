"""What every kind of change shares: strict shapes, a range to search, words for values."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from backtest import BacktestError, Bounds, StrategyError, StrategySpec
from backtest.language.functions import reserved
from backtest.language.parser import parse
from backtest.language.tree import Call, Node, Own, Series, show, walk
from backtest.types import RISK_BOUNDS, SIZING_BOUNDS, plain
from base.numbers import Numeric
from base.reasons import told_known
from nodes.errors import ChangeError
from nodes.seam.narrowing import narrowed, one_of
from prompts import Words

Grid = dict[str, tuple[float, ...]]
"""Values by parameter or risk rule, ascending, of which numeric search picks one each."""

Side = Literal["long", "short"]
Kinds = Literal["condition", "series"]
"""What an expression is: a condition, or a level."""
Condition = Annotated[str, Field(min_length=1, max_length=240)]

MOST_VALUES = 12
PERSONAL = frozenset(("leverage",))
"""Settings that no change may touch: whether to borrow is for a person to decide."""
WIDE = 4.0
"""A range whose ends differ by more than this factor is searched in equal ratios, not in equal steps."""


class Strict(Numeric):
    """A frozen shape that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SearchRange(Strict):
    """A range in which the engine searches the value, on a plateau rather than a peak."""

    low: float = Field(description="Lowest value to try, within the listed bounds.")
    high: float = Field(description="Highest value to try, above low.")

    def values(self, name: str, bounds: Bounds, most: int = MOST_VALUES) -> tuple[float, ...]:
        """The values to try: at most `most`, on the parameter's own steps, ascending.

        Raises:
            ChangeError: `empty_range`, where nothing of it lies within the bounds.
        """
        low, high = max(self.low, bounds.low), min(self.high, bounds.high)
        if bounds.integer:
            low, high = float(math.ceil(low)), float(math.floor(high))
        found: list[float] = []
        if low < high:
            shares = [place / (most - 1) for place in range(1, most - 1)]
            if low > 0 and high / low > WIDE:
                wanted = [low * (high / low) ** share for share in shares]
            else:
                wanted = [low + (high - low) * share for share in shares]
            inner = {_snapped(value, low, high, bounds) for value in wanted}
            found = sorted({plain(low), plain(high), *inner})
        if len(found) < 2:
            raise ChangeError(
                "empty_range",
                name=name,
                low=plain(self.low),
                high=plain(self.high),
                least=plain(bounds.low),
                most=plain(bounds.high),
            )
        return tuple(found)


class Kind(Strict, ABC):
    """One kind of change: a shape that models fill, and what follows from it.

    What is said of it stands in `prompts/texts/changes`, in a table of its name; `applying.collected` refuses
    a kind of which something is missing.

    Attributes:
        degrees: how much freedom to fit noise it adds to a strategy; `rules` test first what adds none.
        of_strategy: whether its `cases` depend on names or conditions that only one strategy has.
        apart: the field by which the `cases` of one strategy are told apart.
        caged: whether it brings code, which only a run that allows it is offered.
        directions: where a change of this kind may do one thing or its contrary, what `direction` answers;
            what is expected of each is a text of its own, `expected_<direction>`.
    """

    degrees: ClassVar[int]
    of_strategy: ClassVar[bool] = False
    apart: ClassVar[str] = ""
    caged: ClassVar[bool] = False
    directions: ClassVar[tuple[str, ...]] = ()
    kind: str

    @classmethod
    def cases(cls, spec: StrategySpec) -> tuple[type[Kind], ...]:
        """Its shapes with the names and bounds of a strategy; none where it can change nothing of it."""
        return (cls,)

    @abstractmethod
    def apply(self, spec: StrategySpec) -> StrategySpec:
        """The changed strategy; of a range, the value nearest to the present one.

        Raises:
            BacktestError, ChangeError: the change cannot be made.
        """

    @abstractmethod
    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence that tells what it does to the strategy `before` it."""

    @abstractmethod
    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """Values of the strategy whose search it ends, by name."""

    @abstractmethod
    def subject(self) -> str:
        """What it is about, without figures: by this, finished runs teach later ones."""

    def direction(self, before: StrategySpec) -> str:
        """Which of `directions` it takes from the strategy `before` it; empty where the kind has none."""
        return ""

    def effect(self, before: StrategySpec, words: Words) -> str:
        """What is expected of it on the strategy `before` it, in one sentence."""
        return words("_".join(filter(None, (f"changes.{self.kind}.expected", self.direction(before)))))

    def validated(self, words: Words) -> str:
        """Why it deserves a test, in one sentence."""
        return words(f"changes.{self.kind}.validated")

    def grid(self, spec: StrategySpec) -> Grid:
        """What numeric search may move: nothing, where the change fixes everything."""
        return {}

    def code(self) -> str:
        """The source that it brings, which the cage must have examined before it is applied; mostly none."""
        return ""


class OneValue(Kind):
    """A kind that gives one parameter or rule of a strategy a value; None, where it may, takes it away."""

    apart = "parameter"
    parameter: str
    value: float | SearchRange | None

    def grid(self, spec: StrategySpec) -> Grid:
        """What numeric search may move."""
        return searched(spec, self.parameter, self.value)

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        """What it names."""
        return (self.parameter,)

    def subject(self) -> str:
        """What it names, and whether that goes."""
        return f"{self.kind} {self.parameter}" + (" off" if self.value is None else "")

    def describe(self, before: StrategySpec, words: Words) -> str:
        """One sentence."""
        return words(
            f"changes.{self.kind}.{sentence_of(self.value)}",
            parameter=self.parameter,
            old=value_words(present(before, self.parameter), words),
            new=proposed_words(before, self.parameter, self.value, words),
        )


def cases_by_bounds(
    kind: type[Kind], names: Iterable[str], spec: StrategySpec, *, removable: bool = False
) -> tuple[type[Kind], ...]:
    """A case for all names that have the same bounds, so that each value is within its own.

    Args:
        kind: its field `apart` holds the name, `value` a number or a range.
        names: parameters, rules of risk or methods of sizing.
        spec: whose bounds hold.
        removable: None is a value too.
    """
    bounds = spec.bounds()
    alike: dict[tuple[float, float, bool], list[str]] = {}
    for name in names:
        bound = bounds[name]
        alike.setdefault((bound.low, bound.high, bound.integer), []).append(name)
    found = []
    for place, ((low, high, integer), members) in enumerate(alike.items(), start=1):
        number: Any = Annotated[int if integer else float, Field(ge=plain(low), le=plain(high))]
        span = narrowed(
            SearchRange, name=f"{kind.__name__}Range{place}", described=False, low=number, high=number
        )
        value = number | span
        kinds = {kind.apart: one_of(members), "value": value | None if removable else value}
        found.append(narrowed(kind, name=f"{kind.__name__}{place}", **kinds))
    return tuple(found)


def functions_of(condition: str, kind: Kinds = "condition") -> str:
    """The functions and columns that a condition or a level speaks of, without numbers and parameters."""
    tree = _read(condition, kind, entry=False)
    parts = [part for part in walk(tree) if isinstance(part, Call | Series | Own)]
    words = sorted({part.function if isinstance(part, Call) else part.name for part in parts})
    return "+".join(words) or "-"


def _read(condition: str, kind: Kinds, *, entry: bool) -> Node:
    """A condition or a level, whatever names it uses: with a dot series of other tables, else parameters.

    Raises:
        BacktestError: it does not parse.
    """
    words = {name.lower() for name in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?", condition)}
    own = {name: "none" for name in words if "." in name}
    return parse(condition, words - own.keys() - reserved(), entry=entry, own=own, kind=kind)


def _snapped(value: float, low: float, high: float, bounds: Bounds) -> float:
    """The nearest value on the parameter's steps that lies within the range."""
    step = bounds.step if bounds.step < (high - low) / 2 else (1.0 if bounds.integer else (high - low) / 12)
    steps = round((value - bounds.low) / step)
    found = min(max(bounds.low + steps * step, low), high)
    if bounds.integer:
        found = float(round(found))
    return plain(float(f"{found:.10g}"))


def same_words(condition: str, kind: Kinds = "condition") -> str:
    """A condition or a level printed canonically, whatever names it uses; what does not parse is tidied."""
    try:
        return show(_read(condition, kind, entry=True))
    except BacktestError:
        return " ".join(condition.lower().split())


def value_words(value: float | int | None, words: Words) -> str:
    """A value or nothing, as a reader writes it."""
    return words("optimization.change.none") if value is None else words.short(value)


def sentence_of(value: float | int | SearchRange | None) -> str:
    """Which of a change's sentences tells of a value: given, searched, or taken away."""
    if value is None:
        return "removed"
    return "searched" if isinstance(value, SearchRange) else "sentence"


def proposed_words(
    spec: StrategySpec, name: str, value: float | int | SearchRange | None, words: Words
) -> str:
    """What is proposed for a parameter or setting; of a range, the first and the last value to be tried.

    A range that is refused, as its name is unknown or nothing of it lies within the bounds, is told as given.
    """
    if not isinstance(value, SearchRange):
        return value_words(value, words)
    bounds = spec.bounds().get(name)
    try:
        values = value.values(name, bounds) if bounds else (value.low, value.high)
    except ChangeError:
        values = (value.low, value.high)
    return words("optimization.change.range", low=words.short(values[0]), high=words.short(values[-1]))


def settled(name: str, value: float | int | SearchRange, bounds: Bounds, now: float | None) -> float:
    """The value to begin with: the one given, or the value of a range nearest to the present one."""
    if not isinstance(value, SearchRange):
        return value
    values = value.values(name, bounds)
    middle = values[len(values) // 2]
    return min(values, key=lambda one: (abs(one - (middle if now is None else now)), one))


def searched(spec: StrategySpec, name: str, value: float | SearchRange | None) -> Grid:
    """What numeric search may move: the values of a range, nothing of a single value."""
    return {name: value.values(name, spec.bounds()[name])} if isinstance(value, SearchRange) else {}


def present(spec: StrategySpec, name: str) -> float | None:
    """The value of a parameter, a rule of risk or a sizing setting; None where it is off or unknown."""
    if name in spec.params:
        return spec.params[name]
    value: float | None = getattr(spec.risk, name, getattr(spec.sizing, name, None))
    return value


def with_value(spec: StrategySpec, name: str, value: float | None) -> StrategySpec:
    """The strategy with a parameter, a rule of risk or a sizing setting set; None turns a setting off.

    Raises:
        StrategyError: no such name, a value out of bounds or out of order.
    """
    if name in spec.params:
        return spec.evolve(params={name: value})
    if name in RISK_BOUNDS:
        return spec.evolve(risk={name: value})
    if name in SIZING_BOUNDS and name not in PERSONAL:
        return spec.evolve(sizing={name: value})
    raise StrategyError("unknown_parameter", name=name, known=told_known(name, spec.params))


def moved(before: float | None, value: float | SearchRange | None) -> int:
    """The sign by which a value moves: 0 where it stays, begins, ends or may move either way."""
    if before is None or value is None:
        return 0
    low, high = (value.low, value.high) if isinstance(value, SearchRange) else (value, value)
    return (low >= before and high > before) - (high <= before and low < before)


def listed(names: Iterable[str]) -> str:
    """Names for a reader, a dash where there are none."""
    return ", ".join(names) or "–"
