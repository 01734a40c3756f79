"""Conditions that can never be true are refused before a bar is computed; what could trade never is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import PRESETS, BacktestError, StrategySpec
from backtest.data.arrays import PriceArrays
from backtest.engine.bank import IndicatorBank
from backtest.language.contradiction import bounds, check_possible
from backtest.language.parser import parse
from backtest.language.tree import Node, bind
from prompts import text
from tests.backtest.test_language import condition_trees
from tests.laws import cases

NEVER = [
    "rsi(close, 14) > 70 and rsi(close, 14) < 30",
    "rsi(close, 14) > 100",
    "close < low",
    "close > donchian_upper(20)",
    "close > highest(high, 20)",
    "low[1] > high[1]",
    "close < 0",
    "close == 0",
    "volume < 0",
    "hour > 23",
    "weekday == 7",
    "hour == 5 and hour == 7",
    "close > open and open > close",
    "close > open and not (close > open)",
    "close != close",
    "close > close",
    "williams_r(14) > 5",
    "sma(close, 5) > sma(close, 20) and sma(close, 20) > sma(close, 50) and sma(close, 50) > sma(close, 5)",
    "bollinger_lower(20) > bollinger_upper(20)",
    "close < low and (adx > 25 or rsi < 30)",
    "(rsi > 70 and rsi < 30) or close < low",
    "crosses_above(close, high)",
    "crosses_above(rsi, 70) and rsi < 60",
    "rising(close, 2) and falling(close, 3)",
    'at("4h", rsi(close, 14)) > 70 and at("4h", rsi(close, 14) < 30)',
    "(close < low)[3]",
    "sma(rsi(close, 14), 3) > 101",
    "rsi - 100 > 0",
    "not (close >= low)",
    "atr(14) < 0",
]


@pytest.mark.parametrize("expression", NEVER)
def test_never_true(expression: str) -> None:
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", entry_long=expression)
    assert caught.value.code == "never_true"
    for language in ("fr", "en"):
        assert caught.value.fields["reason"] in text(
            "backtest.error.never_true", language, **caught.value.fields
        )


def test_the_reason_is_the_circle_of_comparisons() -> None:
    for expression, reason in (
        (
            "adx > 25 and close > donchian_upper(20)",
            "donchian_upper(20) < close <= high <= donchian_upper(20)",
        ),
        ("close < low and volume > 5", "close < low <= close"),
        ("hour == 5 and hour == 7", "5 < 7 <= hour <= 5"),
    ):
        with pytest.raises(BacktestError) as caught:
            StrategySpec(name="x", entry_long=expression)
        assert caught.value.fields["reason"] == reason
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", params={"level": 20}, entry_long="rsi > 70 and rsi < level")
    assert "20" in caught.value.fields["reason"]


POSSIBLE = [
    "close > donchian_upper(20)[1]",
    "close >= donchian_upper(20)",
    "close == low",
    "rsi > 70 or rsi < 30",
    "rsi > 30 and rsi < 70",
    "rsi >= 100",
    "rsi(close, 14) > 70 and rsi(close, 7) < 30",
    "rsi > 70 and rsi[1] < 30",
    'rsi > 70 and at("4h", rsi) < 30',
    "close > bollinger_upper(20)",
    "close > high[1] and low < low[1]",
    "close > sma(close, 20) and sma(close, 20) > sma(close, 50)",
    "close > 0",
    "bollinger_lower(close, 20, 2) < 0",
    "crosses_above(close, sma(close, 20)) and rsi < 50",
    "close - high < 0",
    "volume == 0",
    "hour >= 23 and weekday <= 0",
    "close != open and close <= open",
]


@pytest.mark.parametrize("expression", POSSIBLE)
def test_possible(expression: str) -> None:
    check_possible(bind(parse(expression), {}))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_possible(name: str) -> None:
    StrategySpec.preset(name)


@settings(max_examples=cases(45), deadline=None)
@given(condition_trees(2), st.lists(st.integers(-3, 3), min_size=30, max_size=30))
def test_what_is_refused_is_true_on_no_bar(node: Node, moves: list[int]) -> None:
    close = 100.0 + np.cumsum(moves)
    opening = np.concatenate(([100.0], close[:-1]))
    prices = PriceArrays(
        opening, np.maximum(opening, close) + 1.0, np.minimum(opening, close) - 2.0, close, np.ones(30)
    )
    bound = bind(node, {})
    try:
        check_possible(bound)
    except BacktestError:
        assert not IndicatorBank(prices).truth(bound).any()


def test_bounds_of_arithmetic() -> None:
    assert bounds(parse("100 - rsi > 0").left) == (0.0, 100.0)  # type: ignore[union-attr]
    assert bounds(parse("rsi / 2 > 0").left)[1] == np.inf  # type: ignore[union-attr]
    assert bounds(parse("2 * rsi + adx > 0").left) == (0.0, 300.0)  # type: ignore[union-attr]
