"""Indicators that `rules` write: each a quantity of one bar, and what is remembered of it from bar to bar.

What the strategy language cannot say is memory with a rule of its own: a sum that begins anew, an average
that rises faster than it falls. Every function here is of that kind, in units of the usual size of its own
quantity, and is examined by the cage like any other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from backtest.cage.breeding import How, combined, mutated, renamed
from nodes.optimization.changes import NewIndicator, SearchRange
from nodes.optimization.evidence.evidence import Elite

MOST_TRIES = 6
"""Descendants that are tried before an iteration goes without one."""

COMBINED = 0.4
"""Share of the descendants that have two parents, where two are there."""

_HOWS: tuple[How, ...] = ("product", "difference", "sum")


class Quantity(NamedTuple):
    """What is measured of a bar: the columns it reads, an expression, and the words for it."""

    inputs: str
    value: str
    about: str


class Memory(NamedTuple):
    """What is remembered: the state at first, its step, the value, the words, and levels worth searching."""

    state: str
    step: str
    value: str
    about: str
    low: float
    high: float


QUANTITIES: dict[str, Quantity] = {
    "move": Quantity("close", "close[t] / close[t - 1] - 1.0", "moves of the close"),
    "gap": Quantity("open, close", "open[t] / close[t - 1] - 1.0", "gaps between a close and the next open"),
    "body": Quantity("open, close", "close[t] / open[t] - 1.0", "moves from the open to the close"),
    "place": Quantity(
        "high, low, close",
        "(2.0 * close[t] - high[t] - low[t]) / (high[t] - low[t])",
        "places of the close within its bar",
    ),
    "push": Quantity(
        "close, volume",
        "(close[t] / close[t - 1] - 1.0) * volume[t]",
        "moves of the close times their volume",
    ),
}

MEMORIES: dict[str, Memory] = {
    "drift": Memory(
        "up = 0.0\ndown = 0.0",
        "up = max(0.0, up + z - 0.5)\ndown = min(0.0, down + z + 0.5)",
        "up + down",
        "How far {quantity} have drifted beyond half their usual size, begun anew when a drift ends.",
        1.0,
        6.0,
    ),
    "streak": Memory(
        "total = 0.0",
        "total = total + z if total * z > 0.0 else z",
        "total",
        "Sum of {quantity} since they last changed sign, in their usual size.",
        1.0,
        5.0,
    ),
    "uneven": Memory(
        "level = 0.0",
        "level += (3.0 * rate if z > level else rate) * (z - level)",
        "level",
        "Average of {quantity} that rises three times as fast as it falls, in their usual size.",
        0.1,
        1.0,
    ),
    "turning": Memory(
        "total = 0.0",
        "total = z - (1.0 - rate) * total",
        "total",
        "Sum of {quantity} with signs that change from bar to bar, fading, in their usual size.",
        1.0,
        6.0,
    ),
    "since_shock": Memory(
        "total = 0.0",
        "total = 0.0 if abs(z) > 1.8 else total + z",
        "total",
        "Sum of {quantity} since the last one above 1.8 times their usual size.",
        2.0,
        12.0,
    ),
}


def template(memory: str, quantity: str) -> str:
    """The source of one function; its name ends with a hash of what it does."""
    what, kept = QUANTITIES[quantity], MEMORIES[memory]
    body = "\n".join(
        (
            "    out = np.full(len(close), np.nan)",
            "    rate = 2.0 / (period + 1.0)",
            "    usual = 0.0",
            *(f"    {line}" for line in kept.state.split("\n")),
            "    for t in range(1, len(close)):",
            f"        x = {what.value}",
            "        if not math.isfinite(x):",
            "            x = 0.0",
            "        usual += rate * (abs(x) - usual)",
            "        z = x / usual if usual > 0.0 else 0.0",
            *(f"        {line}" for line in kept.step.split("\n")),
            "        if t >= period:",
            f"            out[t] = {kept.value}",
            "    return out",
        )
    )
    about = kept.about.format(quantity=what.about)
    head = f'({what.inputs}, period: (5, 100) = 20):\n    """{about}"""\n'
    return f"def {memory}_{quantity}_{mark(head + body)}{head}{body}\n"


def mark(text: str) -> str:
    """Four hexadecimal digits of a text: one name is one function, whoever wrote it."""
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def name_of(source: str) -> str:
    """What a source that was written here calls its function."""
    return source.removeprefix("def ").partition("(")[0]


def proposed(
    source: str, low: float, high: float, *, follows: bool, parents: tuple[str, ...] = ()
) -> NewIndicator:
    """Long while the value is above a level, where moves go on, or below its contrary, where they turn.

    Args:
        source: a function with one parameter, `period`.
        low: the least level to search.
        high: the largest one.
        follows: whether moves are to go on.
        parents: names of what it was made from.
    """
    value, level = f"{name_of(source)}(period)", "level" if follows else "-level"
    inside, outside = (">", "<=") if follows else ("<", ">=")
    return NewIndicator(
        kind="new_indicator",
        source=source,
        side="long",
        entry=f"{value} {inside} {level}",
        exit=f"{value} {outside} {level}",
        level=SearchRange(low=low, high=high),
        parents=list(parents),
    )


def sentences(seed: int, *, follows: bool) -> Iterator[NewIndicator]:
    """Every function of the grammar in an order drawn by a seed, the likelier direction of each first."""
    every = [(memory, quantity) for memory in MEMORIES for quantity in QUANTITIES]
    for direction in (follows, not follows):
        for place in np.random.default_rng(seed).permutation(len(every)):
            memory, quantity = every[int(place)]
            kept = MEMORIES[memory]
            yield proposed(template(memory, quantity), kept.low, kept.high, follows=direction)


def descendants(parents: Sequence[Elite], generator: np.random.Generator) -> Iterator[NewIndicator]:
    """Changes of one parent at one place, or two parents made into one; the fitter have more children.

    Args:
        parents: the archive, best first.
        generator: draws parents and changes.
    """
    if not parents:
        return
    chances = np.array([1.0 / place for place in range(1, len(parents) + 1)])
    chances /= chances.sum()
    for _ in range(MOST_TRIES):
        one = parents[int(generator.choice(len(parents), p=chances))]
        others = [other for other in parents if other is not one]
        text = None
        made_from = [one.source.name]
        if others and generator.random() < COMBINED:
            other = others[int(generator.integers(len(others)))]
            text = combined(one.source, other.source, _HOWS[int(generator.integers(len(_HOWS)))])
            made_from.append(other.source.name)
        if text is None:
            text, made_from = mutated(one.source, generator), made_from[:1]
        yield _child(one, text, made_from)


def _child(parent: Elite, text: str, made_from: list[str]) -> NewIndicator:
    """The parent's own change with another function in it."""
    known = parent.source.name
    name = f"{re.sub('_[0-9a-f]{4}$', '', known)[:34].rstrip('_')}_{mark(renamed(text, 'child'))}"
    told = {
        place: None if condition is None else re.sub(rf"\b{known}\b", name, condition)
        for place, condition in (("entry", parent.change.entry), ("exit", parent.change.exit))
    }
    return parent.change.model_copy(update={"source": renamed(text, name), "parents": made_from, **told})
