"""The strategy language: canonical form, errors with their position, and its truth, bar by bar."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestError, StrategySpec, canonical_expression
from backtest.data.arrays import PriceArrays
from backtest.engine.bank import IndicatorBank
from backtest.language.functions import reserved, warm_up
from backtest.language.parser import parse
from backtest.language.tree import (
    And,
    Arithmetic,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Series,
    bind,
    show,
)
from base.errors import Language
from tests.laws import cases

CANONICAL = {
    "RSI<30": "rsi(close, 14) < 30",
    "ADX > 25": "adx(14) > 25",
    "EMA(50) > EMA(200)": "ema(close, 50) > ema(close, 200)",
    "Close>Open AND NOT close<open": "close > open and not (close < open)",
    "((close)) > (1.50)": "close > 1.5",
    "close > 1e2": "close > 100",
    "30 < rsi < 70": "30 < rsi(close, 14) and rsi(close, 14) < 70",
    "close - (open - low) > 0": "close - (open - low) > 0",
    "(close - open) - low > 0": "close - open - low > 0",
    "close * (open + low) > 0": "close * (open + low) > 0",
    "-close[1] < --2": "-close[1] < 2",
    "(close + open)[2] > 1": "(close + open)[2] > 1",
    "(close > open)[1]": "(close > open)[1]",
    "close > open and (low > 1 and high > 2)": "close > open and low > 1 and high > 2",
    "close > open and (low > 1 or high > 2)": "close > open and (low > 1 or high > 2)",
    "close > open or low > 1 and high > 2": "close > open or low > 1 and high > 2",
    "crosses_above(close, 100)[1]": "crosses_above(close, 100)[1]",
    "macd > macd_signal": "macd(close, 12, 26, 9) > macd_signal(close, 12, 26, 9)",
    "close < bollinger_lower(20)": "close < bollinger_lower(close, 20, 2)",
    "rising(close)": "rising(close, 1)",
    "sma(close, n*2) > N": "sma(close, n * 2) > n",
}


@pytest.mark.parametrize("expression", CANONICAL)
def test_canonical_form(expression: str) -> None:
    found = canonical_expression(expression, ["n"])
    assert found == CANONICAL[expression]
    assert canonical_expression(found, ["n"]) == found


REFUSED = {
    "close >": ("expression_syntax", 8),
    "": ("expression_syntax", 1),
    "close > 3 $": ("expression_syntax", 11),
    "close = 3": ("expression_syntax", 7),
    "(close > 3": ("expression_syntax", 11),
    "close > 3)": ("expression_syntax", 10),
    "close > 2n": ("expression_syntax", 10),
    "close > 1e999": ("expression_syntax", 9),
    "and close > 1": ("expression_syntax", 1),
    "close > clsoe": ("unknown_name", 9),
    "smaa(close, 5) > 1": ("unknown_name", 1),
    "close(3) > 1": ("unknown_name", 1),
    "close > sma(close)": ("wrong_arguments", 9),
    "close > sma()": ("wrong_arguments", 9),
    "close > rsi(close, 3, 4)": ("wrong_arguments", 9),
    "close > close[-1]": ("negative_lag", 14),
    "close > close[1.5]": ("expression_type", 15),
    "close > close[open]": ("expression_type", 15),
    "close > sma(close, open)": ("expression_type", 20),
    "close": ("expression_type", 1),
    "3 > 2": ("expression_type", 1),
    "close and open > 1": ("expression_type", 1),
    "not close": ("expression_type", 5),
    "(close > 1) + 2 > 1": ("expression_type", 1),
    "(close > 1) > (open > 1)": ("expression_type", 1),
    "crosses_above(1, 2)": ("expression_type", 15),
    "sma(close > 1, 5) > 1": ("expression_type", 5),
    "3[1] > close": ("expression_type", 1),
    "(" * 60 + "close > 1" + ")" * 60: ("expression_too_long", 41),
    "close > 1 and " * 200 + "close > 1": ("expression_too_long", 2000),
}


@pytest.mark.parametrize("expression", REFUSED, ids=lambda text: text[:30] or "empty")
def test_refused_with_position(expression: str) -> None:
    with pytest.raises(BacktestError) as caught:
        canonical_expression(expression)
    assert (caught.value.code, caught.value.fields["position"]) == REFUSED[expression]


FOREIGN = {"fr": "number|series|condition (true|whole", "en": "nombre|série|vrai|entier"}


@pytest.mark.parametrize("language", FOREIGN)
def test_a_wrong_kind_is_told_in_the_readers_language(language: Language) -> None:
    for expression in (one for one, (code, _) in REFUSED.items() if code == "expression_type"):
        with pytest.raises(BacktestError) as caught:
            canonical_expression(expression)
        told = caught.value.sentence(language).removesuffix(expression)
        assert not [word for word in FOREIGN[language].split("|") if word in told], told


def test_an_unknown_name_is_given_its_nearest() -> None:
    with pytest.raises(BacktestError) as caught:
        canonical_expression("close > bolinger_upper(20)")
    assert caught.value.fields["nearest"] == "bollinger_upper"


BOUND_REFUSED = {
    "sma(close, n) > 1": ("bad_period", 0.5),
    "close[n] > 1": ("negative_lag", -1),
    "close[n] > open": ("bad_period", 1.5),
    "rsi(close, n) > 1": ("bad_period", 1),
    "macd(close, n, 12, 9) > 0": ("parameter_order", 12),
    "close > 1 / n": ("constant_division_by_zero", 0),
}


@pytest.mark.parametrize("expression", BOUND_REFUSED)
def test_values_that_make_no_sense(expression: str) -> None:
    code, value = BOUND_REFUSED[expression]
    bounds = {"n": {"low": -10, "high": 100, "step": 1, "integer": False}}
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", params={"n": value}, entry_long=expression, param_bounds=bounds)
    assert caught.value.code == code


# Generated conditions: trees as the parser makes them, so that printing and parsing must give them back.
def series_trees(depth: int) -> st.SearchStrategy[Node]:
    leaf: st.SearchStrategy[Node] = st.sampled_from(["open", "high", "low", "close", "typical"]).map(Series)
    if depth == 0:
        return leaf
    below = series_trees(depth - 1)
    constant: st.SearchStrategy[Node] = st.sampled_from([0.0, 2.0, -1.5, 100.0]).map(Number)
    period = st.integers(1, 4).map(lambda value: Number(float(value)))
    return st.one_of(
        leaf,
        st.builds(Arithmetic, st.sampled_from("+-*/"), below, st.one_of(below, constant)),
        st.builds(Arithmetic, st.sampled_from("+-*/"), constant, below),
        st.builds(Negative, below),
        st.builds(Lag, below, st.integers(0, 3).map(lambda value: Number(float(value)))),
        st.builds(
            lambda name, source, length: Call(name, (source, length)),
            st.sampled_from(["sma", "highest", "lowest", "change"]),
            below,
            period,
        ),
    )


def condition_trees(depth: int) -> st.SearchStrategy[Node]:
    values = series_trees(2)
    constant: st.SearchStrategy[Node] = st.sampled_from([100.0, 99.5, -1.0]).map(Number)
    leaf = st.one_of(
        st.builds(
            Comparison,
            st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
            values,
            st.one_of(values, constant),
        ),
        st.builds(
            lambda name, left, right: Call(name, (left, right)),
            st.sampled_from(["crosses_above", "crosses_below"]),
            values,
            st.one_of(values, constant),
        ),
        st.builds(
            lambda name, source, length: Call(name, (source, Number(float(length)))),
            st.sampled_from(["rising", "falling"]),
            values,
            st.integers(1, 3),
        ),
    )
    if depth == 0:
        return leaf
    below = condition_trees(depth - 1)
    return st.one_of(
        leaf,
        st.builds(Not, below),
        st.builds(Lag, below, st.integers(0, 2).map(lambda value: Number(float(value)))),
        st.lists(below.filter(lambda node: not isinstance(node, And)), min_size=2, max_size=3).map(
            lambda nodes: And(tuple(nodes))
        ),
        st.lists(below.filter(lambda node: not isinstance(node, Or)), min_size=2, max_size=3).map(
            lambda nodes: Or(tuple(nodes))
        ),
    )


@settings(max_examples=cases(90), deadline=None)
@given(condition_trees(2))
def test_printing_and_parsing_are_inverse(node: Node) -> None:
    assert parse(show(node)) == node


class Slow:
    """One bar at a time, None for what is not known: the language as its documentation tells it."""

    def __init__(self, prices: PriceArrays) -> None:
        self.prices = prices

    def value(self, node: Node, t: int) -> float | None:
        if isinstance(node, Number):
            return node.value
        if t < 0:
            return None
        match node:
            case Series(name="typical"):
                return float((self.prices.high[t] + self.prices.low[t] + self.prices.close[t]) / 3.0)
            case Series(name=name):
                return float(getattr(self.prices, name)[t])
            case Negative(operand=operand):
                found = self.value(operand, t)
                return None if found is None else -found
            case Lag(operand=operand, bars=Number(value=bars)):
                return self.value(operand, t - int(bars))
            case Arithmetic(operator=operator, left=left, right=right):
                first, second = self.value(left, t), self.value(right, t)
                if first is None or second is None or (operator == "/" and second == 0):
                    return None
                found = {"+": lambda: first + second, "-": lambda: first - second,
                         "*": lambda: first * second, "/": lambda: first / second}[operator]()  # fmt: skip
                return found if math.isfinite(found) else None
            case Call(function=function, arguments=(source, Number(value=length))):
                if function == "change":
                    now, before = self.value(source, t), self.value(source, t - int(length))
                    return None if now is None or before is None else now - before
                window = [self.value(source, t - back) for back in range(int(length))]
                if any(one is None for one in window):
                    return None
                known = [one for one in window if one is not None]
                return {"sma": lambda: math.fsum(known) / len(known), "highest": lambda: max(known),
                        "lowest": lambda: min(known)}[function]()  # fmt: skip
        raise AssertionError(node)

    def truth(self, node: Node, t: int) -> bool | None:
        if t < 0:
            return None
        match node:
            case Not(operand=operand):
                found = self.truth(operand, t)
                return None if found is None else not found
            case And(operands=operands):
                parts = [self.truth(operand, t) for operand in operands]
                return False if False in parts else None if None in parts else True
            case Or(operands=operands):
                parts = [self.truth(operand, t) for operand in operands]
                return True if True in parts else None if None in parts else False
            case Lag(operand=operand, bars=Number(value=bars)):
                return self.truth(operand, t - int(bars))
            case Comparison(operator=operator, left=left, right=right):
                first, second = self.value(left, t), self.value(right, t)
                if first is None or second is None:
                    return None
                tests: dict[str, Callable[[float, float], bool]] = {
                    "<": float.__lt__, "<=": float.__le__, ">": float.__gt__,
                    ">=": float.__ge__, "==": float.__eq__, "!=": float.__ne__,
                }  # fmt: skip
                return tests[operator](float(first), float(second))
            case Call(function="crosses_above" | "crosses_below" as function, arguments=(left, right)):
                sign = ("<=", ">") if function == "crosses_above" else (">=", "<")
                before = None if t == 0 else self.truth(Comparison(sign[0], left, right), t - 1)
                now = self.truth(Comparison(sign[1], left, right), t)
                return False if False in (before, now) else None if None in (before, now) else True
            case Call(function=function, arguments=(source, Number(value=length))):
                values = [self.value(source, t - back) for back in range(int(length) + 1)]
                known = [one for one in values if one is not None]
                if len(known) < len(values):
                    return None
                pairs = itertools.pairwise(known)
                return all(new > old if function == "rising" else new < old for new, old in pairs)
        raise AssertionError(node)


@settings(max_examples=cases(75), deadline=None)
@given(condition_trees(2), st.lists(st.integers(-3, 3), min_size=25, max_size=25))
def test_truth_bar_by_bar(node: Node, moves: list[int]) -> None:
    # Prices are small whole numbers: sums are exact, so equality means the same in both readings.
    close = 100.0 + np.cumsum(moves)
    opening = np.concatenate(([100.0], close[:-1]))
    prices = PriceArrays(
        opening, np.maximum(opening, close) + 1.0, np.minimum(opening, close) - 2.0, close, np.ones(25)
    )
    slow = Slow(prices)
    expected = [slow.truth(node, t) for t in range(close.size)]
    bound = bind(node, {})
    found = IndicatorBank(prices).truth(bound)
    if "sma" in show(node) or "/" in show(node) or "typical" in show(node):
        # Averages and quotients round differently in the two readings; only what is unknown must agree.
        unknown = [one is None for one in expected]
        assert not found[np.array(unknown)].any()
    else:
        assert found.tolist() == [one is True for one in expected]
        contrary = IndicatorBank(prices).truth(Not(bound))
        assert contrary.tolist() == [one is False for one in expected]
    assert warm_up(bound) >= 0


def test_no_parameter_may_take_a_word_of_the_language() -> None:
    for word in sorted(reserved()):
        with pytest.raises(BacktestError) as caught:
            StrategySpec(name="x", params={word: 1}, entry_long="close > 0")
        assert caught.value.code == "reserved_name"
