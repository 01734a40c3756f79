"""Reading the strategy language: text in, checked tree out, every error with its position.

    condition  := conjunction ("or" conjunction)*
    conjunction:= negation ("and" negation)*
    negation   := "not" negation | comparison
    comparison := sum ("crosses_above" | "crosses_below") sum | sum "between" sum "and" sum
                | sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)*      a < b < c means a < b and b < c
    sum        := product (("+" | "-") product)*
    product    := unary (("*" | "/") unary)*
    unary      := "-" unary | lagged
    lagged     := primary ("[" sum "]")*                                  close[1]: the previous bar's close
    primary    := number | name | name "(" [argument ("," argument)*] ")" | "(" condition ")"
                | "at" "(" timeframe "," condition ")"                    at("4h", rsi(close, 14))
    argument   := condition | name "=" condition                          those with a name last

Names are read in any case. A leading series may be left out where the function has a default for it
(`sma(20)` is `sma(close, 20)`), and so may the parentheses of a function whose arguments all have defaults
(`adx > 25`). Other informal forms are listed in `backtest.language.informal`.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NoReturn

from backtest.errors import ExpressionError
from backtest.language.entry import Argument
from backtest.language.functions import CLOCK, FUNCTIONS, KEYWORDS, SERIES, usage
from backtest.language.informal import formal
from backtest.language.phrases import HINTS, KEYWORDS_ELSEWHERE, Token
from backtest.language.timeframes import timeframe
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
    Parameter,
    Series,
    depth,
    show,
    walk,
)
from backtest.types import plain
from base.reasons import ReasonError

LONGEST_EXPRESSION = 2_000
DEEPEST_NESTING = 40
DEEPEST_TREE = 120
"""Levels of a tree: what is nested is deep, and so is `close[1][1]…`, `--…close` and `1 + 1 + …`."""

_KEPT_TREES = 256
OF_CODE = re.compile(r"\w+_[0-9a-f]{8}_(entry|exit)_\w+")
"""Names that `backtest.coded.taking` gives to what a strategy's code says."""

Kind = Literal["number", "series", "condition"]
KINDS = {
    "number": ReasonError("kind_number"),
    "whole": ReasonError("kind_whole"),
    "series": ReasonError("kind_series"),
    "condition": ReasonError("kind_condition"),
}
"""What a part is, or should be, in words."""

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*|%[kdrKDR]\b|&&?|\|\|?)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign><=|>=|==|!=|[-+*/<>()\[\],=%.≤≥≠×−])",
    re.ASCII,
)
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


@dataclass(frozen=True, slots=True)
class _Typed:
    """A node with what it stands for and where it began."""

    node: Node
    kind: Kind
    position: int


def _tokens(expression: str) -> list[Token]:
    found: list[Token] = []
    place = 0
    while place < len(expression):
        if expression[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(expression, place)
        if match is None:
            raise ExpressionError(
                "expression_syntax",
                expression=expression,
                position=place + 1,
                where=_before(expression[place]),
                expected="value",
            )
        kind = match.lastgroup or ""
        words = match.group()[1:-1] if kind == "text" else match.group().lower()
        words = words.lstrip("%") if kind == "name" else words
        found.append(Token(kind, words, place + 1))
        place = match.end()
    found.append(Token("end", "", len(expression) + 1))
    return found


def _joined(tokens: list[Token], own: Collection[str]) -> list[Token]:
    """`btc . close` as one name, where it is one."""
    found: list[Token] = []
    for token in tokens:
        if len(found) > 1 and found[-1].words == "." and token.kind == found[-2].kind == "name":
            whole = f"{found[-2].words}.{token.words}"
            if whole in own:
                found[-2:] = [Token("name", whole, found[-2].position)]
                continue
        found.append(token)
    return found


def _before(found: str) -> ReasonError:
    return ReasonError("before", found=found)


class _Parser:
    """Recursive descent over one expression; each method reads one rule of the grammar above."""

    def __init__(self, expression: str, names: frozenset[str], entry: bool, own: Mapping[str, str]) -> None:
        self.expression = expression
        self.names = names
        self.own = own
        self.tokens = formal(_joined(_tokens(expression), own), self.names | own.keys(), entry)
        self.place = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def error(self, code: str, position: int, **fields: str | int | ReasonError) -> NoReturn:
        raise ExpressionError(code, expression=self.expression, position=position, **fields)

    def unexpected(self, expected: str) -> NoReturn:
        token = self.token
        where = _before(token.words) if token.kind != "end" else ReasonError("at_the_end")
        self.error("expression_syntax", token.position, where=where, expected=expected)

    def accept(self, *words: str) -> Token | None:
        token = self.token
        if token.kind in ("sign", "name") and token.words in words:
            self.place += 1
            return token
        return None

    def expect(self, words: str) -> None:
        if self.accept(words) is None:
            self.unexpected(words)

    def need(self, part: _Typed, *kinds: Kind) -> Node:
        if part.kind not in kinds:
            self.error("expression_type", part.position, found=KINDS[part.kind], expected=KINDS[kinds[0]])
        return part.node

    def whole(self) -> _Typed:
        part = self.condition()
        if self.token.kind != "end":
            self.unexpected("operator")
        if depth(part.node) > DEEPEST_TREE:
            self.error("expression_too_long", part.position, limit=DEEPEST_TREE)
        return part

    def condition(self) -> _Typed:
        first = self.conjunction()
        parts = [first]
        while self.accept("or"):
            parts.append(self.conjunction())
        if len(parts) == 1:
            return first
        nodes: list[Node] = []
        for part in parts:
            node = self.need(part, "condition")
            nodes.extend(node.operands if isinstance(node, Or) else [node])
        return _Typed(Or(tuple(nodes)), "condition", first.position)

    def conjunction(self) -> _Typed:
        first = self.negation()
        parts = [first]
        while self.accept("and"):
            parts.append(self.negation())
        if len(parts) == 1:
            return first
        nodes: list[Node] = []
        for part in parts:
            node = self.need(part, "condition")
            nodes.extend(node.operands if isinstance(node, And) else [node])
        return _Typed(And(tuple(nodes)), "condition", first.position)

    def negation(self) -> _Typed:
        words = []
        while token := self.accept("not"):
            words.append(token)
        part = self.comparison()
        for token in reversed(words):
            part = _Typed(Not(self.need(part, "condition")), "condition", token.position)
        return part

    def comparison(self) -> _Typed:
        first = left = self.sum()
        if infix := self.infix(first):
            return infix
        links: list[Node] = []
        while token := self.accept(*_COMPARISONS):
            right = self.sum()
            if left.kind == right.kind == "number":
                self.error("expression_type", left.position, found=KINDS["number"], expected=KINDS["series"])
            links.append(
                Comparison(
                    token.words, self.need(left, "series", "number"), self.need(right, "series", "number")
                )
            )
            left = right
        if not links:
            return first
        return _Typed(links[0] if len(links) == 1 else And(tuple(links)), "condition", first.position)

    def infix(self, left: _Typed) -> _Typed | None:
        """`a crosses_above b` and `a between b and c`, the first sum read."""
        if token := self.accept("crosses_above", "crosses_below"):
            return self.call(token, [left, self.sum()], {})
        if self.token.words == "between" and "between" not in self.names and self.accept("between"):
            low = self.sum()
            self.expect("and")
            high = self.sum()
            middle = self.need(left, "series")
            return _Typed(
                And(
                    (
                        Comparison(">=", middle, self.need(low, "number", "series")),
                        Comparison("<=", middle, self.need(high, "number", "series")),
                    )
                ),
                "condition",
                left.position,
            )
        return None

    def arithmetic(self, token: Token, left: _Typed, right: _Typed) -> _Typed:
        node = Arithmetic(
            token.words, self.need(left, "series", "number"), self.need(right, "series", "number")
        )
        kind: Kind = "number" if left.kind == right.kind == "number" else "series"
        return _Typed(node, kind, left.position)

    def sum(self) -> _Typed:
        """Every rule that can stand inside itself does so by way of this one."""
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            self.error("expression_too_long", self.token.position, limit=DEEPEST_NESTING)
        left = self.product()
        while token := self.accept("+", "-"):
            left = self.arithmetic(token, left, self.product())
        self.depth -= 1
        return left

    def product(self) -> _Typed:
        left = self.unary()
        while token := self.accept("*", "/"):
            left = self.arithmetic(token, left, self.unary())
        return left

    def unary(self) -> _Typed:
        signs = []
        while token := self.accept("-"):
            signs.append(token)
        part = self.lagged()
        for token in reversed(signs):
            node = self.need(part, "series", "number")
            below: Node = Number(-node.value) if isinstance(node, Number) else Negative(node)
            part = _Typed(below, part.kind, token.position)
        return part

    def lagged(self) -> _Typed:
        part = self.primary()
        while token := self.accept("["):
            if part.kind == "number":
                self.error("expression_type", part.position, found=KINDS["number"], expected=KINDS["series"])
            bars = self.sum()
            node = self.need(bars, "number")
            if isinstance(node, Number):
                if node.value < 0:
                    self.error("negative_lag", token.position, lag=show(node))
                if node.value != int(node.value):
                    self.error("expression_type", bars.position, found=show(node), expected=KINDS["whole"])
            self.expect("]")
            part = _Typed(Lag(part.node, node), part.kind, part.position)
        return part

    def primary(self) -> _Typed:
        token = self.token
        if token.kind == "number":
            self.place += 1
            value = float(token.words)
            if not math.isfinite(value):
                self.error("expression_syntax", token.position, where=_before(token.words), expected="value")
            return _Typed(Number(float(plain(value))), "number", token.position)
        if token.kind == "name" and token.words not in KEYWORDS:
            self.place += 1
            return self.name(token)
        if self.accept("at"):
            return self.higher(token)
        if self.accept("("):
            part = self.condition()
            self.expect(")")
            return _Typed(part.node, part.kind, token.position)
        self.unexpected("value")

    def higher(self, token: Token) -> _Typed:
        """`at("4h", ...)`, the word `at` read."""
        self.expect("(")
        words = self.token
        if words.kind != "text":
            self.unexpected("timeframe")
        self.place += 1
        name = timeframe(words.words)
        if name is None:
            self.error("unknown_timeframe", words.position, name=words.words)
        self.expect(",")
        part = self.condition()
        self.expect(")")
        if part.kind == "number":
            self.error("expression_type", part.position, found=KINDS["number"], expected=KINDS["series"])
        if any(isinstance(below, At) for below in walk(part.node)):
            self.error("nested_timeframe", token.position)
        return _Typed(At(name, part.node), part.kind, token.position)

    def name(self, token: Token) -> _Typed:
        name = token.words
        if self.accept("("):
            if name not in FUNCTIONS:
                self.unknown(token, FUNCTIONS)
            return self.call(token, *self.arguments(token))
        if name in self.names:
            return _Typed(Parameter(name), "number", token.position)
        if name in self.own:
            return _Typed(Own(name, self.own[name]), "series", token.position)
        if self.token.words == "." and self.tokens[self.place + 1].kind == "name":
            whole = f"{name}.{self.tokens[self.place + 1].words}"
            self.error("undeclared_input", token.position, name=whole)
        if name in SERIES:
            return _Typed(Series(name), "series", token.position)
        if name in FUNCTIONS:
            return self.call(token, [], {})
        self.unknown(token, (*SERIES, *FUNCTIONS, *self.names, *self.own))

    def arguments(self, token: Token) -> tuple[list[_Typed], dict[str, _Typed]]:
        """Arguments by place, then by name, the opening parenthesis read."""
        given: list[_Typed] = []
        named: dict[str, _Typed] = {}
        if self.accept(")"):
            return given, named
        while True:
            key, after = self.token, self.tokens[min(self.place + 1, len(self.tokens) - 1)]
            if key.kind == "name" and after.kind == "sign" and after.words == "=":
                self.place += 2
                named[self.argument_name(token, key, named)] = self.condition()
            elif named:
                self.error("wrong_arguments", key.position, function=token.words, usage=usage(token.words))
            else:
                given.append(self.condition())
            if not self.accept(","):
                self.expect(")")
                return given, named

    def argument_name(self, token: Token, key: Token, named: Collection[str]) -> str:
        """What the function calls an argument that other libraries may call otherwise."""
        own = [argument.name for argument in FUNCTIONS[token.words].arguments]
        for name in (key.words, *KEYWORDS_ELSEWHERE.get(key.words, ())):
            if name in own and name not in named:
                return name
        self.error("wrong_arguments", key.position, function=token.words, usage=usage(token.words))

    def unknown(self, token: Token, known: Collection[str]) -> NoReturn:
        if OF_CODE.fullmatch(token.words):
            self.error("unknown_code", token.position, name=token.words)
        meant = HINTS.get(token.words, "")
        nearest = difflib.get_close_matches(token.words, sorted(known), n=1, cutoff=0.4)
        self.error(
            "unknown_name",
            token.position,
            name=token.words,
            nearest=meant if meant in known else nearest[0] if nearest else "close",
        )

    def call(self, token: Token, given: list[_Typed], named: Mapping[str, _Typed]) -> _Typed:
        name = token.words
        function = FUNCTIONS[name]
        wanted = function.arguments
        leading = wanted[0] if wanted else None
        if (
            leading is not None
            and leading.kind == "series"
            and leading.default is not None
            and leading.name not in named
            and (not given or given[0].kind == "number")
        ):
            given = [_Typed(leading.default, "series", token.position), *given]
        if len(given) > len(wanted) or any(one.name in named for one in wanted[: len(given)]):
            self.error("wrong_arguments", token.position, function=name, usage=usage(name))
        every = [*given, *named.values()]
        nodes: list[Node] = []
        for place, argument in enumerate(wanted):
            if place < len(given):
                nodes.append(self.argument(argument, given[place]))
            elif argument.name in named:
                nodes.append(self.argument(argument, named[argument.name]))
            elif argument.default is not None:
                nodes.append(argument.default)
            else:
                self.error("wrong_arguments", token.position, function=name, usage=usage(name))
        if (
            wanted
            and all(argument.kind == "operand" for argument in wanted)
            and all(part.kind == "number" for part in every)
        ):
            self.error("expression_type", every[0].position, found=KINDS["number"], expected=KINDS["series"])
        if function.window and every[-1].kind == "number" and self.column(nodes[0]):
            meant = show(Call(function.window, tuple(nodes)))
            self.error("window_meant", token.position, written=show(Call(name, tuple(nodes))), meant=meant)
        return _Typed(
            Call(name, tuple(nodes)), "condition" if function.condition else "series", token.position
        )

    @staticmethod
    def column(node: Node) -> bool:
        """Whether a value is a column of the prices: nobody compares one with a whole number of its own."""
        return isinstance(node, Series) and node.name not in CLOCK

    def argument(self, wanted: Argument, given: _Typed) -> Node:
        if wanted.kind in ("series", "condition"):
            return self.need(given, wanted.kind)
        if wanted.kind == "operand":
            return self.need(given, "series", "number")
        return self.need(given, "number")


def parse(
    expression: str,
    names: Collection[str] = (),
    *,
    entry: bool = True,
    own: Mapping[str, str] | None = None,
    kind: Kind = "condition",
) -> Node:
    """Read a condition, or the level of an order.

    Args:
        expression: its text.
        names: the parameters it may use, lower case.
        entry: whether it decides an entry: only there does `at entry` say nothing more.
        own: kinds of further series by name, lower case.
        kind: what it must be: a `condition`, or a `series`.

    Returns:
        A checked tree; values of periods and lags that depend on parameters are checked when these are bound.

    Raises:
        ExpressionError: `expression_syntax`, `expression_type`, `unknown_name`, `wrong_arguments`,
            `undeclared_input`, `negative_lag` or `expression_too_long`, each with the position from 1.
    """
    if len(expression) > LONGEST_EXPRESSION:
        raise ExpressionError(
            "expression_too_long",
            expression=f"{expression[:60]}…",
            position=LONGEST_EXPRESSION,
            limit=LONGEST_EXPRESSION,
        )
    return _parsed(expression, frozenset(names), entry, tuple(sorted((own or {}).items())), kind)


@lru_cache(maxsize=_KEPT_TREES)
def _parsed(
    expression: str, names: frozenset[str], entry: bool, own: tuple[tuple[str, str], ...], kind: Kind
) -> Node:
    """The frozen tree: a strategy is built anew with every change, and few of its conditions differ."""
    parser = _Parser(expression, names, entry, dict(own))
    part = parser.whole()
    return parser.need(part, kind)


def canonical_expression(expression: str, names: Collection[str] = ()) -> str:
    """A condition printed canonically: lower case, all arguments, as few parentheses as reading allows.

    The language is described in `docs/language.md`.

    Args:
        expression: the condition as written.
        names: the parameters it may use.

    Raises:
        ExpressionError: as `parse`.
    """
    return show(parse(expression, {name.lower() for name in names}))
