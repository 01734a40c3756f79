"""New functions out of functions that the cage has read: one changed at one place, or two made into one.

What comes out is text like any other: it is read, compiled and tried again before anything is done with it.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from backtest.cage.source import LONGEST_ABOUT, Source
from backtest.cage.wording import worded

How = Literal["product", "difference", "sum"]

_FACTORS = (0.5, 0.75, 1.5, 2.0)
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.Lt: ast.Gt}
_NAMES = {"max": "min", "min": "max"}
_PRICES = ("open", "high", "low", "close")
_JOINED: dict[How, ast.operator] = {"product": ast.Mult(), "difference": ast.Sub(), "sum": ast.Add()}

Edit = tuple[str, Callable[[], None]]
"""What is changed, in words of code, and the change itself."""


def mutated(source: Source, generator: np.random.Generator) -> str:
    """The function changed at one place: a number, an operator, a comparison, a price it reads.

    Args:
        source: the function; it keeps its name.
        generator: draws place and change.
    """
    function = copy.deepcopy(source.tree)
    edits = [*_edits(function, source, generator)]
    told, change = edits[int(generator.integers(len(edits)))]
    change()
    _say(function, worded("changed", "once", about=source.about, change=told))
    return ast.unparse(ast.fix_missing_locations(function)) + "\n"


def combined(one: Source, other: Source, how: How) -> str | None:
    """Both functions in one; None where one of them returns from several places, or they are of two kinds.

    Args:
        one: gives the new function its name, and its parameters their names; of strategies, the entries too.
        other: its names get `other_` in front; of strategies, it gives the exits.
        how: what is done with the values of two indicators, bar by bar.
    """
    if one.places != other.places:
        return None
    first, second = copy.deepcopy(one.tree), copy.deepcopy(other.tree)
    _rename(second, {name: f"other_{name}" for name in _own_names(second) - {*other.inputs, "np", "math"}})
    ends = [_only_return(function) for function in (first, second)]
    if None in ends:
        return None
    left, right = (end.value for end in ends if end is not None)
    assert left is not None
    assert right is not None
    value: ast.expr = ast.BinOp(left, _JOINED[how], right)
    if isinstance(left, ast.Tuple) and isinstance(right, ast.Tuple):
        value = ast.Tuple(
            [(left, right)[place % 2].elts[place] for place in range(len(one.places))], ast.Load()
        )
    joined = ast.Return(value)
    first.body = [*first.body[:-1], *second.body[1:-1], joined]
    inputs = [*one.inputs, *(name for name in other.inputs if name not in one.inputs)]
    parameters = [*first.args.args[len(one.inputs) :], *second.args.args[len(other.inputs) :]]
    first.args.args = [*(ast.arg(name) for name in inputs), *parameters]
    first.args.defaults = [*first.args.defaults, *second.args.defaults]
    _say(first, worded("joined", "strategies" if one.places else how, about=one.about, other=other.about))
    return ast.unparse(ast.fix_missing_locations(first)) + "\n"


def renamed(text: str, name: str) -> str:
    """The same function under another name."""
    function = _function(text)
    function.name = name
    return ast.unparse(function) + "\n"


def _function(text: str) -> ast.FunctionDef:
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function


def shape(source: Source) -> frozenset[str]:
    """Every part of a syntax tree with all that is in it, its own names and numbers left out."""
    tree = copy.deepcopy(source.tree)
    tree.body = tree.body[1:]
    for node in ast.walk(tree):
        match node:
            case ast.Constant():
                node.value = 0
            case ast.Name() if node.id not in _PRICES and node.id != "volume":
                node.id = "_"
    return frozenset(ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.expr | ast.stmt))


def novelty(one: Source, other: Source) -> float:
    """Share of the parts of two syntax trees that only one of them has: 0 for the same, 1 for strangers."""
    first, second = shape(one), shape(other)
    return 1.0 - len(first & second) / len(first | second)


def _edits(function: ast.FunctionDef, source: Source, generator: np.random.Generator) -> Iterator[Edit]:
    """Every change that can be made, in the order of the syntax tree."""
    for statement in function.body[1:]:
        for node in ast.walk(statement):
            match node:
                case ast.Constant(value=float(number)) if number:
                    factor = _FACTORS[int(generator.integers(len(_FACTORS)))]
                    told = _replaced(f"{number:.6g}", f"{number * factor:.6g}")
                    yield told, _set(node, "value", number * factor)
                case ast.BinOp(op=op) if type(op) in _OPERATORS and not _counts(node):
                    other = _OPERATORS[type(op)]
                    yield _replaced(_sign(op), _sign(other())), _set(node, "op", other())
                case ast.Compare(ops=[compared]) if type(compared) in _COMPARISONS:
                    turned = _COMPARISONS[type(compared)]()
                    yield worded("change", "compared"), _set(node, "ops", [turned])
                case ast.Call(func=ast.Name(id=name) as called) if name in _NAMES:
                    yield _replaced(name, _NAMES[name]), _set(called, "id", _NAMES[name])
                case ast.Subscript(value=ast.Name(id=name) as array, ctx=ast.Load()) if name in _PRICES:
                    price = _PRICES[(_PRICES.index(name) + 1 + int(generator.integers(3))) % 4]
                    told = worded("change", "price", old=name, new=price)
                    yield told, _reads(function, source, array, price)


def _replaced(old: str, new: str) -> str:
    return worded("change", "replaced", old=old, new=new)


def _set(node: ast.AST, field: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, field, value)


def _reads(function: ast.FunctionDef, source: Source, array: ast.Name, price: str) -> Callable[[], None]:
    name = array.id

    def change() -> None:
        array.id = price
        if price not in source.inputs:
            function.args.args.insert(len(source.inputs), ast.arg(price))
        if not any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function)):
            function.args.args = [one for one in function.args.args if one.arg != name]

    return change


def _counts(node: ast.BinOp) -> bool:
    """Whether an operation is arithmetic of whole numbers, as in an index: `t - 1`, `period + 1`."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.Constant | ast.Name)]
    return all(isinstance(part, ast.Name) or isinstance(part.value, int) for part in parts) and not any(
        isinstance(part, ast.Subscript | ast.Call) for part in ast.walk(node)
    )


def _sign(op: ast.operator) -> str:
    return ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[2:-2]


def _own_names(function: ast.FunctionDef) -> set[str]:
    """Names that it takes or assigns."""
    assigned = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return assigned | {one.arg for one in function.args.args}


def _rename(function: ast.FunctionDef, names: dict[str, str]) -> None:
    for node in ast.walk(function):
        match node:
            case ast.Name():
                node.id = names.get(node.id, node.id)
            case ast.arg():
                node.arg = names.get(node.arg, node.arg)


def _only_return(function: ast.FunctionDef) -> ast.Return | None:
    found = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    return found[0] if len(found) == 1 and found[0] is function.body[-1] else None


def _say(function: ast.FunctionDef, about: str) -> None:
    told = about if len(about) <= LONGEST_ABOUT else about[: LONGEST_ABOUT - 1] + "…"
    function.body[0] = ast.Expr(ast.Constant(told))
