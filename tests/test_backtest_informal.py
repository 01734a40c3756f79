"""What models write informally, and what stays refused because it could mean two things."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from backtest import BacktestError, StrategySpec, canonical_expression
from backtest.functions import FUNCTIONS, SERIES, usage
from backtest.informal import _PHRASES
from backtest.language import parse
from backtest.tree import Node, show
from tests.test_backtest_language import condition_trees

UNDERSTOOD = {
    "RSI < 30 at entry": "rsi(close, 14) < 30",
    "RSI(14) < 30 on entry and ADX > 25 at entry": "rsi(close, 14) < 30 and adx(14) > 25",
    "EMA(50) > EMA(200)": "ema(close, 50) > ema(close, 200)",
    "EMA50 > EMA_200": "ema(close, 50) > ema(close, 200)",
    "RSI 14 < 30": "rsi(close, 14) < 30",
    "price above SMA 200": "close > sma(close, 200)",
    "Price is above the 200".replace("the 200", "200-period SMA"): "close > sma(close, 200)",
    "close > 20 bar EMA": "close > ema(close, 20)",
    "close is less than or equal to VWAP": "close <= vwap()",
    "volume > 1.5 * average volume(20)": "volume > 1.5 * sma(volume, 20)",
    "volume > 1.5 × avg volume 20": "volume > 1.5 * sma(volume, 20)",
    "volume > 20-period average volume": "volume > sma(volume, 20)",
    "volume is at least 2 * mean(volume, 20)": "volume >= 2 * sma(volume, 20)",
    "MA(50) > MA(200)": "sma(close, 50) > sma(close, 200)",
    "EMA(12) crosses above EMA(26)": "crosses_above(ema(close, 12), ema(close, 26))",
    "RSI crosses below 70": "crosses_below(rsi(close, 14), 70)",
    "MACD line above MACD signal": "macd(close, 12, 26, 9) > macd_signal(close, 12, 26, 9)",
    "MACD histogram > 0": "macd_histogram(close, 12, 26, 9) > 0",
    "RSI between 30 and 70 and ADX > 20": "rsi(close, 14) >= 30 and rsi(close, 14) <= 70 and adx(14) > 20",
    "close < lower Bollinger band": "close < bollinger_lower(close, 20, 2)",
    "close < Bollinger Lower(20, 2.5)": "close < bollinger_lower(close, 20, 2.5)",
    "close > previous high": "close > high[1]",
    "close > highest high(20)[1]": "close > highest(high, 20)[1]",
    "+DI > -DI": "plus_di(14) > minus_di(14)",
    "+DI(20) crosses above -DI(20)": "crosses_above(plus_di(20), minus_di(20))",
    "Stochastic %K < 20 && Williams %R < -80": "stoch_k(14, 3, 3) < 20 and williams_r(14) < -80",
    "RSI ≤ 30 || RSI ≥ 70": "rsi(close, 14) <= 30 or rsi(close, 14) >= 70",
    "linearreg_slope(close, 14) > 0": "linreg_slope(close, 14) > 0",
    "standard deviation(close, 20) > 1": "stddev(close, 20) > 1",
    "close - ATR14 > low": "close - atr(14) > low",
    "hour between 8 and 16": "hour >= 8 and hour <= 16",
}  # fmt: skip


@pytest.mark.parametrize("written", UNDERSTOOD)
def test_understood(written: str) -> None:
    found = canonical_expression(written)
    assert found == UNDERSTOOD[written]
    assert canonical_expression(found) == found


REFUSED = {
    "RSI is oversold": ("expression_syntax", 5, "operator"),
    "volume > average volume": ("wrong_arguments", 10, None),
    "close above SMA": ("wrong_arguments", 13, None),
    "price near SMA 200": ("expression_syntax", 7, "operator"),
    "RSI < 30 at exit": ("expression_syntax", 10, "operator"),
    "di > 5": ("unknown_name", 1, None),
    "RSI between 30": ("expression_syntax", 15, "and"),
    "volume > 2x": ("expression_syntax", 11, "operator"),
    "close > 200 day SMA": ("expression_syntax", 13, "operator"),
    "price abov SMA 200": ("expression_syntax", 7, "operator"),
    "sma50(close) > 1": ("unknown_name", 1, None),
}


@pytest.mark.parametrize("written", REFUSED)
def test_refused(written: str) -> None:
    with pytest.raises(BacktestError) as caught:
        canonical_expression(written)
    code, position, expected = REFUSED[written]
    assert (caught.value.code, caught.value.fields["position"]) == (code, position)
    if expected:
        assert caught.value.fields["expected"] == expected


def test_at_entry_means_something_else_in_an_exit() -> None:
    with pytest.raises(BacktestError, match="expression_syntax"):
        StrategySpec(name="x", entry_long="RSI < 30 at entry", exit_long="RSI < 30 at entry")
    assert StrategySpec(name="x", entry_long="RSI < 30 at entry").entry_long == "rsi(close, 14) < 30"


@pytest.mark.parametrize(
    "name", ["price", "ma", "average", "above", "between", "is", "period", "sma200", "di", "on"]
)
def test_a_parameter_keeps_its_name(name: str) -> None:
    spec = StrategySpec(name="x", params={name: 3}, entry_long=f"close > sma(close, 5) - {name}")
    assert spec.entry_long == f"close > sma(close, 5) - {name}"


def test_phrases_mean_words_of_the_language() -> None:
    assert set(_PHRASES.values()) <= {*SERIES, *FUNCTIONS}
    assert not {*_PHRASES} & {*SERIES, *FUNCTIONS}


@settings(max_examples=200, deadline=None)
@given(condition_trees(2))
def test_what_is_canonical_stays_as_it_is(node: Node) -> None:
    assert show(parse(show(node))) == show(node)


def test_the_usage_of_every_function_reads() -> None:
    for name in FUNCTIONS:
        assert usage(name).startswith(f"{name}(")
