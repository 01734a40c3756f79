"""Which known indicator a new one is most like: a new name is no new information.

Both are compared on one made-up history. Values in units of the price are compared by their distance from the
close, as a share of it: two averages of a price move together anyway. What counts is the larger of the two
correlations of values and of ranks, whatever its sign, so that neither a factor nor a curve hides a likeness.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from backtest.cage import histories
from backtest.cage.errors import CodeError
from backtest.cage.trying import Examined
from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine.bank import IndicatorBank
from backtest.kernels.indicators import Floats
from backtest.language.entry import Argument
from backtest.language.functions import FUNCTIONS, SERIES
from backtest.language.tree import Call, Node, Number, Series, show

MOST = 0.99
"""A correlation above it is a likeness."""

_PERIODS = (10.0, 14.0, 20.0, 50.0)
_SAME = 1e-9
_FEWEST = 200
"""Bars that two series must both know."""


def require_new(examined: Examined) -> tuple[str, float]:
    """The known indicator that a new one is most like, and their correlation.

    Raises:
        CodeError: `duplicate`: above `MOST`.
    """
    prices = histories.walk()
    price = examined.measured["price_power"] == 1
    own = _compared(examined.values, prices.close, price)
    if price and np.nanmax(np.abs(own)) < _SAME:
        raise CodeError("duplicate", known="close", correlation=1.0)
    nearest, most = "–", 0.0
    for known, values in known_series(examined, prices):
        found = likeness(own, _compared(values, prices.close, price))
        if found > most:
            nearest, most = known, found
    if most > MOST:
        raise CodeError("duplicate", known=nearest, correlation=round(most, 4))
    return nearest, most


def known_series(examined: Examined, prices: histories.History) -> Iterator[tuple[str, Floats]]:
    """Columns and functions of the language as usual, and with the periods of the new one."""
    times = pd.date_range("2020-01-01", periods=prices.close.size, freq="1h")
    columns = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    bank = IndicatorBank(PriceArrays(*columns), Clock(times))
    lengths = {*_PERIODS, *(one.default for one in examined.source.parameters if one.whole)}
    calls: list[Node] = [Series(name) for name in SERIES]
    for name, entry in FUNCTIONS.items():
        if entry.condition or name == examined.source.name:
            continue
        if any(one.kind == "condition" for one in entry.arguments):
            continue
        periods = [one for one in entry.arguments if one.kind == "period"]
        tried = sorted(lengths) if len(periods) == 1 else []
        for length in (None, *tried):
            calls.append(Call(name, tuple(_given(one, length) for one in entry.arguments)))
    for node in dict.fromkeys(calls):
        yield show(node), bank.varying(node)


def likeness(one: Floats, other: Floats) -> float:
    """The larger of the correlations of values and of ranks, without signs; 0 where few bars are known."""
    both = ~(np.isnan(one) | np.isnan(other))
    first, second = one[both], other[both]
    if first.size < _FEWEST:
        return 0.0
    return max(_correlation(first, second), _correlation(_ranks(first), _ranks(second)))


def _correlation(one: Floats, other: Floats) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return abs(float(first @ second)) / size if size > 0.0 else 0.0


def _ranks(values: Floats) -> Floats:
    """Ranks, equal values sharing the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: Floats = (ends - (counts - 1) / 2.0)[where]
    return found


def _compared(values: Floats, close: Floats, price: bool) -> Floats:
    return values / close - 1.0 if price else values


def _given(argument: Argument, length: float | None) -> Node:
    match argument.kind:
        case "period":
            if length is None:
                return argument.default or Number(14.0)
            return Number(min(max(length, argument.low), argument.high or length))
        case "number":
            return argument.default or Number(1.0)
        case _:
            return argument.default or Series("close")
