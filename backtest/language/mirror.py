"""The mirror image of a condition: what it would say if prices were turned upside down.

A rule that buys strength sells weakness on its mirror image, with no parameter more. Reflected about A, a
price p becomes 2A - p: highs become lows, what crosses above crosses below, a band's upper line its lower
one. A move (`macd`, `zscore`, the difference of two prices) changes its sign, an oscillator of 0 to 100
becomes 100 less itself, and what tells sizes (`atr`, `adx`, `volume`, the hour) stays. Exact for all but
ratios to a price (`roc`, `percent_change`, `natr`), `mfi` and ties in `percentile_rank`, mirrored likewise.

What compares prices with anything but prices (`close > 100`, `close / open > 1.01`) has no mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    Parameter,
    Series,
    show,
)

_OTHER = {
    **{"<": ">", ">": "<", "<=": ">=", ">=": "<=", "high": "low", "low": "high"},
    **{name: entry.mirrored.opposite for name, entry in FUNCTIONS.items() if entry.mirrored.opposite},
}


@dataclass(frozen=True, slots=True)
class _Value:
    """What a value becomes: `2A · weight + total - node` if it is odd, else `node` itself."""

    node: Node
    odd: bool = False
    weight: float = 0.0
    total: float = 0.0

    @property
    def move(self) -> bool:
        """Whether it only changes its sign."""
        return self.odd and self.weight == 0.0 and self.total == 0.0


def mirror(node: Node) -> Node:
    """The mirror image of a condition; the image of the image holds where the condition does.

    Raises:
        ExpressionError: `no_mirror`, with the part that has none.
    """
    match node:
        case And(operands=operands):
            return And(tuple(mirror(operand) for operand in operands))
        case Or(operands=operands):
            return Or(tuple(mirror(operand) for operand in operands))
        case Not(operand=operand):
            return Not(mirror(operand))
        case At(timeframe=timeframe, operand=operand):
            return At(timeframe, mirror(operand))
        case Lag(operand=operand, bars=bars):
            return Lag(mirror(operand), bars)
        case Comparison(operator=operator, left=left, right=right):
            first, second, turned = _sides(node, left, right)
            return Comparison(_OTHER.get(operator, operator) if turned else operator, first, second)
        case Call(function="crosses_above" | "crosses_below" as function, arguments=(left, right)):
            first, second, turned = _sides(node, left, right)
            return Call(_OTHER[function] if turned else function, (first, second))
        case Call(function="rising" | "falling" as function, arguments=(series, period)):
            value = _value(series)
            return Call(_OTHER[function] if value.odd else function, (value.node, period))
    raise ExpressionError("no_mirror", expression=show(node))


def mirrored_level(node: Node) -> Node:
    """The mirror image of a price level: what reaches it from below reaches its image from above.

    Raises:
        ExpressionError: `no_mirror`: it is no price, or moves with prices otherwise than they do.
    """
    value = _value(node)
    if not value.odd or abs(value.weight - 1.0) > 1e-9:
        raise ExpressionError("no_mirror", expression=show(node))
    return _plus(value.node, -value.total)


def _sides(node: Node, left: Node, right: Node) -> tuple[Node, Node, bool]:
    """Both sides of a comparison, and whether it turns round."""
    first, second = _value(left), _value(right)
    if not first.odd and not second.odd:
        return first.node, second.node, False
    if abs(first.weight - second.weight) > 1e-9:
        raise ExpressionError("no_mirror", expression=show(node))
    if first.odd and second.odd:
        gap = first.total - second.total
        return first.node, _plus(second.node, gap), True
    if first.odd:
        return first.node, _less(first.total, second.node), True
    return _less(second.total, first.node), second.node, True


def _value(node: Node) -> _Value:
    match node:
        case Number() | Parameter():
            return _Value(node)
        case Own(kind=kind):
            if kind == "none":
                raise ExpressionError("no_mirror", expression=show(node))
            share, price = kind == "share", kind == "price"
            return _Value(node, kind != "size", 1.0 if price else 0.0, 100.0 if share else 0.0)
        case Series(name=name):
            if name == "volume" or name in CLOCK:
                return _Value(node)
            return _Value(Series(_OTHER.get(name, name)), odd=True, weight=1.0)
        case Lag(operand=operand, bars=bars):
            found = _value(operand)
            return _Value(Lag(found.node, bars), found.odd, found.weight, found.total)
        case At(timeframe=timeframe, operand=operand):
            found = _value(operand)
            return _Value(At(timeframe, found.node), found.odd, found.weight, found.total)
        case Negative(operand=operand):
            found = _value(operand)
            return _Value(_less(0.0, found.node), found.odd, -found.weight, -found.total)
        case Arithmetic(operator="+" | "-" as operator, left=left, right=right):
            return _sum(operator, _value(left), _value(right))
        case Arithmetic(operator=operator, left=left, right=right):
            return _product(node, operator, _value(left), _value(right))
        case Call():
            return _call(node)
    raise ExpressionError("no_mirror", expression=show(node))


def _sum(operator: str, first: _Value, second: _Value) -> _Value:
    sign = 1.0 if operator == "+" else -1.0
    if first.odd == second.odd:
        return _Value(
            Arithmetic(operator, first.node, second.node),
            first.odd,
            first.weight + sign * second.weight,
            first.total + sign * second.total,
        )
    if first.odd:
        # 2Aw + t - n ± e is 2Aw + t - (n ∓ e).
        turned = Arithmetic("-" if operator == "+" else "+", first.node, second.node)
        return _Value(turned, True, first.weight, first.total)
    # e ± (2Aw + t - n) is ±2Aw ± t - (±n - e).
    if operator == "+":
        return _Value(Arithmetic("-", second.node, first.node), True, second.weight, second.total)
    both = _less(0.0, Arithmetic("+", second.node, first.node))
    return _Value(both, True, -second.weight, -second.total)


def _product(node: Node, operator: str, first: _Value, second: _Value) -> _Value:
    result = Arithmetic(operator, first.node, second.node)
    if not first.odd and not second.odd:
        return _Value(result)
    if first.move and second.move:
        return _Value(result)
    if (first.move and not second.odd) or (operator == "*" and second.move and not first.odd):
        return _Value(result, odd=True)
    odd, factor = (first, second.node) if first.odd else (second, first.node)
    scaled = operator == "*" or odd is first
    if isinstance(factor, Number) and factor.value and scaled:
        times = factor.value if operator == "*" else 1.0 / factor.value
        return _Value(result, True, odd.weight * times, odd.total * times)
    raise ExpressionError("no_mirror", expression=show(node))


def _call(node: Call) -> _Value:
    entry = FUNCTIONS[node.function]
    image, operands = entry.mirrored, [_value(node.arguments[at]) for at in entry.operands]
    inside = [operand.node for operand in operands]
    odd = [operand for operand in operands if operand.odd]
    of = _Value(node)  # what it takes its form from, if it is of a series
    weight = total = 0.0
    if image.kind == "joint" and odd:
        weight, total = odd[0].weight, odd[0].total
        if any(abs(one.weight - weight) > 1e-9 for one in operands):
            raise ExpressionError("no_mirror", expression=show(node))
        inside = [
            _plus(one.node, total - one.total) if one.odd else _less(total, one.node) for one in operands
        ]
    elif operands:
        of = operands[0]
    if operands and not odd:
        return _Value(_with(node, inside))
    turned = _with(node, inside, turned=True)
    match image.kind:
        case "inside":
            return _Value(turned)
        case "price":
            return _Value(turned, odd=True, weight=1.0)
        case "alike":
            return _Value(turned, True, of.weight, of.total)
        case "joint":
            return _Value(turned, True, weight, total)
        case "product":
            return _Value(turned, odd=len(odd) % 2 == 1)
        case "sum" if of.move:
            return _Value(turned, odd=True)
        case "sum":
            if isinstance(count := node.arguments[-1], Number):
                return _Value(turned, True, of.weight * count.value, of.total * count.value)
        case "magnitude" if of.move:
            return _Value(turned)
        case "move":
            return _Value(turned, odd=True)
        case "share":
            return _Value(turned, odd=True, total=image.total)
        case "size":
            return _Value(turned)
    raise ExpressionError("no_mirror", expression=show(node))


def _with(node: Call, inside: list[Node], *, turned: bool = False) -> Call:
    """The call of other series, conditions mirrored; `turned`, as the opposite function with its numbers."""
    series = dict(zip(FUNCTIONS[node.function].operands, inside, strict=True))
    found: list[Node] = []
    for at, (wanted, given) in enumerate(
        zip(FUNCTIONS[node.function].arguments, node.arguments, strict=True)
    ):
        if wanted.kind == "condition":
            found.append(mirror(given))
        elif wanted.turns is not None and turned:
            found.append(_less(wanted.turns, given))
        else:
            found.append(series.get(at, given))
    return Call(_OTHER.get(node.function, node.function) if turned else node.function, tuple(found))


def _less(total: float, node: Node) -> Node:
    """`total - node`, without two minuses in a row."""
    match node:
        case Number(value=value):
            return Number(total - value)
        case Negative(operand=operand):
            return operand if total == 0.0 else Arithmetic("+", Number(total), operand)
        case Arithmetic(operator="-", left=Number(value=value), right=right) if value == total:
            return right
        case Arithmetic(operator="+", left=Number(value=value), right=right) if value == total:
            return Negative(right)
    return Negative(node) if total == 0.0 else Arithmetic("-", Number(total), node)


def _plus(node: Node, gap: float) -> Node:
    return node if gap == 0.0 else Arithmetic("+", node, Number(gap))
