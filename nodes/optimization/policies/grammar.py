"""What `rules` write: indicators, each a quantity of one bar and what is remembered of it; and strategies.

What the strategy language cannot say is memory with a rule of its own: a sum that begins anew, an average
that rises faster than it falls, an exit that depends on all that has happened since the entry. Every function
here is of that kind, in units of the usual size of its own quantity, and is examined by the cage like any
other. What it says of itself stands in the texts (`backtest.cage.wording`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from backtest.cage.breeding import How, combined, mutated, renamed
from backtest.cage.source import Source, read_source
from backtest.cage.wording import worded
from nodes.optimization.changes import NewIndicator, NewStrategy, SearchRange, Written
from nodes.optimization.evidence.evidence import Elite

MOST_TRIES = 6
"""Descendants that are tried before an iteration goes without one."""

COMBINED = 0.4
"""Share of the descendants that have two parents, where two are there."""

_HOWS: tuple[How, ...] = ("product", "difference", "sum")


class Quantity(NamedTuple):
    """What is measured of a bar: the columns it reads, and an expression."""

    inputs: str
    value: str


class Memory(NamedTuple):
    """What is remembered: the state at first, its step, the value, and levels worth searching."""

    state: str
    step: str
    value: str
    low: float
    high: float


QUANTITIES: dict[str, Quantity] = {
    "move": Quantity("close", "close[t] / close[t - 1] - 1.0"),
    "gap": Quantity("open, close", "open[t] / close[t - 1] - 1.0"),
    "body": Quantity("open, close", "close[t] / open[t] - 1.0"),
    "place": Quantity(
        "high, low, close",
        "(2.0 * close[t] - high[t] - low[t]) / (high[t] - low[t])",
    ),
    "push": Quantity("close, volume", "(close[t] / close[t - 1] - 1.0) * volume[t]"),
}

MEMORIES: dict[str, Memory] = {
    "drift": Memory(
        "up = 0.0\ndown = 0.0",
        "up = max(0.0, up + z - 0.5)\ndown = min(0.0, down + z + 0.5)",
        "up + down",
        1.0,
        6.0,
    ),
    "streak": Memory(
        "total = 0.0",
        "total = total + z if total * z > 0.0 else z",
        "total",
        1.0,
        5.0,
    ),
    "uneven": Memory(
        "level = 0.0",
        "level += (3.0 * rate if z > level else rate) * (z - level)",
        "level",
        0.1,
        1.0,
    ),
    "turning": Memory(
        "total = 0.0",
        "total = z - (1.0 - rate) * total",
        "total",
        1.0,
        6.0,
    ),
    "since_shock": Memory(
        "total = 0.0",
        "total = 0.0 if abs(z) > 1.8 else total + z",
        "total",
        2.0,
        12.0,
    ),
}

TRIGGERS: dict[str, str] = {
    "breakout": "close[t] > np.max(close[t - period : t])",
    "surge": "z > 2.0",
    "dip": "close[t] < np.min(close[t - period : t])",
    "drop": "z < -2.0",
}
"""What a strategy enters after; moves are in their usual size (`z`)."""

FOLLOWING = ("breakout", "surge")
"""Triggers of strategies on moves that go on; the others are of moves that turn."""


class Leave(NamedTuple):
    """When a strategy leaves: what it counts from an entry on, its step, and the condition."""

    state: str
    step: str
    when: str


LEAVES: dict[str, Leave] = {
    "give_back": Leave(
        "best = 0.0",
        "best = max(best, gain)",
        "gain < -width or best > width and gain < 0.5 * best",
    ),
    "tired": Leave(
        "best = 0.0\nbars = 0",
        "bars = 0 if gain > best else bars + 1\nbest = max(best, gain)",
        "gain < -width or bars >= period",
    ),
    "closing": Leave(
        "best = 0.0\nbars = 0",
        "bars += 1\nbest = max(best, gain)",
        "best - gain > width * period / (period + bars)",
    ),
}
"""By the gain since the entry, in usual moves, and the best one so far."""


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
    about = worded("memory", memory, quantity=worded("quantity", quantity))
    head = f'({what.inputs}, period: (5, 100) = 20):\n    """{about}"""\n'
    return f"def {memory}_{quantity}_{mark(head + body)}{head}{body}\n"


def strategy(leave: str, trigger: str) -> str:
    """The source of one strategy: in after a trigger, out by what has happened since."""
    out = LEAVES[leave]
    begun = ["gain = 0.0", *out.state.split("\n")]
    body = "\n".join(
        (
            "    entry = np.zeros(len(close))",
            "    exit = np.zeros(len(close))",
            "    rate = 2.0 / (period + 1.0)",
            "    usual = 0.0",
            "    held = False",
            *(f"    {line}" for line in begun),
            "    for t in range(1, len(close)):",
            "        x = close[t] / close[t - 1] - 1.0",
            "        if not math.isfinite(x):",
            "            x = 0.0",
            "        z = x / usual if usual > 0.0 else 0.0",
            "        usual += rate * (abs(x) - usual)",
            "        if t < period:",
            "            continue",
            "        if held:",
            "            gain += z",
            *(f"            {line}" for line in out.step.split("\n")),
            f"            if {out.when}:",
            "                exit[t] = 1.0",
            "                held = False",
            f"        elif {TRIGGERS[trigger]}:",
            "            entry[t] = 1.0",
            "            held = True",
            *(f"            {line}" for line in begun),
            "    return entry, exit",
        )
    )
    about = worded("leave", leave, trigger=worded("trigger", trigger))
    head = f'(close, period: (5, 100) = 20, width: (1.0, 8.0) = 3.0):\n    """{about}"""\n'
    return f"def {leave}_{trigger}_{mark(head + body)}{head}{body}\n"


def mark(text: str) -> str:
    """Four hexadecimal digits of a text: one name is one function, whoever wrote it."""
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def name_of(source: str) -> str:
    """What a source that was written here calls its function."""
    return source.removeprefix("def ").partition("(")[0]


@cache
def menu() -> tuple[Source, ...]:
    """Every function that `rules` may begin with.

    The list is the same whatever the prices: which of them a run takes is told by a number alone.
    """
    indicators = [template(memory, quantity) for memory in MEMORIES for quantity in QUANTITIES]
    return tuple(map(read_source, [*indicators, *(strategy(*one) for one in product(LEAVES, TRIGGERS))]))


def proposed(
    source: str, low: float, high: float, *, follows: bool, parents: tuple[str, ...] = ()
) -> NewIndicator:
    """Long while the value is above a level, where moves go on, or below its contrary, where they turn.

    Nothing else is traded: the short side of what it was tried on would be judged with it.

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
        alone=True,
        parents=list(parents),
    )


def strategies(seed: int, *, follows: bool) -> Iterator[NewStrategy]:
    """Every strategy of the grammar in an order drawn by a seed, those of the likelier direction first."""
    every = [(leave, trigger) for leave in LEAVES for trigger in TRIGGERS]
    drawn = [every[int(place)] for place in np.random.default_rng(seed).permutation(len(every))]
    for leave, trigger in sorted(drawn, key=lambda one: (one[1] in FOLLOWING) != follows):
        yield NewStrategy(kind="new_strategy", source=strategy(leave, trigger))


def sentences(seed: int, *, follows: bool) -> Iterator[NewIndicator]:
    """Every function of the grammar in an order drawn by a seed, the likelier direction of each first."""
    every = [(memory, quantity) for memory in MEMORIES for quantity in QUANTITIES]
    for direction in (follows, not follows):
        for place in np.random.default_rng(seed).permutation(len(every)):
            memory, quantity = every[int(place)]
            kept = MEMORIES[memory]
            yield proposed(template(memory, quantity), kept.low, kept.high, follows=direction)


def goes_on(change: Written) -> bool:
    """Whether a change of the grammar bets on moves that go on."""
    if isinstance(change, NewIndicator):
        return change.entry is not None and " > " in change.entry
    return any(f"_{trigger}_" in name_of(change.source) for trigger in FOLLOWING)


def descendants(
    parents: Sequence[Elite], generator: np.random.Generator
) -> Iterator[NewIndicator | NewStrategy]:
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


def _child(parent: Elite, text: str, made_from: list[str]) -> NewIndicator | NewStrategy:
    """The parent's own change with another function in it."""
    name = (
        f"{re.sub('_[0-9a-f]{4}$', '', parent.source.name)[:34].rstrip('_')}_{mark(renamed(text, 'child'))}"
    )
    return parent.change.with_source(renamed(text, name), name, made_from)
