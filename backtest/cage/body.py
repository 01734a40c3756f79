"""What may stand in a function of the cage, statement by statement; all else is refused by its own reason.

Every name has one kind: `number`, `truth`, `bars` (how many there are), `length` (what is counted from it),
`input` (an array of prices) or `own` (an array that the function made). How long a history is decides where
loops end and how long arrays are, and nothing else: what is counted from the end would know the future.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NoReturn

from backtest.cage.errors import CodeError
from backtest.cage.vocabulary import CONSTANTS, FUNCTIONS, MAKERS, REASONS, TAKEN, TYPES, WINDOWS

MOST_LOOPS = 3
"""Loops inside one another."""

MOST_ARRAYS = 16
LARGEST_ARRAY = 10_000
"""Values of an array that is not as long as the prices."""

LARGEST_POWER = 8

RETURNED = (1, 2, 4)
"""Arrays that a function may return: a measure, or entry and exit of the long side, or of both sides."""

_STATEMENTS = {
    ast.While: "while",
    ast.FunctionDef: "inner_function",
    ast.AsyncFunctionDef: "waits",
    ast.AsyncFor: "waits",
    ast.AsyncWith: "waits",
    ast.ClassDef: "class",
    ast.Try: "exceptions",
    ast.TryStar: "exceptions",
    ast.Raise: "exceptions",
    ast.Assert: "exceptions",
    ast.With: "with",
    ast.Global: "global",
    ast.Nonlocal: "global",
    ast.Delete: "delete",
    ast.Match: "match",
    ast.AnnAssign: "annotation",
}
_EXPRESSIONS = {
    ast.Lambda: "inner_function",
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension",
    ast.Await: "waits",
    ast.Yield: "waits",
    ast.YieldFrom: "waits",
    ast.NamedExpr: "walrus",
    ast.List: "container",
    ast.Tuple: "container",
    ast.Set: "container",
    ast.Dict: "container",
    ast.JoinedStr: "text",
    ast.Starred: "starred",
}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COUNTING = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv)
_ARRAYS = ("input", "own")


def dotted(node: ast.expr) -> str | None:
    """`np.sqrt` of a call or an attribute; None where it is not a chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


class Body:
    """The check of one function's body.

    Args:
        function: its syntax.
        inputs: arguments that are arrays.
        parameters: the smallest value of each argument that is a number.
    """

    def __init__(
        self, function: ast.FunctionDef, inputs: tuple[str, ...], parameters: Mapping[str, float]
    ) -> None:
        self.function = function
        self.parameters = parameters
        self.kinds = {**dict.fromkeys(inputs, "input"), **dict.fromkeys(parameters, "number")}
        self.arguments = frozenset(self.kinds)
        self.known = set(self.kinds)
        self.loops = 0
        self.arrays = 0
        self.returned = 0

    def check(self) -> int:
        """Walk through it.

        Returns:
            How many arrays it returns.

        Raises:
            CodeError: the first thing that may not be there.
        """
        _, *body = self.function.body  # the first is the docstring
        if not body or not isinstance(body[-1], ast.Return):
            raise CodeError("no_return", name=self.function.name)
        self._block(body)
        used = {
            node.id
            for node in ast.walk(self.function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        if idle := sorted(self.kinds.keys() - used - self._counters()):
            raise CodeError("idle_argument" if idle[0] in self.arguments else "idle_name", name=idle[0])
        return self.returned

    def _counters(self) -> set[str]:
        """Names that loops count with: one that only repeats has no other use for them."""
        return {
            node.target.id
            for node in ast.walk(self.function)
            if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
        }

    def _block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._assign(target, value)
            case ast.Assign():
                self._refuse("several_targets", node)
            case ast.AugAssign(target=target, op=op, value=value):
                present = ast.copy_location(_loaded(target), target)
                self._assign(target, ast.copy_location(ast.BinOp(present, op, value), node))
            case ast.For():
                self._loop(node)
            case ast.If(test=test, body=body, orelse=orelse):
                self._truth(test)
                before = set(self.known)
                self._block(body)
                first = set(self.known) if not _leaves(body) else None
                self.known = before
                self._block(orelse)
                if first is not None:
                    self.known = first if orelse and _leaves(orelse) else self.known & first
            case ast.Return(value=value):
                self._return(node, value)
            case ast.Continue() | ast.Break() | ast.Pass():
                pass
            case ast.Expr(value=value):
                if type(value) in _EXPRESSIONS:
                    self._kind(value)
                if isinstance(value, ast.Call):
                    self._kind(value)
                self._refuse("without_effect", node)
            case _:
                self._refuse(_STATEMENTS.get(type(node), "statement"), node)

    def _return(self, node: ast.Return, value: ast.expr | None) -> None:
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(parts) not in RETURNED or any(one is None or self._kind(one) != "own" for one in parts):
            self._refuse("returns_other", node)
        names = [one.id for one in parts if isinstance(one, ast.Name)]
        if len(set(names)) < len(names) or self.returned not in (0, len(parts)):
            self._refuse("returns_twice", node)
        self.returned = len(parts)

    def _loop(self, node: ast.For) -> None:
        if node.orelse:
            self._refuse("loop_else", node)
        if not isinstance(node.target, ast.Name):
            self._refuse("several_targets", node)
        match node.iter:
            case ast.Call(func=ast.Name(id="range"), args=[_, *_] as given, keywords=[]) if len(given) <= 3:
                pass
            case ast.Call(func=function) if reason := REASONS.get(dotted(function) or ""):
                self._refuse(reason, node, name=ast.unparse(function))
            case _:
                self._refuse("not_a_range", node)
        ends = [self._kind(one) for one in given]
        if any(kind not in ("number", "bars", "length") for kind in ends):
            self._refuse("not_a_range", node)
        if len(given) == 3:
            step = _literal(given[2])
            if step is None or step == 0:
                self._refuse("loop_step", node)
            if step < 0 and ends[0] != "number":
                self._refuse("backwards", node)
        self.loops += 1
        if self.loops > MOST_LOOPS:
            self._refuse("loops_too_deep", node, limit=MOST_LOOPS)
        before = set(self.known)
        self._name(node.target, "number")
        self._block(node.body)
        self.known = before
        self.loops -= 1

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name():
                if target.id == self.function.name:
                    self._refuse("recursion", target, name=target.id)
                kind = self._kind(value)
                if self.kinds.get(target.id) == "input":
                    self._refuse("writes_prices", target, name=target.id)
                self._name(target, kind)
            case ast.Subscript(value=ast.Name(id=name) as array, slice=index):
                kind = self._named(array)
                if kind == "input":
                    self._refuse("writes_prices", target, name=name)
                if kind != "own":
                    self._refuse("no_array", target, name=name)
                self._index(index)
                self._number(value)
            case ast.Tuple() | ast.List() | ast.Starred():
                self._refuse("several_targets", target)
            case ast.Attribute():
                self._refuse("attribute", target, name=ast.unparse(target))
            case _:
                self._refuse("several_targets", target)

    def _name(self, target: ast.Name, kind: str) -> None:
        """A name takes a value: it keeps its kind for good."""
        name = target.id
        if name in TAKEN:
            self._refuse("taken_name", target, name=name)
        if name in self.arguments:
            self._refuse("changes_argument", target, name=name)
        if self.kinds.setdefault(name, kind) != kind:
            self._refuse("changes_kind", target, name=name)
        self.known.add(name)

    def _named(self, node: ast.Name) -> str:
        if node.id not in self.known:
            if node.id == self.function.name:
                self._refuse("recursion", node, name=node.id)
            if node.id in self.kinds:
                self._refuse("perhaps_unset", node, name=node.id)
            if reason := REASONS.get(node.id):
                self._refuse(reason, node, name=node.id)
            self._refuse("unknown_name", node, name=node.id)
        return self.kinds[node.id]

    def _kind(self, node: ast.expr) -> str:
        """The kind of an expression, everything in it checked."""
        match node:
            case ast.Constant(value=bool()):
                return "truth"
            case ast.Constant(value=int() | float()):
                return "number"
            case ast.Constant(value=str()):
                self._refuse("text", node)
            case ast.Name():
                return self._named(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._truth(operand)
                return "truth"
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                kind = self._kind(operand)
                return self._made(node) if kind in _ARRAYS else self._counted(kind, node)
            case ast.BinOp():
                return self._binary(node)
            case ast.BoolOp(values=values):
                for value in values:
                    self._truth(value)
                return "truth"
            case ast.Compare(left=left, ops=ops, comparators=others):
                if any(isinstance(op, ast.Is | ast.IsNot) for op in ops):
                    self._refuse("identity", node, name="is")
                if any(isinstance(op, ast.In | ast.NotIn) for op in ops):
                    self._refuse("operator", node)
                for one in (left, *others):
                    if self._kind(one) in _ARRAYS:
                        self._refuse("array_compared", node)
                return "truth"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._truth(test)
                kinds = {self._kind(body), self._kind(orelse)}
                if kinds & {*_ARRAYS} or len(kinds) > 1:
                    self._refuse("changes_kind", node, name=ast.unparse(node)[:60])
                return kinds.pop()
            case ast.Call():
                return self._call(node)
            case ast.Subscript():
                return self._element(node)
            case _:
                self._refuse(_EXPRESSIONS.get(type(node), "expression"), node)

    def _binary(self, node: ast.BinOp) -> str:
        if not isinstance(node.op, _OPERATORS):
            self._refuse("operator", node)
        kinds = self._kind(node.left), self._kind(node.right)
        if isinstance(node.op, ast.Pow):
            power = _literal(node.right)
            if power is None or abs(power) > LARGEST_POWER:
                self._refuse("power", node, limit=LARGEST_POWER)
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            divisor = _literal(node.right)
            if isinstance(node.right, ast.Name):
                divisor = self.parameters.get(node.right.id)
            if divisor is None or divisor <= 0:
                self._refuse("divisor", node)
        if {*kinds} & {*_ARRAYS}:
            if not {*kinds} <= {*_ARRAYS, "number"}:
                self._refuse("length_in_value", node)
            return self._made(node)
        if {*kinds} & {"bars", "length"}:
            if not isinstance(node.op, _COUNTING):
                self._refuse("length_in_value", node)
            return "length"
        return "number"

    def _counted(self, kind: str, node: ast.expr) -> str:
        return "length" if kind in ("bars", "length") else "number"

    def _made(self, node: ast.expr) -> str:
        """One more array."""
        if self.loops:
            self._refuse("array_in_loop", node)
        self.arrays += 1
        if self.arrays > MOST_ARRAYS:
            self._refuse("too_many_arrays", node, limit=MOST_ARRAYS)
        return "own"

    def _attribute(self, node: ast.Attribute) -> str:
        name = dotted(node)
        if name in CONSTANTS:
            return "number"
        if node.attr == "size" and self._kind(node.value) in _ARRAYS:
            return "bars" if self._kind(node.value) == "input" else "length"
        if reason := REASONS.get(name or ""):
            self._refuse(reason, node, name=str(name))
        self._refuse("attribute", node, name=ast.unparse(node)[:60])

    def _call(self, node: ast.Call) -> str:
        name = dotted(node.func)
        if name is None:
            if isinstance(node.func, ast.Attribute):
                self._refuse("method", node, name=node.func.attr)
            self._kind(node.func)
            self._refuse("called_value", node)
        if name == self.function.name:
            self._refuse("recursion", node, name=name)
        if node.keywords and not (name in MAKERS and all(_tells_type(one) for one in node.keywords)):
            self._refuse("named_argument", node, name=name)
        if name in WINDOWS and len(node.args) == 1 and isinstance(node.args[0], ast.Subscript):
            return self._window(node.args[0])
        if name == "len" and len(node.args) == 1:
            kind = self._kind(node.args[0])
            if kind not in _ARRAYS:
                self._refuse("arguments", node, name=name)
            return "bars" if kind == "input" else "length"
        if name in MAKERS:
            return self._maker(name, node)
        if name in FUNCTIONS:
            return self._function_of(name, node)
        if reason := REASONS.get(name):
            self._refuse(reason, node, name=name)
        base = name.partition(".")[0]
        if base in self.kinds:
            self._refuse("method" if "." in name else "called_value", node, name=name)
        self._refuse("unknown_function", node, name=name[:60])

    def _function_of(self, name: str, node: ast.Call) -> str:
        shape, fewest, most = FUNCTIONS[name]
        if not fewest <= len(node.args) <= most:
            self._refuse("arguments", node, name=name)
        kinds = [self._kind(one) for one in node.args]
        if {*kinds} & {*_ARRAYS}:
            if shape != "either":
                self._refuse("array_as_number", node, name=name)
            return self._made(node)
        if {*kinds} & {"bars", "length"}:
            if name not in ("min", "max", "int"):
                self._refuse("length_in_value", node)
            return "length"
        return "truth" if shape == "truth" else "number"

    def _maker(self, name: str, node: ast.Call) -> str:
        if len(node.args) != MAKERS[name]:
            self._refuse("arguments", node, name=name)
        size, *values = node.args
        for one in values:
            self._number(one)
        kind = self._kind(size)
        if name.endswith("_like"):
            if kind not in _ARRAYS:
                self._refuse("arguments", node, name=name)
        elif kind != "bars":
            literal = _literal(size)
            whole = isinstance(size, ast.Name) and size.id in self.parameters
            if not whole and not (isinstance(literal, int) and 0 < literal <= LARGEST_ARRAY):
                self._refuse("array_size", node, limit=LARGEST_ARRAY)
        return self._made(node)

    def _element(self, node: ast.Subscript) -> str:
        if not isinstance(node.value, ast.Name):
            match node.value:
                case ast.Attribute(attr="shape", value=array) if self._kind(array) == "input":
                    if _literal(node.slice) == 0:
                        return "bars"
            self._refuse("no_array", node, name=ast.unparse(node.value)[:60])
        if self._named(node.value) not in _ARRAYS:
            self._refuse("no_array", node, name=node.value.id)
        self._index(node.slice)
        return "number"

    def _index(self, node: ast.expr) -> None:
        if isinstance(node, ast.Slice):
            if node.step is not None:
                self._refuse("slice_step", node)
            self._refuse("slice_alone", node)
        if isinstance(node, ast.Tuple):
            self._refuse("index", node)
        literal = _literal(node)
        if literal is not None and literal < 0:
            self._refuse("from_the_end", node)
        match self._kind(node):
            case "number":
                if isinstance(literal, float):
                    self._refuse("index", node)
            case "bars" | "length":
                self._refuse("from_the_end", node)
            case _:
                self._refuse("index", node)

    def _window(self, node: ast.Subscript) -> str:
        if not isinstance(node.value, ast.Name) or self._named(node.value) not in _ARRAYS:
            self._refuse("no_array", node, name=ast.unparse(node.value)[:60])
        ends = node.slice
        if not isinstance(ends, ast.Slice):
            self._refuse("array_as_number", node, name=ast.unparse(node)[:60])
        if ends.step is not None:
            self._refuse("slice_step", node)
        if ends.lower is None or ends.upper is None:
            self._refuse("open_slice", node)
        for end in (ends.lower, ends.upper):
            self._index(end)
        return "number"

    def _number(self, node: ast.expr) -> None:
        """Refuse what cannot be an array's element."""
        match self._kind(node):
            case "number" | "truth":
                return
            case "bars" | "length":
                self._refuse("length_in_value", node)
            case _:
                self._refuse("array_as_number", node, name=ast.unparse(node)[:60])

    def _truth(self, node: ast.expr) -> None:
        if self._kind(node) not in ("truth", "number"):
            self._refuse("no_condition", node)

    def _refuse(self, code: str, node: ast.AST, **fields: str | int) -> NoReturn:
        raise CodeError(code, line=getattr(node, "lineno", self.function.lineno), **fields)


def _loaded(target: ast.expr) -> ast.expr:
    """What an augmented assignment reads."""
    match target:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value, index, ast.Load())
        case _:
            return target


def _tells_type(given: ast.keyword) -> bool:
    """Whether an argument says what an array is made of, which changes nothing: all hold floats."""
    return given.arg == "dtype" and dotted(given.value) in TYPES


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether nothing after a block is reached from it."""
    return isinstance(body[-1], ast.Return | ast.Continue | ast.Break)


def _literal(node: ast.expr) -> int | float | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand) if (positive := _literal(operand)) is not None:
            return -positive
        case _:
            return None
