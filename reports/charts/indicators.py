"""The indicators that a strategy reads, as series to draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd

from backtest.data.clock import Clock
from backtest.data.prices import read_further, read_prices
from backtest.engine.bank import IndicatorBank
from backtest.language.functions import FUNCTIONS
from backtest.language.tree import At, Call, Comparison, Node, Not, Series, children, show
from backtest.strategy import StrategySpec

_PRICES = frozenset({"open", "high", "low", "close", "typical"})


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One indicator over a price history.

    Attributes:
        label: as the strategy language writes it, parameters filled in.
        family: what it is drawn with, for example `macd` for line, signal and histogram.
        values: one a bar, NaN before the warm-up is over.
        on_price: it is a level of the price, drawn over the bars.
    """

    label: str
    family: str
    values: pd.Series
    on_price: bool


def strategy_indicators(prices: pd.DataFrame, spec: StrategySpec) -> list[Indicator]:
    """Every indicator of a strategy's conditions once, in the order in which they are read.

    Raises:
        PriceError: the prices are refused.
    """
    arrays, index = read_prices(prices)
    bank = IndicatorBank(arrays, Clock(index), partial(read_further, prices))
    found: dict[Node, None] = {}
    for tree in spec.bound_trees.values():
        found.update(dict.fromkeys(_indicators(tree)))
    return [
        Indicator(
            label=show(node),
            family=_family(node),
            values=pd.Series(bank.varying(node), index=index),
            on_price=_is_price(node),
        )
        for node in found
    ]


def _indicators(node: Node) -> Iterator[Node]:
    """The outermost indicators of a condition, but for those below a condition of a higher timeframe."""
    match node:
        case Call(function=function) if not FUNCTIONS[function].condition:
            yield node
        case At(operand=operand):
            if not _is_condition(operand):
                yield node
        case _:
            for child in children(node):
                yield from _indicators(child)


def _is_condition(node: Node) -> bool:
    match node:
        case Call(function=function):
            return FUNCTIONS[function].condition
        case Comparison() | Not():
            return True
        case _:
            return any(_is_condition(child) for child in children(node))


def _is_price(node: Node) -> bool:
    match node:
        case Series(name=name):
            return name in _PRICES
        case At(operand=operand):
            return _is_price(operand)
        case Call(function=function, arguments=arguments):
            kind, operands = FUNCTIONS[function].mirrored.kind, FUNCTIONS[function].operands
            follows = kind in ("alike", "joint") and all(_is_price(arguments[at]) for at in operands)
            return kind == "price" or follows
        case _:
            return False


def _family(node: Node) -> str:
    match node:
        case At(timeframe=timeframe, operand=operand):
            return f"{timeframe} {_family(operand)}"
        case Call(function=function):
            return FUNCTIONS[function].drawn_with
        case _:
            return show(node)
