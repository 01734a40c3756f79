"""A condition of the strategy language in the reader's words: "close is above highest value over 20 bars"."""

from __future__ import annotations

from backtest.language.functions import FUNCTIONS
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
)
from reports.words import WordsLike

_COMPARISONS = {
    "<": "less",
    "<=": "at_most",
    ">": "more",
    ">=": "at_least",
    "==": "equal",
    "!=": "unequal",
}
_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷"}
_CROSSINGS = ("crosses_above", "crosses_below")


def in_words(node: Node, words: WordsLike) -> str:
    """A condition or a value, its functions by what readers call them.

    Args:
        node: a checked tree; with bound parameters their values are told, otherwise their names.
        words: language.
    """

    def told(inner: Node) -> str:
        return in_words(inner, words)

    def inside(inner: Node) -> str:
        """A part of several, in parentheses where it would be read wrongly without."""
        joined = isinstance(inner, And | Or | Arithmetic)
        return words("condition.group", condition=told(inner)) if joined else told(inner)

    match node:
        case Number(value=value):
            return words.short(value)
        case Own(name=name) | Parameter(name=name):
            return name
        case Series(name=name):
            return words(f"condition.series.{name}")
        case Call():
            return _call(node, words)
        case Lag(operand=operand, bars=bars):
            return words("condition.lag", value=inside(operand), count=told(bars))
        case At(timeframe=timeframe, operand=operand):
            return words("condition.at", value=inside(operand), timeframe=timeframe)
        case Negative(operand=operand):
            return f"−{inside(operand)}"
        case Arithmetic(operator=operator, left=left, right=right):
            return f"{inside(left)} {_SIGNS[operator]} {inside(right)}"
        case Comparison(operator=operator, left=left, right=right):
            key = f"condition.comparison.{_COMPARISONS[operator]}"
            return words(key, left=told(left), right=told(right))
        case Not(operand=operand):
            return words("condition.not", condition=words("condition.group", condition=told(operand)))
        case And(operands=operands) | Or(operands=operands):
            key = "condition.and" if isinstance(node, And) else "condition.or"
            first, *others = (inside(one) if isinstance(one, And | Or) else told(one) for one in operands)
            for other in others:
                first = words(key, left=first, right=other)
            return first


def function_label(name: str, words: WordsLike) -> str:
    """What readers call a function."""
    label = FUNCTIONS[name].label
    assert label is not None, "every entry has one"
    return label.fr if words.language == "fr" else label.en


def _call(call: Call, words: WordsLike) -> str:
    """A function with its numbers, and with the series it is of, where that is not the usual one."""
    entry, name = FUNCTIONS[call.function], function_label(call.function, words)
    parts = [in_words(argument, words) for argument in call.arguments]
    if call.function in _CROSSINGS:
        return words("condition.crossing", left=parts[0], name=name, right=parts[1])
    if call.function == "if":
        return words("condition.choice", condition=parts[0], left=parts[1], right=parts[2])
    kinds = [argument.kind for argument in entry.arguments]
    lone = [place for place, kind in enumerate(kinds) if kind in ("period", "number")]
    if entry.condition:
        name, rest = words("condition.trend", value=parts[0], name=name), []
    else:
        unusual = [
            given != argument.default for given, argument in zip(call.arguments, entry.arguments, strict=True)
        ]
        rest = [place for place, kind in enumerate(kinds) if kind != "series" or unusual[place]]
    if len(lone) == 1 and entry.arguments[lone[0]].name == "period":
        name = words("condition.over", name=name, count=parts[lone[0]])
        rest = [place for place in rest if place not in lone]
    if not rest:
        return name
    chosen = [parts[place] for place in rest]
    between = "; " if any("," in part for part in chosen) else ", "  # decimals of a reader's language
    return words("condition.of", name=name, arguments=between.join(chosen))
