"""Which Python is read: one pure function from prices and bounded numbers to one array, or to signals.

    def range_share(high, low, close, period: (2, 200) = 20):
        \"\"\"Where the close stands between the lowest low and the highest high, 0 to 1.\"\"\"
        out = np.full(len(close), np.nan)
        for t in range(period - 1, len(close)):
            top = np.max(high[t - period + 1 : t + 1])
            bottom = np.min(low[t - period + 1 : t + 1])
            if top > bottom:
                out[t] = (close[t] - bottom) / (top - bottom)
        return out

One array is an indicator. Two are a strategy, entry and exit of the long side; four are one of both sides.
Nothing is run or compiled to know it: a text is read in milliseconds, or refused with line and reason.
"""

from __future__ import annotations

import ast
import hashlib
import keyword
import math
import re
from dataclasses import dataclass, field

from backtest.cage.body import Body
from backtest.cage.errors import CodeError
from backtest.cage.vocabulary import COLUMNS, TAKEN

LONGEST = 6_000
"""Letters of a source."""

MOST_NODES = 900
"""Nodes of a syntax tree: what is longer takes the compiler long."""

DEEPEST = 40
"""Levels of a syntax tree."""

MOST_PARAMETERS = 6
LONGEST_ABOUT = 240
LARGEST_WHOLE = 100_000
LARGEST_REAL = 1e9

PLACES = ("entry_long", "exit_long", "entry_short", "exit_short")
"""What a strategy returns, in this order: 1 where it signals, 0 where not, not a number where unknown."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Bounded:
    """A parameter of a function.

    Attributes:
        name: of it.
        low: the smallest value.
        high: the largest value.
        default: the value it has if none is given.
        whole: whether it is a whole number.
    """

    name: str
    low: float
    high: float
    default: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A function that was read and found to be in the language of the cage.

    Attributes:
        text: as it was given, with plain line ends.
        name: of the function.
        about: what it measures: the first paragraph of its docstring.
        inputs: the columns of prices it asks for, in its order.
        parameters: numbers it takes after them.
        places: what the arrays that a strategy returns are; none of an indicator.
        tree: its syntax.
    """

    text: str
    name: str
    about: str
    inputs: tuple[str, ...]
    parameters: tuple[Bounded, ...]
    places: tuple[str, ...]
    tree: ast.FunctionDef = field(compare=False, repr=False)

    @property
    def functions(self) -> tuple[str, ...]:
        """What conditions call: its name, or of a strategy a name for each of its places."""
        return tuple(f"{self.name}_{place}" for place in self.places) or (self.name,)

    @property
    def hash(self) -> str:
        """Identity: 16 hexadecimal digits, the same whatever comments, blank lines and spaces."""
        return hashlib.sha256(ast.unparse(self.tree).encode()).hexdigest()[:16]

    @property
    def nodes(self) -> int:
        """How long it is: nodes of its syntax tree."""
        return sum(1 for _ in ast.walk(self.tree))


def read_source(text: str) -> Source:
    """The function that a text defines.

    Raises:
        CodeError: it is not in the language of the cage; the code says why.
    """
    function = _only_function(_parsed(text))
    name, about = _called(function), _about(function)
    inputs, parameters = _arguments(function)
    returned = Body(function, inputs, {one.name: one.low for one in parameters}).check()
    plain = text.replace("\r\n", "\n").strip() + "\n"
    return Source(plain, name, about, inputs, parameters, PLACES[: returned if returned > 1 else 0], function)


def _parsed(text: str) -> ast.Module:
    if len(text) > LONGEST:
        raise CodeError("too_long", letters=len(text), limit=LONGEST)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise CodeError("no_python", line=error.lineno or 1) from None
    except (ValueError, RecursionError, MemoryError):
        raise CodeError("no_python", line=1) from None
    level: list[ast.AST] = [tree]
    nodes = depth = 0
    while level:
        nodes, depth = nodes + len(level), depth + 1
        if depth > DEEPEST:
            raise CodeError("too_deep", limit=DEEPEST)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if nodes > MOST_NODES:
        raise CodeError("too_many_nodes", nodes=nodes, limit=MOST_NODES)
    for node in ast.walk(tree):  # everywhere, before anything else is asked
        _refuse_names(node)
    return tree


def _refuse_names(node: ast.AST) -> None:
    """Names with two underscores lead out of everything; texts and bytes hide them."""
    named = [getattr(node, part, None) for part in ("id", "attr", "arg", "name", "asname")]
    for name in named:
        if isinstance(name, str) and "__" in name:
            raise CodeError("dunder", line=getattr(node, "lineno", 1), name=name)
        if isinstance(name, str) and name.startswith("_"):
            raise CodeError("private_name", line=getattr(node, "lineno", 1), name=name)
    match node:
        case ast.Import() | ast.ImportFrom():
            raise CodeError("import", line=node.lineno)
        case ast.Constant(value=complex()) | ast.Constant(value=bytes()):
            raise CodeError("no_number", line=node.lineno, value=ast.unparse(node))
        case ast.Constant(value=float(number)) if not math.isfinite(number):
            raise CodeError("large_number", line=node.lineno)
        case ast.Constant(value=int(number)) if abs(number) > 2**53:
            raise CodeError("large_number", line=node.lineno)


def _only_function(tree: ast.Module) -> ast.FunctionDef:
    match tree.body:
        case [ast.FunctionDef() as function]:
            pass
        case [*_, ast.AsyncFunctionDef() as other]:
            raise CodeError("waits", line=other.lineno)
        case [*_, ast.ClassDef() as other]:
            raise CodeError("class", line=other.lineno)
        case body:
            raise CodeError("one_function", found=sum(isinstance(one, ast.FunctionDef) for one in body))
    if function.decorator_list:
        raise CodeError("decorator", line=function.lineno)
    return function


def _called(function: ast.FunctionDef) -> str:
    name = function.name
    if not _NAME.fullmatch(name) or not 3 <= len(name) <= 40 or keyword.issoftkeyword(name):
        raise CodeError("function_name", name=name)
    return name


def _about(function: ast.FunctionDef) -> str:
    told = (ast.get_docstring(function) or "").strip()
    about = " ".join(told.split("\n\n")[0].split())
    if not about:
        raise CodeError("no_docstring", name=function.name)
    if len(about) > LONGEST_ABOUT or not about.isprintable():
        raise CodeError("docstring", limit=LONGEST_ABOUT)
    return about


def _arguments(function: ast.FunctionDef) -> tuple[tuple[str, ...], tuple[Bounded, ...]]:
    given = function.args
    if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
        raise CodeError("argument_kinds", name=function.name)
    plain = given.args[: len(given.args) - len(given.defaults)]
    bounded = given.args[len(plain) :]
    inputs = tuple(one.arg for one in plain)
    for one in plain:
        if one.arg not in COLUMNS or one.annotation is not None:
            raise CodeError("unbounded_argument", name=one.arg, known=", ".join(COLUMNS))
    if not inputs:
        raise CodeError("no_prices", known=", ".join(COLUMNS))
    if len(bounded) > MOST_PARAMETERS:
        raise CodeError("too_many_parameters", found=len(bounded), limit=MOST_PARAMETERS)
    names = [one.arg for one in given.args]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise CodeError("repeated_argument", name=name)
        if name in TAKEN:
            raise CodeError("taken_name", line=given.args[place].lineno, name=name)
    return inputs, tuple(_bounds(one, default) for one, default in zip(bounded, given.defaults, strict=True))


def _bounds(argument: ast.arg, default: ast.expr) -> Bounded:
    name = argument.arg
    if name in COLUMNS or argument.annotation is None or not _NAME.fullmatch(name):
        raise CodeError("unbounded_argument", name=name, known=", ".join(COLUMNS))
    match argument.annotation:
        case ast.Tuple(elts=[low, high]):
            numbers = [_number(one) for one in (low, high, default)]
        case _:
            raise CodeError("unbounded_argument", name=name, known=", ".join(COLUMNS))
    given = [one for one in numbers if one is not None]
    if len(given) < len(numbers):
        raise CodeError("bad_bounds", name=name)
    first, last, usual = given
    whole = all(isinstance(one, int) for one in given)
    most = LARGEST_WHOLE if whole else LARGEST_REAL
    if not (-most <= first < last <= most and first <= usual <= last) or (whole and first < 1):
        raise CodeError("bad_bounds", name=name)
    return Bounded(name, float(first), float(last), float(usual), whole)


def _number(node: ast.expr) -> int | float | None:
    """A number as it is written, with a sign perhaps; None for anything else."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand) if (positive := _number(operand)) is not None:
            return -positive
        case _:
            return None
