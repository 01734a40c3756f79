"""Syntax tree of the strategy language, its canonical printing and the binding of parameters.

Nodes are frozen and compare by meaning of their parts, so they serve as cache keys: `Number(5) ==
Number(5.0)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from backtest.errors import ExpressionError


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value of the strategy."""

    name: str


@dataclass(frozen=True, slots=True)
class Series:
    """A column of the price data, `typical` = (high + low + close) / 3, or the bar's `hour` or `weekday`."""

    name: str


@dataclass(frozen=True, slots=True)
class Own(Series):
    """A further series that the strategy declares: a column of the data, or of another table (`btc.close`).

    Attributes:
        kind: what it is in the mirror (`backtest.types.Input`).
    """

    kind: str


Branch = TypeVar("Branch", bound="type[_Branch]")


class _Branch:
    """A node with others below it; its hash, which all of them make, is kept, but never pickled."""

    __slots__ = ("hashed",)
    hashed: int


def _hashed_once(branch: Branch) -> Branch:
    made = cast(Callable[[_Branch], int], branch.__hash__)

    def __hash__(self: _Branch) -> int:  # what is given to the class below
        try:
            return self.hashed
        except AttributeError:
            found = made(self)
            object.__setattr__(self, "hashed", found)
            return found

    branch.__hash__ = __hash__  # type: ignore[method-assign,assignment]
    return branch


@_hashed_once
@dataclass(frozen=True, slots=True)
class Call(_Branch):
    """A function of the language with every argument present, defaults filled in."""

    function: str
    arguments: tuple[Node, ...]


@_hashed_once
@dataclass(frozen=True, slots=True)
class Lag(_Branch):
    """The value `bars` completed bars ago."""

    operand: Node
    bars: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class At(_Branch):
    """A value or condition of a higher timeframe, as its last completed bar left it."""

    timeframe: str
    operand: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class Negative(_Branch):
    """Minus a value."""

    operand: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class Arithmetic(_Branch):
    """`+`, `-`, `*` or `/` of two values; a division by zero is not a number."""

    operator: str
    left: Node
    right: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class Comparison(_Branch):
    """`<`, `<=`, `>`, `>=`, `==` or `!=` of two values; false where either is not a number."""

    operator: str
    left: Node
    right: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class Not(_Branch):
    """The contrary of a condition; what is undefined stays false."""

    operand: Node


@_hashed_once
@dataclass(frozen=True, slots=True)
class And(_Branch):
    """All of several conditions (two or more, none of them an And)."""

    operands: tuple[Node, ...]


@_hashed_once
@dataclass(frozen=True, slots=True)
class Or(_Branch):
    """Any of several conditions (two or more, none of them an Or)."""

    operands: tuple[Node, ...]


Node = Number | Parameter | Series | Call | Lag | At | Negative | Arithmetic | Comparison | Not | And | Or

_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _UNARY, _PRIMARY = range(8)
_FLIPPED = {">": "<", ">=": "<="}


def _level(node: Node) -> int:
    match node:
        case Or():
            return _OR
        case And():
            return _AND
        case Not():
            return _NOT
        case Comparison():
            return _COMPARISON
        case Arithmetic(operator=operator):
            return _SUM if operator in "+-" else _PRODUCT
        case Negative():
            return _UNARY
        case Number(value=value) if value < 0:
            return _UNARY
        case _:
            return _PRIMARY


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _inside(node: Node, lowest: int) -> str:
    words = show(node)
    return words if _level(node) >= lowest else f"({words})"


def show(node: Node) -> str:
    """Canonical text of a tree: lower case, defaults written out, as few parentheses as reading allows."""
    match node:
        case Number(value=value):
            return _number(value)
        case Parameter(name=name) | Series(name=name):
            return name
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(show(argument) for argument in arguments)})"
        case Lag(operand=operand, bars=bars):
            return f"{_inside(operand, _PRIMARY)}[{show(bars)}]"
        case At(timeframe=timeframe, operand=operand):
            return f'at("{timeframe}", {show(operand)})'
        case Negative(operand=operand):
            return f"-{_inside(operand, _UNARY)}"
        case Arithmetic(operator=operator, left=left, right=right):
            level = _level(node)
            return f"{_inside(left, level)} {operator} {_inside(right, level + 1)}"
        case Comparison(operator=operator, left=left, right=right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}"
        case Not(operand=operand):
            return f"not {_inside(operand, _PRIMARY)}"
        case And(operands=operands):
            return " and ".join(_inside(operand, _NOT) for operand in operands)
        case Or(operands=operands):
            return " or ".join(_inside(operand, _AND) for operand in operands)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below one."""
    match node:
        case Call(arguments=arguments):
            return arguments
        case Lag(operand=operand, bars=bars):
            return operand, bars
        case At(operand=operand) | Negative(operand=operand) | Not(operand=operand):
            return (operand,)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return left, right
        case And(operands=operands) | Or(operands=operands):
            return operands
        case _:
            return ()


def depth(node: Node) -> int:
    """Levels of a tree, found without descending into it: everything else does descend."""
    deepest, below = 0, [node]
    while below:
        deepest += 1
        below = [child for one in below for child in children(one)]
    return deepest


def walk(node: Node) -> Iterator[Node]:
    """A tree's nodes, each before those below it."""
    ahead = [node]
    while ahead:
        yield (one := ahead.pop())
        ahead += reversed(children(one))


def own_series(node: Node) -> set[str]:
    """Names of the further series that a tree reads."""
    return {part.name for part in walk(node) if isinstance(part, Own)}


def parameters(node: Node) -> set[str]:
    """Names of the parameters a tree uses."""
    return {part.name for part in walk(node) if isinstance(part, Parameter)}


def _calculate(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if right == 0:
        raise ExpressionError("constant_division_by_zero", expression=f"{_number(left)} / 0")
    return left / right


def bind(node: Node, values: Mapping[str, float]) -> Node:
    """The tree with every parameter replaced by its value and constant arithmetic done.

    Raises:
        ExpressionError: `constant_division_by_zero`.
        KeyError: a parameter has no value; strategies make sure that none is missing.
    """
    match node:
        case Parameter(name=name):
            return Number(float(values[name]))
        case Call(function=function, arguments=arguments):
            return Call(function, tuple(bind(argument, values) for argument in arguments))
        case Lag(operand=operand, bars=bars):
            below, shift = bind(operand, values), bind(bars, values)
            if isinstance(shift, Number) and shift.value == 0:
                return below
            if isinstance(below, Lag) and isinstance(below.bars, Number) and isinstance(shift, Number):
                return Lag(below.operand, Number(below.bars.value + shift.value))
            return Lag(below, shift)
        case At(timeframe=timeframe, operand=operand):
            below = bind(operand, values)
            return below if isinstance(below, Number) else At(timeframe, below)
        case Negative(operand=operand):
            below = bind(operand, values)
            return Number(-below.value) if isinstance(below, Number) else Negative(below)
        case Arithmetic(operator=operator, left=left, right=right):
            first, second = bind(left, values), bind(right, values)
            if isinstance(first, Number) and isinstance(second, Number):
                return Number(_calculate(operator, first.value, second.value))
            return Arithmetic(operator, first, second)
        case Comparison(operator=operator, left=left, right=right):
            return Comparison(operator, bind(left, values), bind(right, values))
        case Not(operand=operand):
            return Not(bind(operand, values))
        case And(operands=operands):
            return And(tuple(bind(operand, values) for operand in operands))
        case Or(operands=operands):
            return Or(tuple(bind(operand, values) for operand in operands))
        case _:
            return node


def meaning(node: Node) -> str:
    """A text equal for trees that mean the same whatever the order they were written in.

    Conditions under `and` and `or`, and the two sides of `+`, `*`, `==` and `!=`, are sorted; repeated
    conditions count once; `a > b` is written `b < a`. Only rewritings that leave every result bit for bit
    alone.
    """
    match node:
        case And(operands=operands) | Or(operands=operands):
            word = " and " if isinstance(node, And) else " or "
            parts = sorted({meaning(operand) for operand in operands})
            return f"({word.join(parts)})" if len(parts) > 1 else parts[0]
        case Comparison(operator=operator, left=left, right=right):
            sides = [meaning(left), meaning(right)]
            if operator in _FLIPPED:
                operator = _FLIPPED[operator]
                sides.reverse()
            elif operator in ("==", "!="):
                sides.sort()
            return f"({sides[0]} {operator} {sides[1]})"
        case Arithmetic(operator=operator, left=left, right=right):
            sides = [meaning(left), meaning(right)]
            if operator in "+*":
                sides.sort()
            return f"({sides[0]} {operator} {sides[1]})"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(meaning(argument) for argument in arguments)})"
        case Lag(operand=operand, bars=bars):
            return f"{meaning(operand)}[{meaning(bars)}]"
        case At(timeframe=timeframe, operand=operand):
            return f'at("{timeframe}", {meaning(operand)})'
        case Negative(operand=operand):
            return f"-{meaning(operand)}"
        case Not(operand=operand):
            return f"not {meaning(operand)}"
        case _:
            return show(node)
