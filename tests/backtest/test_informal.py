"""What models write informally, and what stays refused because it could mean two things."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestError, StrategySpec, canonical_expression
from backtest.language.functions import FUNCTIONS, SERIES, usage
from backtest.language.parser import parse
from backtest.language.phrases import HINTS, KEYWORDS_ELSEWHERE, PHRASES
from backtest.language.tree import Node, show
from tests.backtest.test_language import condition_trees
from tests.laws import cases

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
    "RSI rises above 50": "crosses_above(rsi(close, 14), 50)",
    "price drops below EMA 20": "crosses_below(close, ema(close, 20))",
    "RSI crosses above 30 from below": "crosses_above(rsi(close, 14), 30)",
    "MACD crosses above signal": "crosses_above(macd(close, 12, 26, 9), macd_signal(close, 12, 26, 9))",
    "MACD(5, 35, 5) > its signal line": "macd(close, 5, 35, 5) > macd_signal(close, 5, 35, 5)",
    "Stochastic %K crosses below %D": "crosses_below(stoch_k(14, 3, 3), stoch_d(14, 3, 3))",
    "volume above its 20-period average": "volume > sma(volume, 20)",
    "volume is at least 1.5 * its 20 bar average": "volume >= 1.5 * sma(volume, 20)",
    "ATR(10) above its average 50": "atr(10) > sma(atr(10), 50)",
    "volume > 1.5x average volume 20": "volume > 1.5 * sma(volume, 20)",
    "20 EMA > 50 EMA and the close is above the 200 SMA":
        "ema(close, 20) > ema(close, 50) and close > sma(close, 200)",
    "close above the highest high of the last 20 bars": "close > highest(high, 20)",
    "close < lowest low of last 10 candles": "close < lowest(low, 10)",
    "RSI is rising and OBV falling": "rising(rsi(close, 14), 1) and falling(obv(), 1)",
    "MACD histogram turns positive": "crosses_above(macd_histogram(close, 12, 26, 9), 0)",
    "ROC(5) is negative": "roc(close, 5) < 0",
    "supertrend is bullish": "supertrend_direction(10, 3) > 0",
    "supertrend(7, 2) turns bearish": "crosses_below(supertrend_direction(7, 2), 0)",
    "close is 2% above SMA 20": "close > 1.02 * sma(close, 20)",
    "close is at least 5 % below EMA(50)": "close <= 0.95 * ema(close, 50)",
    "RSI not above 70": "rsi(close, 14) <= 70",
    "RSI exceeds 70 | RSI < 30": "rsi(close, 14) > 70 or rsi(close, 14) < 30",
    "(RSI < 30) & (close > SMA200)": "rsi(close, 14) < 30 and close > sma(close, 200)",
    "close > close 5 bars ago": "close > close[5]",
    "RSI(7) 3 bars ago < 30": "rsi(close, 7)[3] < 30",
    "close > close.shift(1)": "close > close[1]",
    "close > high of the previous bar": "close > high[1]",
    "ta.crossover(ta.ema(close, 5), ta.ema(close, 20))": "crosses_above(ema(close, 5), ema(close, 20))",
    "SMA(close, timeperiod=20) > close": "sma(close, 20) > close",
    "rsi(period=7, series=high) < 30": "rsi(high, 7) < 30",
    "macd(fastperiod=5, slowperiod=35) > 0": "macd(close, 5, 35, 9) > 0",
    "bollinger_upper(length=10, stddev=3) < close": "bollinger_upper(close, 10, 3) < close",
    "supertrend(10, mult=2) < close": "supertrend(10, 2) < close",
    "4h RSI > 50 and daily EMA(20) < close":
        'at("4h", rsi(close, 14)) > 50 and at("1d", ema(close, 20)) < close',
    "15m 20 EMA > 1h close": 'at("15m", ema(close, 20)) > at("1h", close)',
    "close > Keltner upper band": "close > keltner_upper(20, 2, 10)",
    "close > donchian high(55)[1]": "close > donchian_upper(55)[1]",
    "close < BB lower": "close < bollinger_lower(close, 20, 2)",
    "golden cross": "crosses_above(sma(close, 50), sma(close, 200))",
    "weekday is Friday": "weekday == 4",
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
    "close > 200d SMA": ("expression_syntax", 12, "operator"),
    "1M RSI > 50": ("expression_syntax", 2, "operator"),
    "MACD crosses signal": ("expression_syntax", 6, "operator"),
    "volume > its average": ("wrong_arguments", 14, None),
    "its average 20 > 3": ("unknown_name", 1, None),
    "RSI crosses above 30 from above": ("expression_syntax", 22, "operator"),
    "price touches lower Bollinger band": ("expression_syntax", 7, "operator"),
    "close is less than 2% above SMA 20": ("expression_syntax", 21, "operator"),
    "RSI is bullish": ("expression_syntax", 8, "operator"),
    "close > upper band": ("unknown_name", 9, None),
    "close.shift(-1) > open": ("negative_lag", 6, None),
    "close > open rising": ("expression_syntax", 14, "operator"),
    "sma(close, speed=3) > 1": ("wrong_arguments", 12, None),
    "sma(period=3, close) > 1": ("wrong_arguments", 15, None),
    "sma(close, 3, period=3) > 1": ("wrong_arguments", 1, None),
    "sma(close, period=3, length=3) > 1": ("wrong_arguments", 22, None),
    "RSI = 50": ("expression_syntax", 5, "operator"),
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
    assert set(PHRASES.values()) <= {*SERIES, *FUNCTIONS}
    assert not {*PHRASES} & {*SERIES, *FUNCTIONS}


@settings(max_examples=cases(60), deadline=None)
@given(condition_trees(2))
def test_what_is_canonical_stays_as_it_is(node: Node) -> None:
    assert show(parse(show(node))) == show(node)


def test_the_usage_of_every_function_reads() -> None:
    for name in FUNCTIONS:
        assert usage(name).startswith(f"{name}(")


@pytest.mark.parametrize("word", HINTS)
def test_what_is_too_short_to_mean_one_thing_names_what_was_meant(word: str) -> None:
    with pytest.raises(BacktestError) as caught:
        canonical_expression(f"close > 1 and {word} > 20")
    assert (caught.value.code, caught.value.fields["position"]) == ("unknown_name", 15)
    assert caught.value.fields["nearest"] == HINTS[word]


def test_the_usage_shown_in_errors_can_be_written() -> None:
    for name, function in FUNCTIONS.items():
        if any(argument.default is None for argument in function.arguments):
            continue
        written = usage(name)
        assert canonical_expression(f"{written} > 0") == canonical_expression(f"{name} > 0")


def test_names_elsewhere_are_names_of_arguments_here() -> None:
    here = {argument.name for function in FUNCTIONS.values() for argument in function.arguments}
    assert {name for names in KEYWORDS_ELSEWHERE.values() for name in names} <= here


WORDS = (
    *("close", "rsi", "macd", "sma", "stoch_k", "supertrend", "signal", "its", "average", "is", "rising"),
    *("turns", "positive", "bullish", "above", "crosses above", "from", "the", "of", "last", "bars", "ago"),
    *("previous", "4h", "daily", "x", "%", "20", "1.5", "(", ")", "[", "]", ",", "-", ".", "shift", "="),
    *("and", "or", "not", ">", "<=", "between", "n", "period", "golden", "cross", "5-period", "at", "entry"),
)


@settings(max_examples=cases(45), deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14), st.booleans())
def test_any_words_are_read_or_refused_at_a_position(words: list[str], entry: bool) -> None:
    written = " ".join(words)
    try:
        node = parse(written, {"n"}, entry=entry)
    except BacktestError as error:
        position = error.fields["position"]
    else:
        position = 1
        assert show(parse(show(node), {"n"})) == show(node)
    assert 1 <= position <= len(written) + 1
