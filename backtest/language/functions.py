"""The vocabulary of the strategy language: series, functions, their arguments and how many bars each needs.

What TA-Lib has follows its conventions, its outputs of one indicator beginning together. Donchian channels,
`highest` and `lowest` include the current bar: a breakout compares with the previous bar's, `close >
donchian_upper(20)[1]`. Ichimoku's spans stand at the bar they are computed from; the chart draws them 26 bars
later, so what it shows over this bar is `ichimoku_span_a(9, 26)[26]`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Literal

from backtest.errors import ExpressionError
from backtest.language.entries import (
    arithmetic,
    averages,
    bands,
    conditions,
    momentum,
    sessions,
    trend,
    volume,
    windows,
)
from backtest.language.entry import Entry, Group, Label, collected
from backtest.language.tree import (
    And,
    Arithmetic,
    At,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Parameter,
    Series,
    show,
    walk,
)
from base.entries import EntryError
from base.plugins import offered

CLOCK = {
    "minute": (0.0, 59.0),
    "hour": (0.0, 23.0),
    "weekday": (0.0, 6.0),
    "day": (1.0, 31.0),
    "month": (1.0, 12.0),
}
"""What a bar's time is made of, and between which numbers it lies."""
SERIES = ("open", "high", "low", "close", "volume", "typical", *CLOCK)
KEYWORDS = ("and", "or", "not", "at")
LONGEST_PERIOD = 100_000

_OWN = (
    averages.GROUP,
    momentum.GROUP,
    trend.GROUP,
    bands.GROUP,
    volume.GROUP,
    sessions.GROUP,
    windows.GROUP,
    arithmetic.GROUP,
    conditions.GROUP,
)


def _with_plugins() -> tuple[Group, ...]:
    """Our groups, then those of plugins; one that does not fit is left out by name."""
    groups: tuple[Group, ...] = _OWN
    for plugin in offered("indicators"):
        try:
            group, rules = plugin.offer("GROUP"), plugin.offer("RULES")
            added = [entry.name for entry in group.entries]
            if sorted(rules) != sorted(added):
                raise EntryError(f"{', '.join(sorted({*rules} ^ {*added}))}: an entry or a rule is missing")
            if any(entry.condition for entry in group.entries):
                raise EntryError(f"{', '.join(added)}: a plugin adds numbers, not conditions")
            collected((*groups, group))
        except (AttributeError, TypeError, EntryError) as error:
            plugin.refuse(error)
            continue
        groups = (*groups, group)
        plugin.adds = added
    return groups


GROUPS = _with_plugins()
FUNCTIONS: dict[str, Entry] = collected(GROUPS)
"""Every function by its name."""

_VOLUME = Series("volume")

_ADOPTED: dict[str, Entry] = {}
_ADOPTED_TITLE = Label("Indicators of this library", "Indicateurs de cette bibliothèque")


def reserved() -> frozenset[str]:
    """Every word of the language."""
    return frozenset((*SERIES, *KEYWORDS, *FUNCTIONS))


def add(entry: Entry) -> None:
    """Take in a function while the program runs; only its rule is still missing (`backtest.engine.adopted`).

    Raises:
        EntryError: it does not fit, or its name is taken.
    """
    if entry.name in (*SERIES, *KEYWORDS):
        raise EntryError(f"{entry.name}: a word of the language")
    collected((*GROUPS, Group(title=_ADOPTED_TITLE, entries=(*_ADOPTED.values(), entry))))
    _ADOPTED[entry.name] = FUNCTIONS[entry.name] = entry


def added() -> dict[str, str]:
    """Who wrote each function that was taken in, and its hash, by name."""
    return {name: _ADOPTED[name].source for name in sorted(_ADOPTED)}


def attribute(name: str, source: str) -> None:
    """Say where a function that was taken in comes from."""
    _ADOPTED[name] = FUNCTIONS[name] = replace(FUNCTIONS[name], source=source)


def remove(name: str) -> None:
    """Forget a function that was taken in."""
    del _ADOPTED[name], FUNCTIONS[name]


def usage(name: str) -> str:
    """How a function is called, for example `rsi(series=close, period=14)`."""
    parts = []
    for argument in FUNCTIONS[name].arguments:
        default = "" if argument.default is None else f"={show(argument.default)}"
        parts.append(f"{argument.name}{default}")
    return f"{name}({', '.join(parts)})"


def _called(entry: Entry) -> str:
    """The arguments of a call, those with a default as it is written in full: `(close, 14)`."""
    parts = [one.name if one.default is None else show(one.default) for one in entry.arguments]
    return f"({', '.join(parts)})"


def reference(language: Literal["fr", "en"], written: Collection[str] | None = None) -> str:
    """Every function, a line a group, as a model is told of them; those called alike stand together.

    Args:
        language: of the titles.
        written: of the functions that were taken in, which are told; None for all.
    """
    adopted = tuple(_ADOPTED[name] for name in sorted(_ADOPTED) if written is None or name in written)
    own = _own_reference(language)
    return f"{own}\n{_line(Group(title=_ADOPTED_TITLE, entries=adopted), language)}" if adopted else own


@cache
def _own_reference(language: Literal["fr", "en"]) -> str:
    return "\n".join(_line(group, language) for group in GROUPS)


def _line(group: Group, language: Literal["fr", "en"]) -> str:
    """A group of `reference`."""
    calls = []
    for called, entries in groupby(group.entries, key=_called):
        calls.append(f"{' | '.join(entry.name for entry in entries)}{called}")
    title = f"{group.title.fr.lower()}\u00a0:" if language == "fr" else f"{group.title.en.lower()}:"
    return f"- {title} {', '.join(calls)}"


def periods(call: Call) -> list[int]:
    """The periods of a bound call, checked.

    Raises:
        ExpressionError: `bad_period` (not whole, too small or too large), `bad_number` (a constant outside
            its range), `parameter_order` (MACD's fast not below slow).
    """
    found = []
    for argument, node in zip(FUNCTIONS[call.function].arguments, call.arguments, strict=True):
        if argument.kind not in ("period", "number"):
            continue
        assert isinstance(node, Number), "the call is bound"
        value = node.value
        if argument.kind == "number":
            if argument.high is not None and not argument.low <= value <= argument.high:
                raise ExpressionError(
                    "bad_number",
                    function=call.function,
                    argument=argument.name,
                    value=value,
                    low=argument.low,
                    high=argument.high,
                )
            continue
        longest = LONGEST_PERIOD if argument.high is None else argument.high
        if value != int(value) or not argument.low <= value <= longest:
            raise ExpressionError(
                "bad_period",
                function=call.function,
                argument=argument.name,
                value=value,
                low=argument.low,
                high=longest,
            )
        found.append(int(value))
    entry = FUNCTIONS[call.function]
    names = [argument.name for argument in entry.arguments if argument.kind == "period"]
    for smaller, larger in entry.ordered:
        low, high = found[names.index(smaller)], found[names.index(larger)]
        if low >= high:
            raise ExpressionError(
                "parameter_order", smaller=smaller, smaller_value=low, larger=larger, larger_value=high
            )
    return found


def lag_bars(node: Lag) -> int:
    """The bars of a bound lag, checked.

    Raises:
        ExpressionError: `negative_lag` (it would look ahead), `bad_period`.
    """
    assert isinstance(node.bars, Number), "the lag is bound"
    value = node.bars.value
    if value < 0:
        raise ExpressionError("negative_lag", lag=value)
    if value != int(value) or value > LONGEST_PERIOD:
        raise ExpressionError(
            "bad_period", function="[]", argument="lag", value=value, low=0, high=LONGEST_PERIOD
        )
    return int(value)


def warm_up(node: Node) -> int:
    """Bars at the start of the data for which a bound tree has no value, every period and lag checked.

    Of a higher timeframe it counts that one's bars.

    Raises:
        ExpressionError: `bad_period`, `negative_lag` or `parameter_order`.
    """
    match node:
        case Call(function=function, arguments=arguments):
            own = FUNCTIONS[function].bars(*periods(node))
            return own + max((warm_up(argument) for argument in arguments), default=0)
        case Lag(operand=operand):
            return lag_bars(node) + warm_up(operand)
        case At(operand=operand):
            # A higher bar is one bar at least; how many it really is, the prices tell.
            return warm_up(operand)
        case Negative(operand=operand) | Not(operand=operand):
            return warm_up(operand)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return max(warm_up(left), warm_up(right))
        case And(operands=operands) | Or(operands=operands):
            return max(warm_up(operand) for operand in operands)
        case Number() | Series() | Parameter():
            return 0


def reads_volume(node: Node) -> bool:
    """Whether a tree needs to know how much was traded."""
    return any(
        part == _VOLUME or (isinstance(part, Call) and "volume" in FUNCTIONS[part.function].inputs)
        for part in walk(node)
    )
