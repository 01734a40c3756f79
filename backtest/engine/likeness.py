"""Which known indicator, or strategy, a new one is most like: a new name is no new information.

Both are compared on one made-up history. Values in units of the price are compared by their distance from the
close, as a share of it: two averages of a price move together anyway. What counts is the larger of the two
correlations of values and of ranks, whatever its sign, so that neither a factor nor a curve hides a likeness.
Strategies are compared by the positions that signals lead to, with the presets and those of the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.cage import histories
from backtest.cage.compiled import compiled
from backtest.cage.errors import CodeError
from backtest.cage.honesty import values_of
from backtest.cage.source import PLACES, Source
from backtest.cage.trying import Examined
from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine.adopted import all_adopted
from backtest.engine.bank import IndicatorBank
from backtest.errors import BacktestError
from backtest.kernels.indicators import Floats
from backtest.language.entry import Argument
from backtest.language.functions import FUNCTIONS, SERIES
from backtest.language.tree import Call, Node, Number, Series, show
from backtest.presets import PRESETS
from backtest.strategy import StrategySpec

MOST = 0.99
"""A correlation above it is a likeness."""

_PERIODS = (10.0, 14.0, 20.0, 50.0)
_SAME = 1e-9
_FEWEST = 200
"""Bars that two series must both know."""


def require_new(examined: Examined) -> tuple[str, float]:
    """The known indicator, or strategy, that a new one is most like, and their correlation.

    Raises:
        CodeError: `duplicate`: above `MOST`.
    """
    prices = histories.walk()
    price = examined.measured["price_power"] == 1
    own = telling(examined.source, examined.values)
    if price:
        own = _distance(own, prices.close)
        if np.nanmax(np.abs(own)) < _SAME:
            raise CodeError("duplicate", known="close", correlation=1.0)
    nearest, most = "–", 0.0
    every = known_positions if examined.source.places else known_series
    for known, values in every(examined, prices):
        found = likeness(own, _distance(values, prices.close) if price else values)
        if found > most:
            nearest, most = known, found
    if most > MOST:
        raise CodeError("duplicate", known=nearest, correlation=round(most, 4))
    return nearest, most


def known_series(examined: Examined, prices: histories.History) -> Iterator[tuple[str, Floats]]:
    """Columns and functions of the language as usual, and with the periods of the new one."""
    bank = _bank(prices)
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


def known_positions(examined: Examined, prices: histories.History) -> Iterator[tuple[str, Floats]]:
    """Positions of the presets, as usual and with the new one's numbers, and of the library's strategies."""
    bank = _bank(prices)
    own = [one.default for one in examined.source.parameters]
    for name in PRESETS:
        usual = StrategySpec.preset(name)
        for spec in (usual, _with_numbers(usual, own)):
            signals = {place: bank.truth(tree) for place, tree in spec.bound_trees.items() if place in PLACES}
            numbers = ", ".join(f"{value:.12g}" for value in spec.params.values())
            yield f"{name}({numbers})", held(signals)
    for source, *_ in all_adopted():
        if source.places and source.name != examined.source.name:
            values = values_of(source, compiled(source), prices.columns(source.inputs), {})
            yield source.name, telling(source, values)


def _with_numbers(spec: StrategySpec, numbers: Sequence[float]) -> StrategySpec:
    """A preset with other numbers in its first parameters; as it is where they do not fit."""
    try:
        return spec.evolve(params=dict(zip(spec.params, numbers, strict=False)))
    except BacktestError:
        return spec


def telling(source: Source, values: Floats) -> Floats:
    """The series by which a function is compared: an indicator's values, a strategy's positions.

    Args:
        source: the function.
        values: what it gives, as `honesty.values_of` does.
    """
    if not source.places:
        return values
    return held(dict(zip(source.places, values > 0.0, strict=True)))


def held(signals: Mapping[str, NDArray[np.bool_]]) -> Floats:
    """The position after each bar that signals alone lead to, as the engine reads them: 1, -1 or 0."""
    size = len(next(iter(signals.values())))
    never = np.zeros(size, dtype=np.bool_)
    places = [signals.get(place, never).tolist() for place in PLACES]
    found, side = np.zeros(size), 0
    for bar, (enters, leaves, shorts, covers) in enumerate(zip(*places, strict=True)):
        wanted = int(enters and not leaves) - int(shorts and not covers)
        if wanted or (leaves if side > 0 else covers):
            side = wanted
        found[bar] = side
    return found


def _bank(prices: histories.History) -> IndicatorBank:
    times = pd.date_range("2020-01-01", periods=prices.close.size, freq="1h")
    columns = (prices.open, prices.high, prices.low, prices.close, prices.volume)
    return IndicatorBank(PriceArrays(*columns), Clock(times))


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


def _distance(values: Floats, close: Floats) -> Floats:
    return values / close - 1.0


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
