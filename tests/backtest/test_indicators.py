"""Indicators against TA-Lib, and against numpy where TA-Lib itself loses digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays
from backtest.engine import tiles
from backtest.engine.bank import IndicatorBank
from backtest.kernels.tiles import TILE
from backtest.language.functions import warm_up
from backtest.language.parser import parse
from backtest.language.tree import Call, Comparison, Node, bind

Floats = NDArray[np.float64]
Reference = Callable[[PriceArrays], Floats]
BARS = 900


def walk_of(scale: float, offset: float = 0.0, seed: int = 7) -> PriceArrays:
    """A random walk around 100, scaled and moved."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, BARS)))
    opening = np.concatenate(([100.0], close[:-1])) * (1.0 + random.normal(0.0, 0.002, BARS))
    high = np.maximum(opening, close) * (1.0 + np.abs(random.normal(0.0, 0.004, BARS)))
    low = np.minimum(opening, close) * (1.0 - np.abs(random.normal(0.0, 0.004, BARS)))
    volume = random.integers(0, 1_000, BARS).astype(float)
    return PriceArrays(*(part * scale + offset for part in (opening, high, low, close)), volume)


def constant(price: float) -> PriceArrays:
    return PriceArrays(*(np.full(BARS, price) for _ in range(5)))


def series(expression: str, prices: PriceArrays) -> Floats:
    condition = bind(parse(f"{expression} > 0"), {})
    assert isinstance(condition, Comparison)
    return IndicatorBank(prices).varying(condition.left)


def tree(expression: str) -> Node:
    condition = bind(parse(f"{expression} > 0"), {})
    assert isinstance(condition, Comparison)
    return condition.left


TALIB: dict[str, Reference] = {
    "sma(close, 20)": lambda p: talib.SMA(p.close, 20),
    "ema(close, 20)": lambda p: talib.EMA(p.close, 20),
    "ema(high, 3)": lambda p: talib.EMA(p.high, 3),
    "rsi(close, 14)": lambda p: talib.RSI(p.close, 14),
    "rsi(typical, 2)": lambda p: talib.RSI(talib.TYPPRICE(p.high, p.low, p.close), 2),
    "macd(close, 12, 26, 9)": lambda p: talib.MACD(p.close, 12, 26, 9)[0],
    "macd_signal(close, 12, 26, 9)": lambda p: talib.MACD(p.close, 12, 26, 9)[1],
    "macd_histogram(close, 5, 35, 5)": lambda p: talib.MACD(p.close, 5, 35, 5)[2],
    "stddev(close, 20)": lambda p: talib.STDDEV(p.close, 20, 1.0),
    "bollinger_upper(close, 20, 2.5)": lambda p: talib.BBANDS(p.close, 20, 2.5, 2.5)[0],
    "bollinger_middle(close, 20, 2.5)": lambda p: talib.BBANDS(p.close, 20, 2.5, 2.5)[1],
    "bollinger_lower(close, 20, 2.5)": lambda p: talib.BBANDS(p.close, 20, 2.5, 2.5)[2],
    "atr(14)": lambda p: talib.ATR(p.high, p.low, p.close, 14),
    "adx(14)": lambda p: talib.ADX(p.high, p.low, p.close, 14),
    "plus_di(14)": lambda p: talib.PLUS_DI(p.high, p.low, p.close, 14),
    "minus_di(7)": lambda p: talib.MINUS_DI(p.high, p.low, p.close, 7),
    "donchian_upper(20)": lambda p: talib.MAX(p.high, 20),
    "donchian_lower(20)": lambda p: talib.MIN(p.low, 20),
    "highest(close, 7)": lambda p: talib.MAX(p.close, 7),
    "lowest(volume, 7)": lambda p: talib.MIN(p.volume, 7),
    "change(close, 5)": lambda p: talib.MOM(p.close, 5),
}
# A MACD is a difference of averages near 100: relative to itself its rounding grows where it crosses 0.
ROOM = {"macd": 1e-11, "macd_signal": 1e-11, "macd_histogram": 1e-11, "change": 1e-13}


@pytest.mark.parametrize("expression", TALIB)
def test_agrees_with_talib(expression: str) -> None:
    prices = walk_of(1.0)
    found, wanted = series(expression, prices), TALIB[expression](prices)
    node = tree(expression)
    assert isinstance(node, Call)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=ROOM.get(node.function, 0.0))
    assert np.isnan(found).sum() == warm_up(node)


# TA-Lib takes variances and ranges below 1e-14 for zero and squares raw prices: no oracle for deviations.
STABLE = [
    name
    for name in TALIB
    if not name.startswith(("stddev", "bollinger_upper", "bollinger_lower", "lowest(vol"))
]


@pytest.mark.parametrize("expression", STABLE)
def test_keeps_its_digits_on_tiny_prices(expression: str) -> None:
    prices = walk_of(1e-6)
    np.testing.assert_allclose(series(expression, prices), TALIB[expression](prices), rtol=1e-9, atol=1e-17)


@pytest.mark.parametrize("expression", STABLE)
def test_keeps_its_digits_on_a_large_offset(expression: str) -> None:
    prices = walk_of(1.0, 1e8)
    wanted = TALIB[expression](prices)
    # One unit in the last place of 1e8 is 1.5e-8; averages of prices cannot be nearer.
    np.testing.assert_allclose(series(expression, prices), wanted, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", ["macd", "macd_signal", "macd_histogram"])
@pytest.mark.parametrize("offset", [2.0**27, 2.0**40])
def test_macd_is_of_the_differences_whatever_the_offset(name: str, offset: float) -> None:
    # Steps of a quarter and a power of two as offset: every difference of prices stays exact.
    close = 100.0 + np.cumsum(np.random.default_rng(3).integers(-3, 4, BARS)) / 4.0
    plain, moved = (PriceArrays(*(close + by for _ in range(5))) for by in (0.0, offset))
    wanted = series(f"{name}(close, 12, 26, 9)", plain)
    np.testing.assert_allclose(series(f"{name}(close, 12, 26, 9)", moved), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-6, 0.0), (1.0, 1e8), (1e8, 0.0)])
@pytest.mark.parametrize("period", [2, 20, 333])
def test_deviation_against_two_passes(scale: float, offset: float, period: int) -> None:
    prices = walk_of(scale, offset)
    windows = np.lib.stride_tricks.sliding_window_view(prices.close, period)
    # The distance from the window's first price is exact enough to square, whatever the offset.
    wanted = (windows - windows[:, :1]).std(axis=1)
    found = series(f"stddev(close, {period})", prices)
    assert np.isnan(found[: period - 1]).all()
    np.testing.assert_allclose(found[period - 1 :], wanted, rtol=1e-7 if period == 2 else 1e-9)
    np.testing.assert_allclose(
        series(f"sma(close, {period})", prices)[period - 1 :],
        windows[:, 0] + (windows - windows[:, :1]).mean(axis=1),
        rtol=1e-14,
    )


@pytest.mark.parametrize("height", [1.1, 50.0, 1e6])
@pytest.mark.parametrize("period", [3, 20])
def test_deviation_keeps_its_digits_beside_a_spike(height: float, period: int) -> None:
    """A bad tick must not blur the windows that it has just left."""
    close = walk_of(1.0).close[:200].copy()
    close[90] *= height
    close[120:] = close[119]
    found = series(f"stddev(close, {period})", PriceArrays(close, close, close, close, close))
    windows = np.lib.stride_tricks.sliding_window_view(close, period)
    wanted = (windows - windows[:, -1:]).std(axis=1)
    np.testing.assert_allclose(found[period - 1 :], wanted, rtol=1e-9)
    assert (found[119 + period :] == 0.0).all()


@pytest.mark.parametrize("price", [100.0, 1e-6, 1e8, 0.1])
@pytest.mark.parametrize("expression", [name for name in TALIB if "volume" not in name])
def test_constant_series(expression: str, price: float) -> None:
    prices = constant(price)
    found, wanted = series(expression, prices), TALIB[expression](prices)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * price)
    if expression.startswith("stddev"):
        assert (found[19:] == 0.0).all()


@pytest.mark.parametrize(
    "expression", ["sma(X, 4)", "ema(X, 4)", "rsi(X, 4)", "stddev(X, 4)", "highest(X, 4)"]
)
def test_a_gap_restarts_the_warm_up(expression: str) -> None:
    """Behind a division by zero an indicator is what it would be if the data began there."""
    prices = walk_of(1.0)
    hole = 40
    prices.volume[:] = 1.0
    prices.volume[hole] = 0.0
    found = series(expression.replace("X", "close / volume"), prices)
    fresh = series(expression.replace("X", "close"), PriceArrays(*(part[hole + 1 :] for part in prices)))
    before = series(expression.replace("X", "close"), PriceArrays(*(part[:hole] for part in prices)))
    np.testing.assert_allclose(found[hole + 1 :], fresh, rtol=1e-12)
    np.testing.assert_allclose(found[:hole], before, rtol=1e-12)
    assert np.isnan(found[hole])


@pytest.mark.parametrize(
    "expression", ["ema(rsi(close, 14), 5)", "sma(atr(14), 10)", "rsi(macd(close, 12, 26, 9), 9)"]
)
def test_indicators_of_indicators(expression: str) -> None:
    prices = walk_of(1.0)
    inner: dict[str, Callable[[], Floats]] = {
        "ema(rsi(close, 14), 5)": lambda: talib.EMA(talib.RSI(prices.close, 14)[14:], 5),
        "sma(atr(14), 10)": lambda: talib.SMA(talib.ATR(prices.high, prices.low, prices.close, 14)[14:], 10),
        "rsi(macd(close, 12, 26, 9), 9)": lambda: talib.RSI(talib.MACD(prices.close, 12, 26, 9)[0][33:], 9),
    }
    wanted = inner[expression]()
    found = series(expression, prices)
    np.testing.assert_allclose(found[-wanted.size :], wanted, rtol=1e-9)
    assert np.isnan(found[: -wanted.size]).all()
    assert np.isnan(found).sum() == warm_up(tree(expression))


@pytest.mark.parametrize("expression", ["rising(close, 3)", "falling(close, 3)"])
def test_trends_mean_every_one_of_the_last_bars(expression: str) -> None:
    prices = walk_of(1.0)
    steps = np.sign(pd.Series(prices.close).diff()) * (1 if expression.startswith("rising") else -1)
    wanted = (steps == 1).rolling(3).sum().eq(3).to_numpy()
    found = IndicatorBank(prices).truth(bind(parse(expression), {}))
    contrary = IndicatorBank(prices).truth(bind(parse(f"not {expression}"), {}))
    assert np.array_equal(found, wanted)
    assert np.array_equal(contrary[3:], ~wanted[3:])
    assert not contrary[:3].any()


TOGETHER = (
    *(f"{name}(close, n) > close" for name in ("sma", "ema", "rsi")),
    "crosses_above(ema(close, n), sma(high, n))",
    "crosses_below(ema(close, n), sma(high, n))",
    "crosses_above(close, sma(close, n))",
    "ema(rsi(close, n), n) <= 50",
    "2 * sma(close, n) - ema(low, n) >= high",
    "close / (sma(close, n) - close) != -ema(close, n)[3]",
    "rsi(close, n)[n * 50] < rsi(close, n)",  # some of these lags are longer than a tile
    "sma(close, n) + atr(n) == sma(close, n)[n]",
)


@pytest.mark.parametrize("stretch", [TILE, 10 * TILE], ids=["many stretches", "one"])
def test_conditions_made_in_tiles_are_those_of_whole_series(
    stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_STRETCH", stretch)
    random = np.random.default_rng(5)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, 2 * TILE + 100))), 1)
    high, low = close + 0.1, close - 0.1
    close[[0, 300, 301, 340, TILE - 1, TILE + 70, 2 * TILE, 2 * TILE + 99]] = np.nan
    prices = PriceArrays(close, high, low, close, close)
    wanted, whole = [], []
    for text in TOGETHER:
        for period in (2, 3, 9, 31, 57, 120, 250):
            node = bind(parse(text, ["n"]), {"n": period})
            whole.append(IndicatorBank(prices).words(node))
            row = len(wanted)
            match node:
                case Comparison(operator=operator, left=left, right=right):
                    wanted.append(tiles.Wanted(left, right, operator, (row, -1)))
                case Call(function=way, arguments=(left, right)):
                    rows = (row, -1) if way == "crosses_above" else (-1, row)
                    wanted.append(tiles.Wanted(left, right, "", rows))
    found = np.full((len(wanted), (close.size + 63) // 64), 2**64 - 1, dtype=np.uint64)
    tiles.write_words(IndicatorBank(prices), wanted, found)
    assert sum(words.any() for words in whole) > 60  # not of equality, nor behind a lag beyond the data
    for one, row, words in zip(wanted, found, whole, strict=True):
        assert tiles.tiled(one.first) or tiles.tiled(one.second)
        np.testing.assert_array_equal(row, words, str(one))


def test_a_full_bank_forgets_what_was_used_least() -> None:
    prices = walk_of(1.0)
    bank = IndicatorBank(prices)
    often, once, never = (tree(f"sma(close, {period})") for period in (5, 6, 7))
    first = bank.varying(often)
    for node in (once, often, never, once, often):
        bank.varying(node)
    bank.keep_within(2 * prices.close.nbytes)
    assert bank.varying(often) is first
    kept, again = bank.varying(once), bank.varying(never)
    bank.keep_within(2 * prices.close.nbytes)
    assert bank.varying(once) is kept
    assert bank.varying(never) is not again
    np.testing.assert_array_equal(bank.varying(never), again)


def test_no_value_depends_on_later_bars() -> None:
    prices = walk_of(1.0)
    short = PriceArrays(*(part[:500].copy() for part in prices))
    for expression in TALIB:
        assert np.array_equal(series(expression, short), series(expression, prices)[:500], equal_nan=True)
