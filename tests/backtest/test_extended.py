"""The wider vocabulary against TA-Lib, scipy, and plain loops where TA-Lib has nothing or loses digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import talib
from scipy import stats

from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine.bank import IndicatorBank
from backtest.kernels.oscillators import _rank_by_counting, _rank_by_tree
from backtest.language.functions import FUNCTIONS, warm_up
from backtest.language.parser import parse
from backtest.language.tree import Call, bind
from tests.backtest.test_indicators import BARS, Floats, Reference, constant, series, tree, walk_of

NAN = float("nan")
LATER = {
    *("bars_since", "value_when", "pivot_high", "pivot_low", "opening_range_high", "opening_range_low"),
}
"""What they wait for may come after the warm-up."""


def typical(p: PriceArrays) -> Floats:
    return (p.high + p.low + p.close) / 3.0


TALIB: dict[str, Reference] = {
    "wma(close, 20)": lambda p: talib.WMA(p.close, 20),
    "wma(close, 1)": lambda p: p.close,
    "dema(close, 10)": lambda p: talib.DEMA(p.close, 10),
    "tema(close, 10)": lambda p: talib.TEMA(p.close, 10),
    "kama(close, 10)": lambda p: talib.KAMA(p.close, 10),
    "kama(high, 30)": lambda p: talib.KAMA(p.high, 30),
    "natr(14)": lambda p: talib.NATR(p.high, p.low, p.close, 14),
    "cci(20)": lambda p: talib.CCI(p.high, p.low, p.close, 20),
    "williams_r(14)": lambda p: talib.WILLR(p.high, p.low, p.close, 14),
    "stoch_k(14, 3, 3)": lambda p: talib.STOCH(p.high, p.low, p.close, 14, 3, 0, 3, 0)[0],
    "stoch_d(14, 3, 3)": lambda p: talib.STOCH(p.high, p.low, p.close, 14, 3, 0, 3, 0)[1],
    "stoch_k(5, 1, 3)": lambda p: talib.STOCHF(p.high, p.low, p.close, 5, 3, 0)[0],
    "stoch_d(5, 1, 3)": lambda p: talib.STOCHF(p.high, p.low, p.close, 5, 3, 0)[1],
    "stochrsi_k(close, 14, 14, 3)": lambda p: talib.STOCHRSI(p.close, 14, 14, 3, 0)[0],
    "stochrsi_d(close, 14, 5, 3)": lambda p: talib.STOCHRSI(p.close, 14, 5, 3, 0)[1],
    "mfi(14)": lambda p: talib.MFI(p.high, p.low, p.close, p.volume, 14),
    "obv()": lambda p: talib.OBV(p.close, p.volume),
    "mom(close, 10)": lambda p: talib.MOM(p.close, 10),
    "roc(close, 10)": lambda p: talib.ROC(p.close, 10),
    "percent_change(close, 3)": lambda p: talib.ROC(p.close, 3),
    "linreg_slope(close, 14)": lambda p: talib.LINEARREG_SLOPE(p.close, 14),
    "ichimoku_conversion(9)": lambda p: talib.MIDPRICE(p.high, p.low, 9),
    "ichimoku_base(26)": lambda p: talib.MIDPRICE(p.high, p.low, 26),
    "ichimoku_span_b(52)": lambda p: talib.MIDPRICE(p.high, p.low, 52),
    "ichimoku_span_a(9, 26)": lambda p: (
        (talib.MIDPRICE(p.high, p.low, 9) + talib.MIDPRICE(p.high, p.low, 26)) / 2
    ),
}
# Beside constant, tiny and offset prices these stand in test_precision.
NEWER: dict[str, Reference] = {
    "trix(close, 15)": lambda p: talib.TRIX(p.close, 15),
    "psar(0.02, 0.2)": lambda p: talib.SAR(p.high, p.low, 0.02, 0.2),
    "psar(0.1, 0.05)": lambda p: talib.SAR(p.high, p.low, 0.1, 0.05),
    "aroon_up(25)": lambda p: talib.AROON(p.high, p.low, 25)[1],
    "aroon_down(7)": lambda p: talib.AROON(p.high, p.low, 7)[0],
    "aroon_oscillator(25)": lambda p: talib.AROONOSC(p.high, p.low, 25),
    "sum(volume, 12)": lambda p: talib.SUM(p.volume, 12),
    "log(close)": lambda p: talib.LN(p.close),
    "correlation(close, high, 30)": lambda p: talib.CORREL(p.close, p.high, 30),
    "beta(close, open, 20)": lambda p: talib.BETA(p.open, p.close, 20),
}
# Differences of prices near 100, and percentages of them: their rounding is that of the prices.
ROOM = {"mom": 1e-12, "roc": 1e-12, "percent_change": 1e-12, "cci": 1e-9}
# TA-Lib sums prices as they are: on slopes near zero it is up to 2e-12 from the exact fraction (ours, 1e-15;
# `test_is_exact_on_slopes`), by the processor that made the prices.
ROOM["linreg_slope"] = 1e-11
ROOM |= {"stoch_k": 1e-10, "stoch_d": 1e-10, "stochrsi_k": 1e-9, "stochrsi_d": 1e-9, "williams_r": 1e-10}
ROOM |= {"trix": 1e-11, "correlation": 1e-9, "beta": 1e-9}


@pytest.mark.parametrize("expression", [*TALIB, *NEWER])
def test_agrees_with_talib(expression: str) -> None:
    prices = walk_of(1.0)
    found, wanted = series(expression, prices), (TALIB | NEWER)[expression](prices)
    node = tree(expression)
    assert isinstance(node, Call)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=ROOM.get(node.function, 0.0))
    assert np.isnan(found).sum() == warm_up(node)


def test_is_exact_on_slopes() -> None:
    prices = walk_of(1.0)
    found = series("linreg_slope(close, 14)", prices)
    for t in range(13, BARS):
        exact = sum(
            Fraction(2 * k - 13, 455) * Fraction(one) for k, one in enumerate(window(prices.close, t, 14))
        )
        assert abs(Fraction(float(found[t])) - exact) < Fraction(1, 10**14)


def window(values: Floats, t: int, period: int) -> list[float]:
    return [float(one) for one in values[t - period + 1 : t + 1]]


def slow_wma(p: PriceArrays, t: int) -> float:
    part = window(p.close, t, 20)
    base = part[-1]
    return base + math.fsum((k + 1) * (one - base) for k, one in enumerate(part)) / 210.0


def slow_slope(p: PriceArrays, t: int) -> float:
    part = window(p.close, t, 14)
    return math.fsum((k - 6.5) * (one - part[0]) for k, one in enumerate(part)) / 227.5


def slow_cci(p: PriceArrays, t: int) -> float:
    part = window(typical(p), t, 20)
    base = part[0]
    mean = math.fsum(one - base for one in part) / 20
    spread = math.fsum(abs(one - base - mean) for one in part) / 20
    return (part[-1] - base - mean) / (0.015 * spread) if spread else 0.0


def slow_zscore(p: PriceArrays, t: int) -> float:
    part = window(p.close, t, 20)
    moved = [one - part[0] for one in part]
    mean = math.fsum(moved) / 20
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in moved) / 20)
    return (moved[-1] - mean) / spread if spread else NAN


def slow_rank(p: PriceArrays, t: int) -> float:
    return float(stats.percentileofscore(p.close[t - 50 : t], p.close[t], kind="weak"))


def slow_long_rank(p: PriceArrays, t: int) -> float:
    return float(stats.percentileofscore(p.close[t - 400 : t], p.close[t], kind="weak"))


def slow_mfi(p: PriceArrays, t: int) -> float:
    price = typical(p)
    flows = [(price[s] * p.volume[s], price[s] - price[s - 1]) for s in range(t - 13, t + 1)]
    up = math.fsum(money for money, move in flows if move > 0)
    down = math.fsum(money for money, move in flows if move < 0)
    return 100.0 * up / (up + down) if up + down else 0.0


def slow_rolling_vwap(p: PriceArrays, t: int) -> float:
    price, units = window(typical(p), t, 20), window(p.volume, t, 20)
    base = price[0]
    money = math.fsum((one - base) * unit for one, unit in zip(price, units, strict=True))
    return base + money / math.fsum(units) if any(units) else NAN


def slow_keltner(p: PriceArrays, t: int) -> float:
    return float(talib.EMA(p.close, 20)[t] + 1.5 * talib.ATR(p.high, p.low, p.close, 10)[t])


def slow_keltner_lower(p: PriceArrays, t: int) -> float:
    return float(talib.EMA(p.close, 5)[t] - 2.0 * talib.ATR(p.high, p.low, p.close, 10)[t])


SLOW: dict[str, Callable[[PriceArrays, int], float]] = {
    "wma(close, 20)": slow_wma,
    "linreg_slope(close, 14)": slow_slope,
    "cci(20)": slow_cci,
    "zscore(close, 20)": slow_zscore,
    "percentile_rank(close, 50)": slow_rank,
    "percentile_rank(close, 400)": slow_long_rank,
    "mfi(14)": slow_mfi,
    "rolling_vwap(20)": slow_rolling_vwap,
    "keltner_upper(20, 1.5, 10)": slow_keltner,
    "keltner_lower(5, 2, 10)": slow_keltner_lower,
}
LEVELS = {
    "ordinary": walk_of(1.0),
    "tiny": walk_of(1e-6),
    "offset": walk_of(1.0, 1e8),
    "huge": walk_of(1e8),
    "constant": constant(0.1),
    "large constant": constant(1e8),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("expression", SLOW)
def test_agrees_with_a_plain_loop(expression: str, level: str) -> None:
    prices = LEVELS[level]
    found = series(expression, prices)
    first = warm_up(tree(expression))
    wanted = [SLOW[expression](prices, t) for t in range(first, BARS)]
    assert np.isnan(found[:first]).all()
    # A slope and a score that cross zero are differences: their rounding is that of one step of the prices.
    step = float(np.ptp(prices.close)) * 1e-12 if expression.startswith("linreg") else 1e-10
    if expression.startswith(("cci", "zscore", "mfi")) and level == "offset":
        # Money and typical prices of 1e8 are known to 1.5e-8: so are these ratios of their differences.
        np.testing.assert_allclose(found[first:], wanted, rtol=1e-6, atol=1e-6)
        return
    np.testing.assert_allclose(found[first:], wanted, rtol=1e-9, atol=step)


OFFSET = [
    name for name in TALIB if not name.startswith(("cci", "mfi", "linreg", "stoch", "williams", "kama"))
]


@pytest.mark.parametrize("expression", [name for name in TALIB if name != "obv()"])
def test_keeps_its_digits_on_tiny_prices(expression: str) -> None:
    """An indicator of prices scaled is the indicator scaled, or the same where it is a ratio."""
    # Scaling by a power of two changes no digit, so the results must be equal to the last one.
    found, wanted = series(expression, walk_of(2.0**-20)), series(expression, walk_of(1.0))
    ratio = 1.0 if abs(np.nanmax(np.abs(found)) / np.nanmax(np.abs(wanted)) - 1.0) < 1e-6 else 2.0**-20
    np.testing.assert_array_equal(found, wanted * ratio)


@pytest.mark.parametrize("expression", OFFSET)
def test_keeps_its_digits_on_a_large_offset(expression: str) -> None:
    prices = walk_of(1.0, 1e8)
    change = expression.startswith(("mom", "roc", "percent_change"))
    np.testing.assert_allclose(
        series(expression, prices), TALIB[expression](prices), rtol=1e-9, atol=1e-6 if change else 0.0
    )


@pytest.mark.parametrize(
    "expression", ["stoch_k(14, 3, 3)", "stochrsi_k(close, 14, 14, 3)", "williams_r(14)"]
)
def test_places_in_a_range_on_a_large_offset(expression: str) -> None:
    prices = walk_of(1.0, 1e8)
    # Numerator and denominator are exact differences here and there; TA-Lib divides by a hundredth instead.
    np.testing.assert_allclose(series(expression, prices), TALIB[expression](prices), rtol=1e-9, atol=1e-9)


def test_kama_of_an_offset_is_the_kama_moved() -> None:
    # Moves of a quarter and a power of two as offset: every difference stays exact.
    close = 100.0 + np.cumsum(np.random.default_rng(3).integers(-3, 4, BARS)) / 4.0
    plain = PriceArrays(close, close, close, close, close)
    moved = PriceArrays(*(part + 2.0**27 for part in plain))
    np.testing.assert_allclose(
        series("kama(close, 10)", moved) - 2.0**27, series("kama(close, 10)", plain), atol=1e-6
    )


# On a constant series an average is the constant, a spread, a change and a place in no range are 0.
ZERO = ("natr", "cci", "williams_r", "stoch", "mfi", "mom", "roc", "percent_change", "linreg_slope")


@pytest.mark.parametrize("price", [100.0, 1e-6, 1e8, 0.1])
@pytest.mark.parametrize("expression", TALIB)
def test_constant_series(expression: str, price: float) -> None:
    found = series(expression, constant(price))
    first = warm_up(tree(expression))
    assert np.isnan(found[:first]).all()
    wanted = 0.0 if expression.startswith(ZERO) else price
    np.testing.assert_allclose(found[first:], wanted, rtol=1e-14)


def slow_supertrend(p: PriceArrays, period: int, multiplier: float) -> tuple[list[float], list[float]]:
    """TradingView's published rules, a bar at a time, with lists."""
    atr = talib.ATR(p.high, p.low, p.close, period)
    line, direction = [NAN] * BARS, [NAN] * BARS
    upper, lower = [NAN] * BARS, [NAN] * BARS
    for t in range(BARS):
        if math.isnan(atr[t]):
            continue
        source = (p.high[t] + p.low[t]) / 2
        upper[t], lower[t] = source + multiplier * atr[t], source - multiplier * atr[t]
        if math.isnan(atr[t - 1]):
            direction[t] = -1.0
        else:
            if not (lower[t] > lower[t - 1] or p.close[t - 1] < lower[t - 1]):
                lower[t] = lower[t - 1]
            if not (upper[t] < upper[t - 1] or p.close[t - 1] > upper[t - 1]):
                upper[t] = upper[t - 1]
            if line[t - 1] == upper[t - 1]:
                direction[t] = 1.0 if p.close[t] > upper[t] else -1.0
            else:
                direction[t] = -1.0 if p.close[t] < lower[t] else 1.0
        line[t] = lower[t] if direction[t] > 0 else upper[t]
    return line, direction


@pytest.mark.parametrize(("period", "multiplier"), [(10, 3.0), (3, 1.0), (21, 0.5)])
@pytest.mark.parametrize("level", ["ordinary", "tiny", "offset"])
def test_supertrend(level: str, period: int, multiplier: float) -> None:
    prices = LEVELS[level]
    line, direction = slow_supertrend(prices, period, multiplier)
    np.testing.assert_allclose(series(f"supertrend({period}, {multiplier})", prices), line, rtol=1e-9)
    found = series(f"supertrend_direction({period}, {multiplier})", prices)
    np.testing.assert_array_equal(found, direction)
    assert {-1.0, 1.0} <= set(found[period:].tolist())


def test_session_vwap_begins_anew_each_local_day() -> None:
    prices = walk_of(1.0)
    times = pd.date_range("2024-03-28", periods=BARS, freq="30min", tz="Europe/Paris")
    bank = IndicatorBank(prices, Clock(times))
    found = bank.call(Call("vwap", ()))
    price = typical(prices)
    for day in np.unique(times.date):
        rows = np.flatnonzero(times.date == day)
        for t in rows:
            part = rows[rows <= t]
            units = math.fsum(prices.volume[part])
            wanted = math.fsum(price[part] * prices.volume[part]) / units if units else NAN
            np.testing.assert_allclose(found[t], wanted, rtol=1e-12)


def test_a_window_without_volume_has_no_average_price() -> None:
    prices = walk_of(1.0)
    prices.volume[:] = 1e12 + 0.1
    prices.volume[50:] = 1e-3
    prices.volume[100:140] = 0.0
    found = series("rolling_vwap(20)", prices)
    np.testing.assert_allclose(found[80], typical(prices)[61:81].mean(), rtol=1e-12)
    assert np.isnan(found[119:140]).all()
    assert not np.isnan(found[140:]).any()


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_of_ranking_agree_over_ties_and_gaps(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-5, 6, 700).astype(float)
    values[random.integers(0, 700, 4)] = np.nan
    values[random.integers(0, 700, 3)] = np.inf
    for period in (1, 7, 120):
        counted, by_tree = np.full(700, np.nan), np.full(700, np.nan)
        _rank_by_counting(values, period, counted)
        _rank_by_tree(values, period, by_tree)
        np.testing.assert_array_equal(by_tree, counted)


def test_bars_since() -> None:
    prices = walk_of(1.0)
    found = series("bars_since(close > open)", prices)
    last = NAN
    for t in range(BARS):
        last = 0.0 if prices.close[t] > prices.open[t] else last + 1.0
        np.testing.assert_equal(found[t], last)
    # What is unknown does not hold: before the average exists nothing has happened yet.
    assert np.isnan(series("bars_since(close > sma(close, 9) or close <= sma(close, 9))", prices)[:8]).all()
    assert np.isnan(series("bars_since(close < 0)", prices)).all()


def test_hours_and_weekdays_are_the_data_s_own() -> None:
    times = pd.date_range("2024-10-25", periods=BARS, freq="30min", tz="America/New_York")
    bank = IndicatorBank(walk_of(1.0), Clock(times))
    for name, wanted in (("hour", times.hour), ("weekday", times.day_of_week)):
        condition = bind(parse(f"{name} >= 0"), {})
        np.testing.assert_array_equal(bank.varying(condition.left), wanted)  # type: ignore[union-attr]


def test_no_value_depends_on_later_bars() -> None:
    prices = walk_of(1.0)
    clock = Clock(pd.date_range("2024-01-01", periods=BARS, freq="h"))
    short = PriceArrays(*(part[:500].copy() for part in prices))
    for expression in (*TALIB, *NEWER, *SLOW, "supertrend(10, 3)", "vwap()", "bars_since(close > open)"):
        whole = IndicatorBank(prices, clock).varying(tree(expression))
        part = IndicatorBank(short, Clock(clock.times[:500])).varying(tree(expression))
        np.testing.assert_array_equal(part, whole[:500], err_msg=expression)


def test_a_gap_restarts_the_warm_up() -> None:
    prices = walk_of(1.0)
    hole = 60
    prices.volume[:] = 1.0
    prices.volume[hole] = 0.0
    for name in ("wma(X, 4)", "dema(X, 4)", "tema(X, 4)", "kama(X, 4)", "linreg_slope(X, 4)", "zscore(X, 4)",
                 "percentile_rank(X, 4)", "stochrsi_k(X, 4, 4, 2)"):  # fmt: skip
        found = series(name.replace("X", "close / volume"), prices)
        fresh = series(name.replace("X", "close"), PriceArrays(*(part[hole + 1 :] for part in prices)))
        np.testing.assert_allclose(found[hole + 1 :], fresh, rtol=1e-9, atol=1e-12, err_msg=name)
        assert np.isnan(found[hole])


def test_every_function_is_computed_and_warms_up_as_it_says() -> None:
    prices = walk_of(1.0)
    prices.volume[:] = 1.0 + np.arange(BARS) % 7
    clock = Clock(pd.date_range("2024-01-01", periods=BARS, freq="h"))
    for name, function in FUNCTIONS.items():
        if function.condition:
            continue
        given = []
        for one in function.arguments:
            if one.default is None:
                words = {"period": "5", "condition": "close > open", "operand": "close", "series": "close"}
                given.append(f"{one.name}={'volume' if one.name == 'other' else words[one.kind]}")
        node = tree(f"{name}({', '.join(given)})")
        found = IndicatorBank(prices, clock).varying(node)
        assert np.isnan(found[: warm_up(node)]).all(), name
        if name not in LATER:
            assert np.isnan(found).sum() == warm_up(node), name
