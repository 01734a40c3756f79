"""A function that was read, as machine code: it always ends, and reads or writes no array beyond its ends.

Every loop pays for its rounds before it begins, and every window for its bars, out of an allowance that grows
with the history: who has spent it stops. numba checks every index; whole numbers are made of numbers only
where they fit. These bounds stand in the code itself, on every system and in every process.
"""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from backtest.cage.body import dotted
from backtest.cage.source import Source
from backtest.cage.vocabulary import MAKERS

Floats = NDArray[np.float64]
Compiled = Callable[..., Any]
"""A function as machine code: one array, or of a strategy so many."""

WORK_A_BAR = 10_000
"""Rounds of loops and bars of windows that a function may take for each bar."""

WORK_AT_ALL = 1_000_000
"""And besides, whatever the history."""

_LEFT = "_left"
_FARTHEST = 2**50
_VALUES = {"np.zeros": 0.0, "np.ones": 1.0}


@njit(boundscheck=True)  # type: ignore[untyped-decorator]  # numba has no types
def _whole(value: float) -> int:
    """A whole number of a number; 0 of one that has none. What the processor makes of those is undefined."""
    return int(value) if -9e15 < value < 9e15 else 0


@njit(boundscheck=True)  # type: ignore[untyped-decorator]
def _array(size: int, value: float) -> Floats:
    return np.full(size, 1.0 * value)  # which makes a number of a condition too


@njit(boundscheck=True)  # type: ignore[untyped-decorator]
def _end(value: int) -> int:
    """An end of a loop or window within what can be subtracted and counted without an overflow."""
    return min(max(value, -_FARTHEST), _FARTHEST)


_NAMES: dict[str, Any] = {
    "np": np,
    "math": math,
    "_whole": _whole,
    "_array": _array,
    "_end": _end,
    "range": range,
    "len": len,
    "abs": abs,
    "min": min,
    "max": max,
    "float": float,
    "bool": bool,
    "OverflowError": OverflowError,
    "__builtins__": {},
}


@cache
def compiled(source: Source) -> Compiled:
    """The function, compiled now; it takes its inputs as arrays and its parameters as numbers, in order.

    It raises IndexError outside an array, OverflowError where its allowance is spent, ValueError for arrays
    of different lengths and for a window without bars.

    Raises:
        numba's own errors: it does not compile. In the caller's process: see `backtest.cage.trying`.
    """
    column = types.Array(types.float64, 1, "C", readonly=True)
    numbers = (types.int64 if one.whole else types.float64 for one in source.parameters)
    own = types.Array(types.float64, 1, "C")
    returned = types.UniTuple(own, len(source.places)) if source.places else own
    signature = returned(*(column for _ in source.inputs), *numbers)
    made = njit(signature, nogil=True, boundscheck=True, error_model="numpy")(_defined(source, _NAMES))
    return cast(Compiled, made)


def interpreted(source: Source) -> Compiled:
    """The function as Python runs it, with the same bounds: slow, but there at once.

    It may fail where machine code gives what is not a number: Python divides nothing by zero.
    """
    plain = {name: getattr(one, "py_func", one) for name, one in _NAMES.items()}
    return _defined(source, plain)


def _defined(source: Source, names: dict[str, Any]) -> Compiled:
    known = {**names, "__name__": f"generated.{source.name}_{source.hash}"}
    exec(compile(metered(source), f"<{source.name}>", "exec"), known)  # read and rewritten: arithmetic alone
    return cast(Compiled, known[source.name])


def arguments(source: Source, values: dict[str, float] | None = None) -> list[float]:
    """Its parameters in order, as it takes them.

    Args:
        source: the function.
        values: by name; those left out have their defaults.
    """
    given = values or {}
    numbers = [given.get(one.name, one.default) for one in source.parameters]
    return [
        int(number) if one.whole else float(number)
        for one, number in zip(source.parameters, numbers, strict=True)
    ]


def metered(source: Source) -> ast.Module:
    """The function rewritten: it pays for its work, and makes arrays and whole numbers by ours."""
    old = source.tree
    bars = f"len({source.inputs[0]})"
    body = [
        *ast.parse(f"{_LEFT} = {WORK_AT_ALL} + {WORK_A_BAR} * {bars}").body,
        *_block(old.body[1:]),
    ]
    function = copy.copy(old)
    function.body = body
    function.args = copy.copy(old.args)
    function.args.args = [ast.arg(one.arg) for one in old.args.args]
    function.args.defaults = []
    return ast.fix_missing_locations(ast.Module(body=[function], type_ignores=[]))


def _block(statements: list[ast.stmt]) -> list[ast.stmt]:
    return [made for one in statements for made in _statement(one)]


def _statement(node: ast.stmt) -> list[ast.stmt]:
    match node:
        case ast.For(target=target, iter=rounds, body=body):
            turned = _turned(rounds)
            loop = ast.For(target=target, iter=turned, body=_block(body), orelse=[])
            return [*_paid([rounds]), *_charge(f"len({ast.unparse(turned)})"), loop]
        case ast.If(test=test, body=body, orelse=orelse):
            return [*_paid([test]), ast.If(test=_turned(test), body=_block(body), orelse=_block(orelse))]
        case _:
            return [*_paid([node]), _turned(node)]


def _paid(nodes: list[Any]) -> list[ast.stmt]:
    """What the windows in an expression cost, before it: without effects, their ends can be told twice."""
    windows = [part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Slice)]
    costs = [f"abs(_end({_written(ends.upper)}) - _end({_written(ends.lower)}))" for ends in windows]
    return _charge(" + ".join(costs)) if costs else []


def _charge(cost: str) -> list[ast.stmt]:
    return ast.parse(f"{_LEFT} -= {cost}\nif {_LEFT} < 0:\n    raise OverflowError('work')").body


def _written(node: ast.expr | None) -> str:
    return ast.unparse(_turned(node))


class _Turning(ast.NodeTransformer):
    """Calls of ours in the place of those that numba leaves undefined."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = dotted(node.func)
        given = [self.visit(one) for one in node.args]
        if name in MAKERS:
            size, value = given[0], given[1] if len(given) == 2 else None
            if name.endswith("_like"):
                size = ast.Call(ast.Name("len", ast.Load()), [size], [])
            filled = ast.Constant(_VALUES[name.removesuffix("_like")]) if value is None else value
            return ast.Call(ast.Name("_array", ast.Load()), [size, filled], [])
        if name == "range":
            ends = [ast.Call(ast.Name("_end", ast.Load()), [one], []) for one in given[:2]]
            return ast.Call(node.func, [*ends, *given[2:]], [])
        if name in ("int", "math.floor", "math.ceil"):
            inner = given[0]
            if name != "int":
                inner = ast.Call(ast.parse(f"np.{name.removeprefix('math.')}", mode="eval").body, [inner], [])
            return ast.Call(ast.Name("_whole", ast.Load()), [inner], [])
        return ast.Call(node.func, given, [])


def _turned(node: Any) -> Any:
    """A copy with our calls."""
    return _Turning().visit(copy.deepcopy(node))
