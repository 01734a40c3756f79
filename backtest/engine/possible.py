"""Which combinations of a grid leave a condition that can never be true, without asking of each one.

Whether a condition can be true depends on its numbers only by their order and by which of them are equal
(`backtest.language.contradiction`). Where that is the same at all corners of a box of the grid, it is so
inside, for differences of such numbers change evenly along each axis: one question answers for the whole box.
Other boxes are cut in two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from backtest.errors import ExpressionError
from backtest.language.contradiction import bounds, check_possible
from backtest.language.functions import CLOCK, FUNCTIONS
from backtest.language.tree import (
    Arithmetic,
    Call,
    Lag,
    Negative,
    Node,
    Number,
    bind,
    children,
    parameters,
    walk,
)

# Ends of what values cannot leave, those of hours and days too; 0 also tells signs.
_RANGES = [entry.bounds for entry in FUNCTIONS.values()]
_FINITE = {end for held in _RANGES for end in (held.low, held.high) if math.isfinite(end)}
_ENDS = sorted({0.0, *_FINITE, *(end for ends in CLOCK.values() for end in ends)})

Place = tuple[int, ...]
Order = tuple[tuple[int, ...], ...]


def never_true(
    tree: Node, params: Mapping[str, float], axes: Mapping[str, Sequence[float]]
) -> NDArray[np.bool_]:
    """For each combination of some values whether the condition is then refused as `never_true`.

    Args:
        tree: a condition, its parameters unbound.
        params: values of its parameters; those of `axes` take their place.
        axes: values by name.

    Returns:
        One truth a combination, the last name fastest; false where the condition cannot be bound.
    """
    if not axes:
        return np.zeros(1, dtype=np.bool_)  # a strategy that could never trade is not made
    ordered = {name: np.unique(np.array(values, dtype=np.float64)) for name, values in axes.items()}
    places = [np.searchsorted(ordered[name], values) for name, values in axes.items()]
    orders: dict[Place, tuple[Node, Order] | None] = {}

    def order_at(place: Place) -> tuple[Node, Order] | None:
        if place not in orders:
            values = {name: float(one[at]) for (name, one), at in zip(ordered.items(), place, strict=True)}
            try:
                bound = bind(tree, {**params, **values})
            except ExpressionError:
                orders[place] = None
            else:
                orders[place] = bound, _order(bound)
        return orders[place]

    table = np.zeros(tuple(one.size for one in ordered.values()), dtype=np.bool_)
    uneven = _uneven(tree)
    boxes = [
        tuple(box)
        for box in product(
            *(
                [(at, at) for at in range(one.size)] if name in uneven else [(0, one.size - 1)]
                for name, one in ordered.items()
            )
        )
    ]
    while boxes:
        box = boxes.pop()
        corners = [order_at(place) for place in product(*(sorted({*ends}) for ends in box))]
        first = corners[0]
        if first is not None and all(one is not None and one[1] == first[1] for one in corners):
            if not _possible(first[0]):
                table[tuple(slice(low, high + 1) for low, high in box)] = True
            continue
        widest = max(range(len(box)), key=lambda axis: box[axis][1] - box[axis][0])
        low, high = box[widest]
        if low < high:
            middle = (low + high) // 2
            for half in ((low, middle), (middle + 1, high)):
                boxes.append((*box[:widest], half, *box[widest + 1 :]))
    found: NDArray[np.bool_] = table[np.ix_(*places)].reshape(-1)
    return found


def _possible(bound: Node) -> bool:
    try:
        check_possible(bound)
    except ExpressionError:
        return False
    return True


def _uneven(tree: Node) -> set[str]:
    """Parameters along which differences need not change evenly: lags add up, quotients and squares bend."""
    found: set[str] = set()
    for node in walk(tree):
        match node:
            case Lag(bars=bars):
                found |= parameters(bars)
            case Arithmetic(operator="/", right=right):
                found |= parameters(right)
            case Arithmetic(operator="*", left=left, right=right):
                found |= parameters(left) & parameters(right)
    return found


def _order(bound: Node) -> Order:
    """How the numbers of a bound condition stand to each other, among those that may be compared."""
    slots: dict[tuple[str, int], list[float]] = {}
    for slot, value in _numbers(bound, ("", 0)):
        slots.setdefault(slot, []).append(value)
    found = []
    for slot, values in slots.items():
        values += _ENDS if slot == ("", 0) else (0.0,)
        ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
        found.append(tuple(ranks[value] for value in values))
    return tuple(found)


def _numbers(node: Node, slot: tuple[str, int]) -> Iterator[tuple[tuple[str, int], float]]:
    """A bound tree's numbers, and ends of the ranges of what is reckoned with them, by where they stand."""
    match node:
        case Number(value=value):
            yield slot, value
        case Call(function=function, arguments=arguments):
            for at, argument in enumerate(arguments):
                yield from _numbers(argument, (function, at))
        case Lag(operand=operand, bars=bars):
            yield from _numbers(operand, ("", 0))
            yield from _numbers(bars, ("[]", 0))
        case _:
            if isinstance(node, Arithmetic | Negative):
                for end in bounds(node):
                    yield ("", 0), end if math.isfinite(end) else 0.0
            for child in children(node):
                yield from _numbers(child, ("", 0))
