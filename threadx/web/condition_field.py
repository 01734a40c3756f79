"""A field for a condition: completed from the registry as one types, checked, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypedDict

from nicegui.elements.mixins.value_element import ValueElement

from backtest import BacktestError
from backtest.language.contradiction import check_possible
from backtest.language.entry import Argument
from backtest.language.functions import FUNCTIONS, KEYWORDS, LONGEST_PERIOD, SERIES, usage, warm_up
from backtest.language.parser import LONGEST_EXPRESSION, parse
from backtest.language.tree import Node, bind, show
from backtest.types import LEVELS
from prompts import Words
from reports.conditions import function_label, in_words


class Completion(TypedDict):
    """A word of the language as a list offers it.

    Attributes:
        name: what is typed to find it.
        insert: what takes its place.
        chosen: first and last place in `insert` of what is typed over next; the same twice for its end.
        usage: how it is written, with defaults.
        label: what readers call it.
        told: bounds of its arguments, and an example.
    """

    name: str
    insert: str
    chosen: tuple[int, int]
    usage: str
    label: str
    told: str


def completions(words: Words, own: Collection[str] = ()) -> list[Completion]:
    """Every word of the strategy language, functions first, and names of further series."""
    found = [_function(name, words) for name in FUNCTIONS]
    for kind, names in (("series", SERIES), ("keyword", KEYWORDS)):
        found += [_word(name, words(f"condition.{kind}.{name}")) for name in names]
    return found + [_word(name, words("web.further.label")) for name in own]


def _word(name: str, label: str) -> Completion:
    end = len(name)
    return Completion(name=name, insert=name, chosen=(end, end), usage=name, label=label, told="")


def _function(name: str, words: Words) -> Completion:
    entry = FUNCTIONS[name]
    given = [one.name if one.default is None else show(one.default) for one in entry.arguments]
    # What one types next is what has no usual value, else the first number.
    needed = [place for place, one in enumerate(entry.arguments) if one.default is None]
    numbers = [place for place, one in enumerate(entry.arguments) if one.kind in ("period", "number")]
    insert = f"{name}({', '.join(given)})"
    first = last = len(insert)
    if places := needed or numbers:
        first = len(name) + 1 + sum(len(one) + 2 for one in given[: places[0]])
        last = first + len(given[places[0]])
    bounds = [told for one in entry.arguments if (told := _bounds(one, words))]
    example = words("web.condition.example", example=entry.example)
    return Completion(
        name=name,
        insert=insert,
        chosen=(first, last),
        usage=usage(name),
        label=function_label(name, words),
        told=" · ".join([*bounds, example]),
    )


def _bounds(argument: Argument, words: Words) -> str:
    """Where an argument may lie, as far as it is a number that has limits."""
    if argument.kind != "period" and argument.high is None:
        return ""
    high = LONGEST_PERIOD if argument.high is None else argument.high
    told = words("web.form.bounds", low=words.short(argument.low), high=words.number(high))
    return words("report.pair", name=argument.name, value=told)


class ConditionField(ValueElement[str], component="condition_field.js"):
    """The field; `check` says whether what stands in it can be.

    Args:
        words: language.
        place: one of `backtest.types.PLACES`: a condition, or the level of an order.
        value: at first.
        values: gives the parameters that a condition may use.
        further: gives kinds of further series by name.
        changed: called when what stands in it is another.
        named: called with a name that the language does not know and that is to be a parameter.
    """

    VALUE_PROP = "value"
    LOOPBACK = False

    def __init__(
        self,
        words: Words,
        place: str,
        *,
        value: str,
        values: Callable[[], Mapping[str, float]],
        further: Callable[[], Mapping[str, str]],
        changed: Callable[[], None],
        named: Callable[[str], None],
    ) -> None:
        super().__init__(value=value, on_value_change=lambda _: self._typed(changed))
        self.words, self.place, self._values, self._further = words, place, values, further
        self.unknown = ""
        self._props["label"] = words(f"web.form.{place}")
        self.know()
        self._props["most"] = LONGEST_EXPRESSION
        self._props["listed"] = words("web.condition.listed")
        self.on("named", lambda _: named(self.unknown))
        self.check()

    def _typed(self, changed: Callable[[], None]) -> None:
        self.check()
        changed()

    def know(self) -> None:
        """Complete the names of the further series that there are by now."""
        self._props["known"] = completions(self.words, self._further())
        self.update()

    @property
    def text(self) -> str:
        """What stands in it, without blanks around it."""
        return (self.value or "").strip()

    def tree(self) -> Node:
        """What stands in it, read.

        Raises:
            BacktestError: as `backtest.language.parser.parse`.
        """
        return parse(
            self.text,
            self._values().keys(),
            entry=self.place.startswith("entry"),
            own=self._further(),
            kind="series" if self.place in LEVELS else "condition",
        )

    def check(self) -> None:
        """Show what the language says to what stands in the field: an error, or the meaning in words."""
        self._tell()
        if not self.text:
            return
        try:
            tree = self.tree()
            bound = bind(tree, self._values())
            warm_up(bound)
            if self.place not in LEVELS:
                check_possible(bound)
        except BacktestError as error:
            self.complain(error)
            return
        canonical = show(tree)
        self._tell(meaning=in_words(bound, self.words), canonical="" if canonical == self.text else canonical)

    def complain(self, error: BacktestError) -> None:
        """Show an error at the field."""
        self.unknown = str(error.fields["name"]) if error.code == "unknown_name" else ""
        offer = self.words("web.condition.make", name=self.unknown) if self.unknown.isidentifier() else ""
        self._tell(error=self.words.told(error), offer=offer)

    def _tell(self, *, error: str = "", offer: str = "", meaning: str = "", canonical: str = "") -> None:
        told: dict[str, Any] = {"error": error, "offer": offer, "meaning": meaning, "canonical": canonical}
        for name, value in told.items():
            self._props[name] = value
        self.update()
