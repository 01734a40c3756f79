"""How long a function is as a description, and whether that is paid for: minimum description length.

The length is that of a two-part code (Rissanen, 1978), in bits. A part of the syntax costs the choice among
all that may stand at a place, its own name the choice among the function's names, a number its digits; a part
that was told before, in this function or in a known one, costs the reference to it. A free parameter costs
half the logarithm of the bars that settle it (Rissanen, 1986). Of a list that was there before the prices,
a function is told by its number: the logarithm of how many there are.

The gain is that of the likelihood: a t-statistic stands for t² / 2 nats of an excess that is not zero. A bit
of it pays for one elementary condition, or for as much code as one takes that is written out: that is the
price of conditions in adoption (`validation.score.allowed_error` halves with each). A bit for each bit would
be paid by no price history; which function was written, the ledger charges, where each attempt is a trial.
"""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Iterable

from backtest.cage.body import dotted
from backtest.cage.errors import CodeError
from backtest.cage.source import Source, read_source
from backtest.cage.vocabulary import COLUMNS, CONSTANTS, FUNCTIONS, MAKERS, WINDOWS

_STATEMENTS = 8  # two assignments, for, if, return, continue, break, pass
_EXPRESSIONS = 25  # operators, comparisons, and, or, not, if else, an element, a slice, a name, a number, len
CHOICE = math.log2(
    _STATEMENTS + _EXPRESSIONS + sum(map(len, (FUNCTIONS, WINDOWS, MAKERS, CONSTANTS, COLUMNS)))
)
"""Bits of one part of the syntax."""

DIGIT = math.log2(10.0)

OF_A_CONDITION = 256.0
"""Bits that count as one elementary condition of the language: what the simplest one, a close below the last
lows, takes when it is written out as a function (242; a crossing of two averages takes 432, an RSI 608)."""

NEEDLESS = 0.25
"""Share of a description that may not be there for nothing."""

MOST_SIMPLER = 6
"""Simpler functions that one is compared with."""


def bits(source: Source, bars: int, known: Iterable[Source] = ()) -> float:
    """Length of a function's description.

    Args:
        source: the function; its name and its docstring are free.
        bars: that its parameters are settled on.
        known: functions that the reader has: what stands in them too is told by a reference, and one of
            them by its number.
    """
    known = tuple(known)
    settled = 0.5 * math.log2(max(2, bars)) * len(source.parameters)
    if any(other.hash == source.hash for other in known):
        return settled + math.log2(1 + len(known))
    told = _Told()
    for other in known:
        told.tell(other.tree.body[1:], 1.0)
    names = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    return settled + told.tell(source.tree.body[1:], math.log2(1 + len(names)))


def worth(sources: Iterable[Source], bars: int, known: Iterable[Source] = ()) -> int:
    """Length of functions told one after the other, in whole elementary conditions; arguments as `bits`."""
    told, length = list(known), 0.0
    for source in sources:
        length += bits(source, bars, told)
        told.append(source)
    return int(length / OF_A_CONDITION)


def gain(challenger: float, champion: float) -> float:
    """Bits of likelihood between two t-statistics of an excess; one below zero is none."""
    return (max(challenger, 0.0) ** 2 - max(champion, 0.0) ** 2) / (2.0 * math.log(2.0))


def simpler(source: Source) -> list[tuple[float, int, Source]]:
    """The function without one of its larger parts, and without what only served that part; shortest first.

    A statement goes; of an `if` one branch stays; of `and`, `or`, arithmetic, `a if b else c`, `min` and
    `max` one side. What is no function any more without it, or hardly shorter, is left out.

    Returns:
        (share of the description that is saved, line of the part, function), `MOST_SIMPLER` at most.
    """
    whole = bits(source, 2)
    found: dict[str, tuple[float, int, Source]] = {}
    for place, node in enumerate(ast.walk(source.tree)):
        for choice in range(_choices(node)):
            tree = copy.deepcopy(source.tree)
            if not _cut(tree, [*ast.walk(tree)][place], choice):
                continue
            _prune(tree)
            try:
                shorter = read_source(ast.unparse(ast.fix_missing_locations(tree)))
            except CodeError:
                continue
            saved = 1.0 - bits(shorter, 2) / whole
            if shorter.places == source.places and saved >= NEEDLESS:
                found.setdefault(shorter.hash, (saved, getattr(node, "lineno", 1), shorter))
    ranked = sorted(found.values(), key=lambda one: (-one[0], one[1], one[2].hash))
    return ranked[:MOST_SIMPLER]


class _Told:
    """What the reader has been told so far: parts of the syntax, with their names and without."""

    def __init__(self) -> None:
        self._parts: set[int] = set()
        self._numbers: dict[tuple[object, ...], int] = {}
        self._seen: dict[ast.AST, tuple[int, int, int]] = {}

    def tell(self, nodes: Iterable[ast.AST], name: float) -> float:
        """Bits of parts that are told one after the other, where a name takes so many."""
        return sum(self._part(node, name) for node in nodes)

    def _part(self, node: ast.AST, name: float) -> float:
        same, alike, names = self._known(node)
        reference = CHOICE + math.log2(1 + len(self._parts))
        lengths = [reference] if same in self._parts else []
        lengths += [reference + name * names] if alike in self._parts else []
        lengths.append(self._anew(node, name))
        self._parts |= {same, alike}
        return min(lengths)

    def _anew(self, node: ast.AST, name: float) -> float:
        match node:
            case ast.Name(id=called):
                return CHOICE if called in COLUMNS else CHOICE + name
            case ast.Constant(value=value):
                return CHOICE + DIGIT * max(1, len(str(value).replace(".", "").strip("0")))
            case _:
                return CHOICE + self.tell(_parts(node), name)

    def _known(self, node: ast.AST) -> tuple[int, int, int]:
        """The number of a part; one that is equal where names alone differ; and how many names it has."""
        if (found := self._seen.get(node)) is None:
            inner = [self._known(part) for part in _parts(node)]
            names, called_so = sum(one[-1] for one in inner), ""
            said: tuple[object, ...] = (type(node),)
            match node:
                case ast.Name(id=called) if called in COLUMNS:
                    said = (called,)
                case ast.Name(id=called_so):
                    names = 1
                case ast.Constant(value=value):
                    said = (type(value), value)
                case ast.Call(func=function) | (ast.Attribute() as function):
                    said = (type(node), dotted(function))
                case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op):
                    said = (type(node), type(op))
                case ast.Compare(ops=ops):
                    said = (type(node), *map(type, ops))
                case ast.If(body=body):
                    said = (type(node), len(body))
            same = self._number("named", called_so, *said, *(one[0] for one in inner))
            alike = self._number("alike", *said, *(one[1] for one in inner))
            found = self._seen[node] = same, alike, names
        return found

    def _number(self, *said: object) -> int:
        return self._numbers.setdefault(said, len(self._numbers))


def _parts(node: ast.AST) -> list[ast.AST]:
    """What a part is made of; of a call its arguments, of a name of a module nothing."""
    if isinstance(node, ast.Attribute):
        return []
    parts: Iterable[ast.AST] = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return [one for one in parts if isinstance(one, ast.expr | ast.stmt)]


def _choices(node: ast.AST) -> int:
    """In how many ways something of it can be left out."""
    match node:
        case ast.If() | ast.IfExp() | ast.BinOp():
            return 3 if isinstance(node, ast.If) else 2
        case ast.BoolOp(values=parts):
            return len(parts)
        case ast.Call(func=ast.Name(id="min" | "max"), args=parts):
            return len(parts)
        case ast.Assign() | ast.AugAssign() | ast.For():
            return 1
    return 0


def _cut(tree: ast.FunctionDef, node: ast.AST, choice: int) -> bool:
    """Leave something out; False where it cannot be."""
    match node:
        case ast.If(body=body, orelse=orelse):
            return _put(tree, node, ([], body, orelse)[choice])
        case ast.Assign() | ast.AugAssign() | ast.For():
            return _put(tree, node, [])
        case ast.IfExp(body=body, orelse=orelse):
            return _put_value(tree, node, (body, orelse)[choice])
        case ast.BinOp(left=left, right=right):
            return _put_value(tree, node, (left, right)[choice])
        case ast.BoolOp(values=parts):
            return _put_value(tree, node, parts[choice])
        case ast.Call(args=parts):
            return _put_value(tree, node, parts[choice])
    return False


def _put(tree: ast.FunctionDef, node: ast.AST, statements: list[ast.stmt]) -> bool:
    for parent in ast.walk(tree):
        for field in ("body", "orelse"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and node in block:
                place = block.index(node)
                block[place : place + 1] = statements
                return bool(block) or field == "orelse"
    return False


def _put_value(tree: ast.FunctionDef, node: ast.AST, value: ast.expr) -> bool:
    for parent in ast.walk(tree):
        for field, child in ast.iter_fields(parent):
            if child is node:
                setattr(parent, field, value)
                return True
            if isinstance(child, list) and node in child:
                child[child.index(node)] = value
                return True
    return False


def _prune(tree: ast.FunctionDef) -> None:
    """Take out what nothing that is returned depends on: assignments, empty blocks, arguments."""
    _, *body = tree.body
    live: set[str] = set()
    while (found := _live(body, live)) != live:
        live = found
    tree.body[1:] = _kept(body, live)
    read = {node.id for one in tree.body for node in ast.walk(one) if isinstance(node, ast.Name)}
    given = tree.args.args
    plain = len(given) - len(tree.args.defaults)
    wanted = [place for place, one in enumerate(given) if one.arg in read]
    tree.args.args = [given[place] for place in wanted]
    tree.args.defaults = [tree.args.defaults[place - plain] for place in wanted if place >= plain]


def _live(statements: list[ast.stmt], live: set[str]) -> set[str]:
    """Names that what is returned depends on, as far as `live` ones tell."""
    found = set(live)
    for one in statements:
        match one:
            case ast.If(test=test, body=body, orelse=orelse):
                found |= _live([*body, *orelse], found)
                found |= _read(test) if _kept([*body, *orelse], found) else set()
            case ast.For(iter=rounds, body=body):
                found |= _live(body, found)
                found |= _read(rounds) if _kept(body, found) else set()
            case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
                found |= _read(one) if _written(target) in found else set()
            case _:
                found |= _read(one)
    return found


def _kept(statements: list[ast.stmt], live: set[str]) -> list[ast.stmt]:
    """The statements without those that write to other names, and without blocks that are empty so."""
    found: list[ast.stmt] = []
    for one in statements:
        match one:
            case ast.If(body=body, orelse=orelse):
                first, other = _kept(body, live), _kept(orelse, live)
                if first or other:
                    found.append(ast.If(one.test, first or [ast.Pass()], other))
            case ast.For(body=body):
                if inner := _kept(body, live):
                    found.append(ast.For(one.target, one.iter, inner, []))
            case ast.Assign(targets=[target]) | ast.AugAssign(target=target):
                found += [one] if _written(target) in live else []
            case _:
                found.append(one)
    return found


def _read(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _written(target: ast.expr) -> str:
    """The name, or the array, that an assignment writes to."""
    name = target.value if isinstance(target, ast.Subscript) else target
    return name.id if isinstance(name, ast.Name) else ""
