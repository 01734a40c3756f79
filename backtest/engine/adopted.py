"""Functions of the cage as functions of the language, taken in while the program runs.

An indicator is one function; a strategy is one for each of its signals, `ride_entry_long(20) > 0`, computed
together. What an entry must say beside its source is measured: its warm-up (`warm_up_of`). It has no mirror
image, and an indicator no range that anybody could rely on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from backtest.cage.compiled import compiled
from backtest.cage.honesty import LARGEST_TRIED, values_of
from backtest.cage.source import Bounded, Source
from backtest.engine import derived
from backtest.engine.derived import Bank, Parts
from backtest.errors import RequestError
from backtest.language import functions
from backtest.language.entry import TRUTH, UNBOUNDED, Argument, Entry, Image, Label
from backtest.language.tree import Call, Number
from base.entries import EntryError

Adopted = tuple[Source, dict[str, int], str]
"""What `adopt` was given."""

_lock = threading.Lock()
_adopted: dict[str, Adopted] = {}


def adopt(source: Source, measured: dict[str, int], author: str) -> None:
    """Let conditions use a function; once is enough, and the same one again changes nothing.

    Args:
        source: read by the cage.
        measured: what `backtest.cage.honesty` measured.
        author: who wrote it.

    Raises:
        RequestError: `indicator_name_taken`: the language, or another function, is called so.
    """
    with _lock:
        if (known := _adopted.get(source.name)) is not None and known[0].hash == source.hash:
            return
        if known is not None:
            raise RequestError("indicator_name_taken", name=source.name)
        taken: list[str] = []
        try:
            for entry in entries_of(source, measured, author):
                functions.add(entry)
                taken.append(entry.name)
        except EntryError:
            for name in taken:
                functions.remove(name)
            raise RequestError("indicator_name_taken", name=source.name) from None
        for name in taken:
            derived.add_rule(name, _Rule(source))
        _adopted[source.name] = source, measured, author


def attribute(name: str, author: str) -> None:
    """Say who wrote a function that was taken in, where that is known only later."""
    with _lock:
        source, measured, _ = _adopted[name]
        for function in source.functions:
            functions.attribute(function, f"{author}; {source.hash}")
        _adopted[name] = source, measured, author


def dismiss(name: str) -> None:
    """Take a function back, if it was taken in."""
    with _lock:
        if (known := _adopted.pop(name, None)) is not None:
            for function in known[0].functions:
                functions.remove(function)
                derived.remove_rule(function)


def adopted() -> dict[str, str]:
    """Hashes of the functions taken in, by name."""
    with _lock:
        return {name: _adopted[name][0].hash for name in sorted(_adopted)}


def functions_of(names: Iterable[str]) -> list[str]:
    """What conditions call those of these names that are taken in, sorted."""
    with _lock:
        known = [_adopted[name][0] for name in names if name in _adopted]
    return sorted(function for source in known for function in source.functions)


def all_adopted() -> list[Adopted]:
    """The functions taken in, as another process can take them in."""
    with _lock:
        return [_adopted[name] for name in sorted(_adopted)]


def entries_of(source: Source, measured: dict[str, int], author: str) -> list[Entry]:
    """The entry of an indicator, or those of a strategy's signals.

    Raises:
        EntryError: what was measured does not fit it.
    """
    usual = ", ".join(f"{one.default:.12g}" for one in source.parameters)
    found = []
    for name in source.functions:
        spoken, called = name.replace("_", " "), f"{name}({usual})"
        found.append(
            Entry(
                name=name,
                label=Label(spoken, spoken),
                arguments=as_arguments(source.parameters),
                inputs=source.inputs,
                warm_up=warm_up_of(source.parameters, measured),
                image=Image("none"),
                range=TRUTH if source.places else UNBOUNDED,
                formula=source.about,
                example=f"{called} > 0" if source.places else f"{called} > {called}[1]",
                source=f"{author}; {source.hash}",
            )
        )
    return found


def warm_up_of(parameters: Sequence[Bounded], measured: Mapping[str, int]) -> str:
    """Bars without a value as an expression over the whole parameters.

    What was measured at their ends tells a sum of so many times each. Where it does not, the most that was
    measured holds, and one bar more for each step beyond what was tried.

    Args:
        parameters: of a function, in order.
        measured: `warm_up`, as usual; `warm_up.NAME.low` and `.high`, with one of them at an end.
    """
    whole = [one for one in parameters if one.whole]
    slopes = {one.name: _slope(one, measured) for one in whole}
    told = [bars for name, bars in measured.items() if name.startswith("warm_up")]
    if None not in slopes.values():
        rest = measured["warm_up"]
        rest -= sum(int(slopes[one.name] or 0) * tried(one, one.default) for one in whole)
        return " + ".join([*(f"{slope} * {name}" for name, slope in slopes.items() if slope), str(rest)])
    return " + ".join([str(max(told)), *(f"max(0, {one.name} - {tried(one, one.high)})" for one in whole)])


def _slope(one: Bounded, measured: Mapping[str, int]) -> int | None:
    """How many bars a step of a parameter costs; None where it is no fixed number."""
    low, usual, high = (tried(one, value) for value in (one.low, one.default, one.high))
    ends = [measured.get(f"warm_up.{one.name}.{end}") for end in ("low", "high")]
    if None in ends or low == high:
        return None
    first, last = (int(bars or 0) for bars in ends)
    slope, over = divmod(last - first, high - low)
    even = over == 0 and slope >= 0 and measured["warm_up"] == first + slope * (usual - low)
    return slope if even else None


def tried(one: Bounded, value: float) -> int:
    """A value of a whole parameter that a made-up history is long enough for."""
    return int(min(value, max(one.low, LARGEST_TRIED)))


def as_arguments(parameters: Sequence[Bounded]) -> tuple[Argument, ...]:
    """Parameters as a function of the language has them."""
    return tuple(
        Argument(one.name, "period" if one.whole else "number", Number(one.default), one.low, one.high)
        for one in parameters
    )


class _Rule:
    """How a function is computed, of a strategy all signals at once: compiled when it is first asked for."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __call__(self, bank: Bank, node: Call, *periods: int) -> Parts:
        columns = [np.ascontiguousarray(bank.column(name)) for name in self.source.inputs]
        given = zip(self.source.parameters, node.arguments, strict=True)
        values = {one.name: number.value for one, number in given if isinstance(number, Number)}
        found = np.atleast_2d(values_of(self.source, compiled(self.source), columns, values))
        calls = [Call(name, node.arguments) for name in self.source.functions]
        return dict(zip(calls, found, strict=True))
