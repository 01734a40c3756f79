"""Conditions that can never be true, found before a bar is computed.

Every comparison of a conjunction is an arrow `smaller → larger` between two values; so is what is always true
(`low <= close`, `rsi <= 100`, `30 < 70`). Where arrows lead round in a circle and one of them is strict, no
bar can satisfy them all. What is not understood is taken for possible: nothing that could trade is refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import lru_cache

from backtest.errors import ExpressionError
from backtest.language.functions import CLOCK, FUNCTIONS
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
    Own,
    Series,
    bind,
    show,
)

MOST_CASES = 256

Arrow = tuple[Node, Node, bool]
"""A value, one that is not smaller, and whether it is truly larger."""

_CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_PRICES = ("open", "high", "low", "close", "typical")
_LOW, _HIGH = Series("low"), Series("high")


def bounds(node: Node) -> tuple[float, float]:
    """The range that a value cannot leave, ends included."""
    match node:
        case Number(value=value):
            return value, value
        case Series(name=name) if name in CLOCK:
            return CLOCK[name]
        case Own(kind=kind):
            return (0.0, 100.0) if kind == "share" else (-math.inf, math.inf)
        case Series():
            return 0.0, math.inf
        case Lag(operand=operand) | At(operand=operand):
            return bounds(operand)
        case Negative(operand=operand):
            low, high = bounds(operand)
            return -high, -low
        case Arithmetic(operator="+", left=left, right=right):
            (a, b), (c, d) = bounds(left), bounds(right)
            return a + c, b + d
        case Arithmetic(operator="-", left=left, right=right):
            (a, b), (c, d) = bounds(left), bounds(right)
            return a - d, b - c
        case (
            Arithmetic(operator="*", left=left, right=Number(value=factor))
            | Arithmetic(operator="*", left=Number(value=factor), right=left)
        ) if factor > 0:
            low, high = bounds(left)
            return low * factor, high * factor
        case Call(function=function, arguments=arguments):
            held = FUNCTIONS[function].bounds
            return bounds(arguments[0]) if held.within else (held.low, held.high)
    return -math.inf, math.inf


def _positive(node: Node) -> bool:
    """Whether a value is a price, so never zero."""
    match node:
        case Series(name=name):
            return name in _PRICES
        case Lag(operand=operand) | At(operand=operand):
            return _positive(operand)
        case Call(function=function, arguments=arguments):
            held = FUNCTIONS[function].bounds
            return held.never_zero or (held.within and _positive(arguments[0]))
    return False


def _inside(node: Node) -> list[tuple[Node, bool]]:
    """Other values of the same bar that are always at least (True) or at most (False) this one."""
    found: list[tuple[Node, bool]] = []
    match node:
        case Series(name=name) if name in _PRICES:
            found += [(_HIGH, True)] if node != _HIGH else []
            found += [(_LOW, False)] if node != _LOW else []
        case Call(function=function, arguments=arguments):
            entry = FUNCTIONS[function]
            given = dict(zip((argument.name for argument in entry.arguments), arguments, strict=True))
            numbers = [given[one.name] for one in entry.arguments if one.kind == "number"]
            if all(isinstance(one, Number) and one.value >= 0 for one in numbers):
                found += [(_bound(name, given, arguments), False) for name in entry.not_below]
                found += [(_bound(name, given, arguments), True) for name in entry.not_above]
    return found


def _bound(name: str, given: dict[str, Node], arguments: tuple[Node, ...]) -> Node:
    """What an entry names as its bound: an argument, another function of the same arguments, or a series."""
    if name in given:
        return given[name]
    return Call(name, arguments) if name in FUNCTIONS else Series(name)


def _around(node: Node) -> list[tuple[Node, bool]]:
    """`_inside`, of lagged values and higher timeframes as well."""
    match node:
        case Lag(operand=operand, bars=bars):
            return [(Lag(other, bars), larger) for other, larger in _around(operand)]
        case At(timeframe=timeframe, operand=operand):
            return [(At(timeframe, other), larger) for other, larger in _around(operand)]
    return _inside(node)


def _facts(nodes: set[Node]) -> Iterator[Arrow]:
    """What is always true of some values, adding those it takes to say so."""
    waiting, seen = list(nodes), set(nodes)
    while waiting:
        node = waiting.pop()
        for other, larger in _around(node):
            yield (node, other, False) if larger else (other, node, False)
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    constants = {node for node in seen if isinstance(node, Number)}
    for node in seen - constants:
        low, high = bounds(node)
        for value, below in ((low, True), (high, False)):
            if math.isfinite(value):
                constants.add(Number(value))
                yield (Number(value), node, _positive(node)) if below else (node, Number(value), False)
    ordered = sorted(constants, key=lambda one: one.value if isinstance(one, Number) else 0.0)
    for small, large in itertools.pairwise(ordered):
        yield small, large, True


def _circle(arrows: list[Arrow]) -> list[Arrow] | None:
    """Arrows that lead round in a circle with a strict one among them, the shortest such way."""
    after: dict[Node, list[Arrow]] = {}
    for arrow in arrows:
        after.setdefault(arrow[0], []).append(arrow)
    best: list[Arrow] | None = None
    for strict in (arrow for arrow in arrows if arrow[2]):
        way: dict[Node, Arrow] = {}
        waiting = [strict[1]]
        for node in waiting:
            if node == strict[0]:
                break
            for arrow in after.get(node, []):
                if arrow[1] not in way and arrow[1] != strict[1]:
                    way[arrow[1]] = arrow
                    waiting.append(arrow[1])
        found: list[Arrow] = []
        node = strict[0]
        while node != strict[1] and node in way:
            found.insert(0, way[node])
            node = way[node][0]
        if node == strict[1] and (best is None or len(found) + 1 < len(best)):
            best = [strict, *found]
    return best


def _arrows(node: Comparison) -> list[Arrow]:
    left, right = node.left, node.right
    match node.operator:
        case "<" | "<=":
            return [(left, right, node.operator == "<")]
        case ">" | ">=":
            return [(right, left, node.operator == ">")]
        case "==":
            return [(left, right, False), (right, left, False)]
    # Two values that differ contradict nothing unless they are one and the same.
    return [(left, right, True)] if left == right else []


def _cases(node: Node, contrary: bool = False) -> list[list[Comparison]]:
    """Comparisons that hold together in each way in which a condition can be true."""
    match node:
        case Not(operand=operand):
            return _cases(operand, not contrary)
        case And(operands=operands) | Or(operands=operands):
            parts = [_cases(operand, contrary) for operand in operands]
            if isinstance(node, Or) != contrary:
                cases = [case for part in parts for case in part]
                return cases if len(cases) <= MOST_CASES else [[]]
            if math.prod(len(part) for part in parts) > MOST_CASES:
                return [[]]
            return [[*itertools.chain(*chosen)] for chosen in itertools.product(*parts)]
        case Comparison(operator=operator, left=left, right=right):
            return [[Comparison(_CONTRARY[operator] if contrary else operator, left, right)]]
        case Lag(operand=operand, bars=bars):
            return [
                [_moved(one, lambda side: Lag(side, bars)) for one in case]
                for case in _cases(operand, contrary)
            ]
        case At(timeframe=name, operand=operand):
            return [
                [_moved(one, lambda side: At(name, side)) for one in case]
                for case in _cases(operand, contrary)
            ]
        case Call(function="crosses_above" | "crosses_below" as function, arguments=(left, right)) if (
            not contrary
        ):
            before, now = ("<=", ">") if function == "crosses_above" else (">=", "<")
            past = _moved(Comparison(before, left, right), lambda side: Lag(side, Number(1.0)))
            return [[past, Comparison(now, left, right)]]
        case Call(function="rising" | "falling" as function, arguments=(source, _)) if not contrary:
            earlier = bind(Lag(source, Number(1.0)), {})
            return [[Comparison(">" if function == "rising" else "<", source, earlier)]]
    return [[]]


def _moved(one: Comparison, move: Callable[[Node], Node]) -> Comparison:
    """A comparison with both sides lagged or of a higher timeframe; a constant is the same everywhere."""
    sides = [side if isinstance(side, Number) else bind(move(side), {}) for side in (one.left, one.right)]
    return Comparison(one.operator, *sides)


@lru_cache(maxsize=1024)
def check_possible(node: Node) -> None:
    """Refuse a bound condition that no bar can satisfy; one that passed passes at once the next time.

    Raises:
        ExpressionError: `never_true`, with the circle of comparisons that cannot hold together.
    """
    reason: list[Arrow] | None = None
    for case in _cases(node):
        claims = [arrow for one in case for arrow in _arrows(one)]
        nodes = {side for arrow in claims for side in arrow[:2]}
        found = _circle([*claims, *_facts(nodes)])
        if found is None:
            return
        reason = reason or found
    if reason is not None:
        words = show(reason[0][0])
        for _, larger, strict in reason:
            words += f" {'<' if strict else '<='} {show(larger)}"
        raise ExpressionError("never_true", expression=show(node), reason=words)
