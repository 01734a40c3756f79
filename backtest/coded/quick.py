"""`next` of a strategy as machine code, where it is made of nothing but what is listed here.

That is: its own series and parameters, local numbers, comparisons, arithmetic, `crossover`, `self.position`,
orders at the market. What cannot be read so goes bar by bar in Python, as all of it does until it has been
asked for often enough that compiling pays.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numba import njit
from numba.core.errors import NumbaError
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAYS_FROM = 300_000
"""Bars that went through Python before compiling, which takes some seconds, is worth its while."""

COLUMNS = ("Open", "High", "Low", "Close", "Volume")
_FUNCTIONS = {"abs": "abs", "min": "min", "max": "max", "float": "float", "isnan": "np.isnan"}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<",
    ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_SIGNS: dict[type[ast.AST], str] = {ast.Not: "not ", ast.USub: "-", ast.UAdd: "+"}

_WALK = """
def decide(t, side, {arguments}):
    wish, sl, tp, out, bad = 0, np.nan, np.nan, False, False
{body}
    return wish, sl, tp, out, bad


def walk(first, exclusive, out, levels, {arguments}):
    side, led = 0, 0
    stop, target, goal_stop, goal_target = np.nan, np.nan, np.nan, np.nan
    told = np.full(4, np.nan)
    for t in range(first, Close.size):
        if side != led:
            side, stop, target = led, goal_stop, goal_target
        if side != 0:
            worst, best = (Low[t], High[t]) if side > 0 else (High[t], Low[t])
            met = side * (Open[t] - stop) <= 0.0 or side * (Open[t] - target) >= 0.0
            if met or side * (worst - stop) <= 0.0 or side * (best - target) >= 0.0:
                side = 0
        led = side
        wish, sl, tp, leaves, bad = decide(t, side, {arguments})
        if bad:
            return False
        if side != 0 and wish == -side and not (leaves or exclusive):
            wish = 0
        if wish != 0:
            if side != wish:
                led, goal_stop, goal_target = wish, sl, tp
            place = 0 if wish > 0 else 2
            out[place, t] = 1.0
            told[place], told[place + 1] = sl, tp
        elif leaves:
            if side >= 0:
                out[1, t] = 1.0
            if side <= 0:
                out[3, t] = 1.0
            led = 0
        levels[:, t] = told
    return True
"""


class Unreadable(Exception):
    """`next` is made of something else; the line says where."""


@dataclass
class Quick:
    """A way to machine code, taken once.

    Attributes:
        method: `next`, as it is written; None where it is not the class's own.
        names: what the file's names stand for.
        crossings: the functions that are known as `crossover`.
        bars: that went through Python so far.
        reason: why it cannot be taken.
    """

    method: ast.FunctionDef | None
    names: Mapping[str, Any]
    crossings: tuple[Any, ...]
    bars: int = 0
    reason: str = ""
    _made: Callable[..., Any] | None = field(default=None, repr=False)
    _read: list[str] = field(default_factory=list, repr=False)
    _deepest: int = field(default=0, repr=False)

    def look(self, strategy: Any) -> None:
        """Whether it can be taken, by a strategy whose `init` is over."""
        if not self.reason and not self._read:
            try:
                self._source(strategy)
            except Unreadable as error:
                self.reason = str(error)

    def run(
        self, strategy: Any, data: Mapping[str, Floats], first: int, exclusive: bool
    ) -> tuple[Floats, Floats] | None:
        """Entries and exits, and levels, by side, a row each; None where Python must do it.

        Args:
            strategy: whose `init` is over.
            data: columns of the prices.
            first: bar at which it decides for the first time.
            exclusive: see `backtest.coded.stepped.Desk`.
        """
        bars = len(data["Close"])
        if self.reason or self.bars < PAYS_FROM or first < self._deepest:
            self.bars += bars
            return None
        try:
            if self._made is None:
                self._made = self._compiled(strategy)
            out, levels = np.full((4, bars), np.nan), np.full((4, bars), np.nan)
            out[:, first:] = 0.0
            given = [self._value(strategy, name) for name in self._read]
            columns = [data[name] for name in COLUMNS]
            settled = self._made(first, exclusive, out, levels, *columns, *given)
        except (NumbaError, Unreadable) as error:
            self.reason = str(error).strip().partition("\n")[0][:100]
            return None
        return (out, levels) if settled else None

    def _value(self, strategy: Any, name: str) -> Any:
        """A series as an array, a number as itself."""
        found = getattr(strategy, name)
        if isinstance(found, np.ndarray):
            return np.ascontiguousarray(found, dtype=np.float64)
        if isinstance(found, int | float | np.number):
            return float(found) if not isinstance(found, bool) else found
        raise Unreadable(name)

    def _source(self, strategy: Any) -> str:
        if self.method is None:
            raise Unreadable("next")
        reader = _Reader(strategy, self.names, self.crossings)
        body = reader.block(self.method.body, 1)
        self._read, self._deepest = sorted(reader.read) or ["__class__"], reader.deepest
        if not reader.read:
            raise Unreadable("next")
        return _WALK.format(arguments=", ".join([*COLUMNS, *(f"own_{one}" for one in self._read)]), body=body)

    def _compiled(self, strategy: Any) -> Callable[..., Any]:
        names: dict[str, Any] = {"np": np}
        exec(self._source(strategy), names)  # read and written anew above: arithmetic alone
        names["decide"] = njit(error_model="numpy")(names["decide"])
        made: Callable[..., Any] = njit(error_model="numpy")(names["walk"])
        return made


class _Reader:
    """From statements of `next` to those of `decide`."""

    def __init__(self, strategy: Any, names: Mapping[str, Any], crossings: tuple[Any, ...]) -> None:
        self.strategy = strategy
        self.names = names
        self.crossings = crossings
        self.read: set[str] = set()
        self.local: set[str] = set()
        self.deepest = 1

    def refuse(self, node: ast.AST) -> NoReturn:
        raise Unreadable(f"{getattr(node, 'lineno', 0)}")

    def block(self, statements: list[ast.stmt], depth: int) -> str:
        return "\n".join(self.statement(one, depth) for one in statements) or "    " * depth + "pass"

    def statement(self, node: ast.stmt, depth: int) -> str:
        pad = "    " * depth
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                return f"{pad}pass"
            case ast.Return(value=None):
                return f"{pad}return wish, sl, tp, out, bad"
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                told = self.value(value)
                self.local.add(name)
                return f"{pad}my_{name} = {told}"
            case ast.If(test=test, body=body, orelse=orelse):
                told = f"{pad}if {self.value(test)}:\n{self.block(body, depth + 1)}"
                return f"{told}\n{pad}else:\n{self.block(orelse, depth + 1)}" if orelse else told
            case ast.Expr(value=ast.Call(func=function, args=[], keywords=given)):
                return self.order(ast.unparse(function), given, node, pad)
        self.refuse(node)

    def order(self, what: str, given: list[ast.keyword], node: ast.stmt, pad: str) -> str:
        if what == "self.position.close" and not given:
            return f"{pad}out = True"
        if what not in ("self.buy", "self.sell") or any(one.arg not in ("sl", "tp") for one in given):
            self.refuse(node)
        side = 1 if what == "self.buy" else -1
        levels = {str(one.arg): self.value(one.value) for one in given}
        lines = [f"wish, sl, tp = {side}, {levels.get('sl', 'np.nan')}, {levels.get('tp', 'np.nan')}"]
        # What backtesting.py would not take is left to Python, which says so.
        if "sl" in levels:
            lines.append(f"bad = bad or not {side} * (Close[t] - sl) > 0.0")
        if "tp" in levels:
            lines.append(f"bad = bad or not {side} * (tp - Close[t]) > 0.0")
        return "\n".join(f"{pad}{line}" for line in lines)

    def value(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=int() | float()):
                return repr(node.value)
            case ast.Name(id=name) if name in self.local:
                return f"my_{name}"
            case ast.Name(id=name) if isinstance(self.names.get(name), int | float):
                return repr(self.names[name])
            case ast.Attribute() if (told := _POSITION.get(ast.unparse(node))) is not None:
                return told
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if self.scalar(name):
                self.read.add(name)
                return f"own_{name}"
            case ast.Subscript(
                value=of, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(back)))
            ):
                return self.series(of, back)
            case ast.BoolOp(op=op, values=parts):
                word = " and " if isinstance(op, ast.And) else " or "
                return f"({word.join(self.value(part) for part in parts)})"
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
                return f"({_SIGNS[type(op)]}{self.value(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return f"({self.value(left)} {_OPERATORS[type(op)]} {self.value(right)})"
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                type(op) in _OPERATORS for op in ops
            ):
                compared = [
                    f"{_OPERATORS[type(one)]} {self.ends(other, 1)}"
                    for one, other in zip(ops, others, strict=True)
                ]
                return f"({self.ends(left, 1)} {' '.join(compared)})"
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self.call(function, arguments, node)
        self.refuse(node)

    def call(self, function: ast.expr, arguments: list[ast.expr], node: ast.expr) -> str:
        told = ast.unparse(function)
        if told == "len" and len(arguments) == 1 and ast.unparse(arguments[0]).startswith("self.data"):
            return "(t + 1)"
        if self.names.get(told) in self.crossings and len(arguments) == 2:
            (was, now), (other_was, other_now) = ((self.ends(one, 2), self.ends(one, 1)) for one in arguments)
            return f"({was} < {other_was} and {now} > {other_now})"
        name = told.rpartition(".")[2]
        owner = self.names.get(told.partition(".")[0])
        if name in _FUNCTIONS and (owner is None or owner in (np, math)):
            return f"{_FUNCTIONS[name]}({', '.join(self.value(one) for one in arguments)})"
        self.refuse(node)

    def ends(self, node: ast.expr, back: int) -> str:
        """One of the last two values of a series, or the number itself."""
        try:
            return self.value(node)
        except Unreadable:
            return self.series(node, back)

    def series(self, node: ast.expr, back: int) -> str:
        """The value of a series so many bars from the end, 1 is the last."""
        if back < 1:
            self.refuse(node)
        self.deepest = max(self.deepest, back - 1)
        match node:
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr="data"), attr=name):
                if name in COLUMNS:
                    return f"{name}[t - {back - 1}]"
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                found = getattr(self.strategy, name, None)
                if isinstance(found, np.ndarray) and found.ndim == 1 and found.dtype.kind in "fiu":
                    self.read.add(name)
                    return f"own_{name}[t - {back - 1}]"
        self.refuse(node)

    def scalar(self, name: str) -> bool:
        return isinstance(getattr(self.strategy, name, None), int | float | np.number)


_POSITION = {
    "self.position": "(side != 0)",
    "self.position.is_long": "(side > 0)",
    "self.position.is_short": "(side < 0)",
    "self.position.size": "side",
}
