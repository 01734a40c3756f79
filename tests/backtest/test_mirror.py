"""The mirror image of a condition: on prices turned upside down it says what the condition says of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestError, Costs, StrategySpec, run_backtest
from backtest.data.clock import Clock
from backtest.data.prices import read_prices
from backtest.engine.bank import IndicatorBank
from backtest.language.mirror import mirror
from backtest.language.parser import parse
from backtest.language.tree import bind, show
from tests.laws import cases
from tests.prices import made_up_prices

# What the fields of technical analysis agree on, written down by hand.
CASES = [
    ("close > close[20]", "close < close[20]"),
    ("crosses_above(sma(close, 5), sma(close, 20))", "crosses_below(sma(close, 5), sma(close, 20))"),
    ("close > donchian_upper(20)[1]", "close < donchian_lower(20)[1]"),
    ("low < bollinger_lower(close, 20, 2)", "high > bollinger_upper(close, 20, 2)"),
    ("rsi(close, 14) < 30", "rsi(close, 14) > 70"),
    ("williams_r(14) < -80", "williams_r(14) > -20"),
    ("zscore(close, 20) < -1.5", "zscore(close, 20) > 1.5"),
    ("macd(close, 12, 26, 9) > 0", "macd(close, 12, 26, 9) < 0"),
    ("plus_di(14) > minus_di(14) and adx(14) > 25", "minus_di(14) > plus_di(14) and adx(14) > 25"),
    ("close > sma(close, 20) + 2 * atr(14)", "close < sma(close, 20) - 2 * atr(14)"),
    ("(close - sma(close, 20)) / atr(14) < -2", "(close - sma(close, 20)) / atr(14) > 2"),
    ("rising(close, 3) or falling(volume, 2)", "falling(close, 3) or falling(volume, 2)"),
    ("bars_since(close > open) > 3", "bars_since(close < open) > 3"),
    ("percentile_rank(natr(14), 200) < 70", "percentile_rank(natr(14), 200) < 70"),
    ("hour >= 8 and not close > open", "hour >= 8 and not close < open"),
    ('at("4h", rsi(close, 14)) > 50', 'at("4h", rsi(close, 14)) < 50'),
    ("sma(rsi(close, 14), 3) > 60", "sma(rsi(close, 14), 3) < 40"),
    ("highest(rsi(close, 14), 5) > 80", "lowest(rsi(close, 14), 5) < 20"),
    ("close > max(open, close[1])", "close < min(open, close[1])"),
    ("max(change(close, 1), 2) > 3", "min(change(close, 1), -2) < -3"),
    ("max(rsi(close, 14), 60) > 70", "min(rsi(close, 14), 40) < 30"),
    ("close > if(adx(14) > 25, high[1], open)", "close < if(adx(14) > 25, low[1], open)"),
    ("close > if(close > open, high[1], open)", "close < if(close < open, low[1], open)"),
    ("abs(close - open) > atr(14)", "abs(close - open) > atr(14)"),
    ("sum(close, 4) > 4 * open", "sum(close, 4) < 4 * open"),
    ("count(close > open, 10) >= 7", "count(close < open, 10) >= 7"),
    ("close > value_when(close > high[1], high, 0)", "close < value_when(close < low[1], low, 0)"),
    ("close > quantile(high, 50, 90)", "close < quantile(low, 50, 10)"),
    ("close > quantile(high, 50, n)", "close < quantile(low, 50, 100 - n)"),
    ("volume > quantile(volume, 50, 90)", "volume > quantile(volume, 50, 90)"),
    ("correlation(close, volume, 20) > 0.5", "correlation(close, volume, 20) < -0.5"),
    ("correlation(close, high, 20) > 0.5", "correlation(close, low, 20) > 0.5"),
    ("log(volume) > 3 and log(volume / volume[1]) > 0", "log(volume) > 3 and log(volume / volume[1]) > 0"),
    (
        "aroon_up(25) > 70 and month == 5 and minute < 30",
        "aroon_down(25) > 70 and month == 5 and minute < 30",
    ),
    ("sma((high - low) * (close - open), 5) > 1", "sma((low - high) * (close - open), 5) > 1"),
    ("rsi(close, 14) < rsi(close, 14)[1]", "rsi(close, 14) > rsi(close, 14)[1]"),
]


@pytest.mark.parametrize(("condition", "image"), [pytest.param(*case, id=case[0]) for case in CASES])
def test_the_mirror_image_is_the_one_that_traders_use(condition, image):
    assert show(mirror(parse(condition, {"n"}))) == show(parse(image, {"n"}))


def test_thresholds_that_are_parameters_are_mirrored_too():
    preset = StrategySpec.preset("rsi_reversion", oversold=20, overbought=60).both_sides()
    assert preset.entry_short == "rsi(close, rsi_period) > 100 - oversold"
    assert preset.exit_short == "rsi(close, rsi_period) < 100 - overbought"
    assert (preset.entry_long, preset.params["oversold"]) == ("rsi(close, rsi_period) < oversold", 20)


@pytest.mark.parametrize(
    "condition",
    [
        "close > 100",
        "close / open > 1.01",
        "close > sma(close, 20) * 1.02",
        "close * volume > 5",
        "open > atr(14)",
        "abs(close) > 100",
        "log(close) > 3",
        "max(close, volume) > open",
        "max(open, rsi(close, 14)) > close",
    ],
)
def test_what_compares_prices_with_anything_else_has_no_mirror_image(condition):
    with pytest.raises(BacktestError) as caught:
        mirror(parse(f"hour > 3 and ({condition})"))
    assert caught.value.code == "no_mirror"
    assert caught.value.fields["expression"] in show(parse(condition))


# --- the law ----------------------------------------------------------------------------------------

PRICES = st.sampled_from(["open", "high", "low", "close", "typical"])
WINDOWS = st.integers(2, 12)


def _calls(name):
    return st.tuples(PRICES, WINDOWS).map(lambda given: f"{name}({given[0]}, {given[1]})")


LEVELS = st.one_of(
    PRICES,
    *(_calls(name) for name in ("sma", "ema", "wma", "dema", "tema", "kama", "highest", "lowest")),
    st.tuples(PRICES, WINDOWS).map(lambda given: f"bollinger_upper({given[0]}, {given[1]}, 1)"),
    st.tuples(PRICES, WINDOWS).map(lambda given: f"bollinger_lower({given[0]}, {given[1]}, 1)"),
    WINDOWS.map("donchian_upper({})".format),
    WINDOWS.map("donchian_lower({})".format),
    WINDOWS.map("keltner_upper({}, 1, 5)".format),
    WINDOWS.map("keltner_lower({}, 1, 5)".format),
    WINDOWS.map("supertrend({}, 2)".format),
    WINDOWS.map("ichimoku_base({})".format),
    st.just("(high + low) / 2"),
    st.just("0.25 * open + 0.75 * close"),
    st.just("vwap()"),
    st.just("rolling_vwap(5)"),
    *(_calls(name) for name in ("hma",)),
    st.tuples(PRICES, WINDOWS).map(lambda given: f"quantile({given[0]}, {given[1]}, 80)"),
    st.tuples(PRICES, PRICES).map(lambda given: f"max({given[0]}[1], {given[1]})"),
    st.tuples(PRICES, PRICES).map(lambda given: f"if({given[0]} > close[2], {given[1]}, high[1])"),
    PRICES.map("value_when(close[1] > open, {}, 1)".format),
    PRICES.map("sum({}, 4) / 4".format),
    st.sampled_from(
        [
            "session_open()",
            "opening_range_high(3)",
            "opening_range_low(2)",
            "vwap_upper(1.5)",
            "psar(0.02, 0.2)",
            "pivot_high(2, 2)",
            "pivot_low(3, 1)",
            "heikin_ashi_open()",
            "heikin_ashi_high()",
        ]
    ),
)
SHIFTED = st.tuples(LEVELS, st.sampled_from(["", "[1]", "[3]"])).map(lambda given: f"({given[0]}){given[1]}")
MOVES = st.one_of(
    st.tuples(SHIFTED, SHIFTED).map(lambda given: f"({given[0]} - {given[1]})"),
    *(_calls(name) for name in ("mom", "change", "linreg_slope", "zscore")),
    st.sampled_from(
        ["macd(close, 3, 7, 4)", "macd_signal(close, 3, 7, 4)", "macd_histogram(close, 3, 7, 4)"]
    ),
    WINDOWS.map("cci({})".format),
    WINDOWS.map("cmf({})".format),
    WINDOWS.map("aroon_oscillator({})".format),
    WINDOWS.map("sum(close - open, {})".format),
    WINDOWS.map("max(change(close, {}), 0.13)".format),
    st.just("supertrend_direction(5, 2)"),
)
# Compared with thresholds only: 100 less a share is rounded, so two of them may tie on one side alone.
SHARES = st.one_of(
    _calls("rsi"),
    WINDOWS.map("stoch_k({}, 2, 2)".format),
    WINDOWS.map("stoch_d({}, 2, 2)".format),
    st.just("stochrsi_k(close, 5, 5, 2)"),
)
SIZES = st.one_of(
    st.sampled_from(["volume", "hour", "adx(5)"]),
    WINDOWS.map("atr({})".format),
    _calls("stddev"),
    WINDOWS.map("plus_di({})".format),
    WINDOWS.map("vortex_plus({})".format),
    WINDOWS.map("aroon_up({})".format),
    PRICES.map("abs(close - {}[2])".format),
    PRICES.map("correlation({}, close, 9)".format),
    PRICES.map("count({} > close[1], 6)".format),
)
SIGNS = st.sampled_from(["<", "<=", ">", ">="])


def _compared(left, right):
    return st.tuples(left, SIGNS, right).map(" ".join)


COMPARISONS = st.one_of(
    # Of what has no memory of its own: it remembers the first bars, where averages still warm up.
    PRICES.map("bars_since(close[1] > {}) > 2".format),
    _compared(SHIFTED, SHIFTED),
    _compared(MOVES, MOVES),
    _compared(MOVES, st.sampled_from(["0.37", "-1.21", "0.4 * atr(5)"])),
    _compared(SHARES, st.sampled_from(["31.7", "50.3", "71.9"])),
    _compared(SIZES, SIZES),
    _compared(st.just("correlation(close, volume, 9)"), st.sampled_from(["0.17", "-0.33"])),
    _compared(st.just("obv()"), st.just("sma(obv(), 5)")),
    _compared(st.just("williams_r(7)"), st.sampled_from(["-19.3", "-77.7"])),
    _compared(st.just("(50 - rsi(close, 5))"), st.sampled_from(["11.3", "-7.1"])),
    _compared(st.just("(close + 0.3 * atr(5))"), SHIFTED),
    _compared(st.just("(close - open) / atr(5)"), st.sampled_from(["0.21", "-0.43"])),
    st.tuples(SHIFTED, SHIFTED).map(lambda given: f"crosses_above({given[0]}, {given[1]})"),
    st.tuples(SHARES, st.sampled_from(["29.3", "68.9"])).map(
        lambda given: f"crosses_below({given[0]}, {given[1]})"
    ),
    st.tuples(LEVELS, st.integers(1, 3)).map(lambda given: f"rising({given[0]}, {given[1]})"),
    st.tuples(LEVELS, st.integers(1, 3)).map(lambda given: f"falling({given[0]}, {given[1]})"),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda given: f"({' '.join(given)})"),
        inner.map(lambda one: f"(not ({one}))"),
    ),
    max_leaves=4,
)


def on_a_grid(prices):
    """Prices in steps of 1/1024, so that turning them upside down rounds nothing."""
    steps = (prices[["open", "high", "low", "close"]] * 1024.0).round() / 1024.0
    return prices.assign(**{name: steps[name] for name in steps})


def upside_down(prices):
    """Prices reflected about a level above them: highs become lows."""
    level = 512.0
    columns = {"open": "open", "high": "low", "low": "high", "close": "close"}
    return prices.assign(**{name: level - prices[source] for name, source in columns.items()})


def holds(node, prices):
    bank = IndicatorBank(*read_prices(prices)[:1], Clock(prices.index))
    return bank.truth(node)


UPRIGHT = on_a_grid(made_up_prices(160, seed=11))
TURNED = upside_down(UPRIGHT)
WARM = 70
"""Bars after which averages have forgotten how they began."""


@settings(max_examples=cases(90), deadline=None)  # the first call of a kernel compiles it
@given(condition=CONDITIONS)
def test_on_prices_upside_down_the_image_says_what_the_condition_says(condition):
    node = bind(parse(condition), {})
    image = bind(mirror(parse(condition)), {})
    np.testing.assert_array_equal(holds(image, TURNED)[WARM:], holds(node, UPRIGHT)[WARM:])
    again = bind(mirror(mirror(parse(condition))), {})
    np.testing.assert_array_equal(holds(again, UPRIGHT)[WARM:], holds(node, UPRIGHT)[WARM:])


def test_a_strategy_on_both_sides_sells_on_the_fall_where_it_bought_on_the_rise():
    spec = StrategySpec.preset("donchian_breakout").both_sides()
    upright, turned = (run_backtest(prices, spec, Costs()).trades for prices in (UPRIGHT, TURNED))
    assert set(upright["side"]) == {"long", "short"}
    assert list(turned["side"].map({"long": "short", "short": "long"})) == list(upright["side"])
    for column in ("entry_time", "exit_time"):
        assert list(turned[column]) == list(upright[column])


def test_a_strategy_that_only_sells_has_no_long_side_to_mirror():
    spec = StrategySpec(name="bear", entry_short="close < sma(close, 20)")
    with pytest.raises(BacktestError) as caught:
        spec.both_sides()
    assert (caught.value.code, caught.value.fields["side"]) == ("no_such_side", "long")
