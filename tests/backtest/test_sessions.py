"""Sessions, memories of conditions and swings against plain loops, written from their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, StrategySpec, canonical_expression, run_backtest, sweep
from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine.bank import IndicatorBank
from backtest.language.parser import parse
from backtest.language.tree import Comparison, Not, bind
from tests.backtest.test_indicators import BARS, Floats, tree, walk_of
from tests.prices import made_up_prices

NAN = float("nan")
TIMES = pd.date_range("2024-03-28 09:30", periods=BARS, freq="30min", tz="Europe/Paris")
"""The clock is moved forward on the third day: that day has two bars less."""
DAYS = [one.date() for one in TIMES]
PRICES = walk_of(1.0)
Slow = Callable[[int], float]


def session(t: int) -> list[int]:
    """Bars of the session of bar `t`, up to it."""
    return [s for s in range(t + 1) if DAYS[s] == DAYS[t]]


def opening_range(column: Floats, choose: Callable[[list[float]], float], period: int) -> Slow:
    def at(t: int) -> float:
        bars = session(t)
        return choose([float(column[s]) for s in bars[:period]]) if len(bars) >= period else NAN

    return at


def vwap_band(sign: int) -> Slow:
    def at(t: int) -> float:
        bars = session(t)
        units = [float(PRICES.volume[s]) for s in bars]
        price = [float(PRICES.high[s] + PRICES.low[s] + PRICES.close[s]) / 3 for s in bars]
        if not any(units):
            return NAN
        middle = math.fsum(u * p for u, p in zip(units, price, strict=True)) / math.fsum(units)
        spread = math.fsum(u * (p - middle) ** 2 for u, p in zip(units, price, strict=True)) / math.fsum(
            units
        )
        return middle + sign * 1.5 * math.sqrt(spread)

    return at


def rose(t: int) -> bool:
    return bool(PRICES.close[t] > PRICES.open[t])


def above_average(t: int) -> bool | None:
    """Whether the close is above its average of five bars; unknown before there is one."""
    return None if t < 4 else bool(PRICES.close[t] > PRICES.close[t - 4 : t + 1].mean())


def kept(column: Floats, back: int) -> Slow:
    def at(t: int) -> float:
        seen = [s for s in range(t + 1) if rose(s)]
        return float(column[seen[-1 - back]]) if len(seen) > back else NAN

    return at


def counted(t: int) -> float:
    answers = [above_average(s) for s in range(t - 5, t + 1)] if t >= 5 else [None]
    return NAN if None in answers else float(sum(map(bool, answers)))


def chosen(t: int) -> float:
    answer = above_average(t)
    return NAN if answer is None else float(PRICES.high[t] if answer else PRICES.low[t])


def swing(column: Floats, sign: int, left: int, right: int) -> Slow:
    def at(t: int) -> float:
        for s in range(t - right, left - 1, -1):
            level = sign * column[s]
            if all(sign * column[s - k] < level for k in range(1, left + 1)) and all(
                sign * column[s + k] <= level for k in range(1, right + 1)
            ):
                return float(column[s])
        return NAN

    return at


def heikin_ashi(part: str) -> Slow:
    bars: list[dict[str, float]] = []
    for t in range(BARS):
        first, high, low, last = (float(column[t]) for column in PRICES[:4])
        before = bars[-1] if bars else {"open": first, "close": last}
        begin, end = (before["open"] + before["close"]) / 2, (first + high + low + last) / 4
        bars.append({"open": begin, "close": end, "high": max(high, begin, end), "low": min(low, begin, end)})
    return lambda t: bars[t][part]


def hull(t: int) -> float:
    def weighted(values: list[float]) -> float:
        return math.fsum(k * one for k, one in enumerate(values, 1)) / (len(values) * (len(values) + 1) / 2)

    def raw(s: int) -> float:
        half, whole = (PRICES.close[s - n + 1 : s + 1].tolist() for n in (7, 15))
        return 2 * weighted(half) - weighted(whole)

    return weighted([raw(s) for s in (t - 2, t - 1, t)]) if t >= 16 else NAN


SLOW: dict[str, Slow] = {
    "session_open()": lambda t: float(PRICES.open[session(t)[0]]),
    "opening_range_high(3)": opening_range(PRICES.high, max, 3),
    "opening_range_low(20)": opening_range(PRICES.low, min, 20),
    "vwap_upper(1.5)": vwap_band(1),
    "vwap_lower(1.5)": vwap_band(-1),
    "count(close > sma(close, 5), 6)": counted,
    "if(close > sma(close, 5), high, low)": chosen,
    "value_when(close > open, high)": kept(PRICES.high, 0),
    "value_when(close > open, low, 3)": kept(PRICES.low, 3),
    "pivot_high(3, 2)": swing(PRICES.high, 1, 3, 2),
    "pivot_low(2, 4)": swing(PRICES.low, -1, 2, 4),
    **{f"heikin_ashi_{part}()": heikin_ashi(part) for part in ("open", "high", "low", "close")},
    "hma(close, 15)": hull,
    "minute": lambda t: float(TIMES[t].minute),
    "day": lambda t: float(TIMES[t].day),
    "month": lambda t: float(TIMES[t].month),
}


@pytest.mark.parametrize("expression", SLOW)
def test_agrees_with_a_plain_loop(expression: str) -> None:
    found = IndicatorBank(PRICES, Clock(TIMES)).varying(tree(expression))
    wanted = [SLOW[expression](t) for t in range(400)]
    np.testing.assert_allclose(found[:400], wanted, rtol=1e-12)
    # Nor does any value change when later bars come.
    short = PriceArrays(*(column[:217].copy() for column in PRICES))
    part = IndicatorBank(short, Clock(TIMES[:217])).varying(tree(expression))
    np.testing.assert_array_equal(part, found[:217])


def test_a_swing_on_a_level_counts_once() -> None:
    high = np.array([1.0, 2.0, 5.0, 5.0, 3.0, 2.0, 2.0, 1.0])
    prices = PriceArrays(high, high, high, high, high)
    found = IndicatorBank(prices, Clock(TIMES[:8])).varying(tree("pivot_high(2, 2)"))
    np.testing.assert_array_equal(found, [NAN] * 4 + [5.0] * 4)


def test_a_sum_of_whole_numbers_is_whole() -> None:
    volume = np.random.default_rng(5).integers(0, 1_000_000, BARS).astype(float)
    found = IndicatorBank(PRICES._replace(volume=volume)).varying(tree("sum(volume, 7)"))
    np.testing.assert_array_equal(found[6:], np.convolve(volume, np.ones(7), "valid").round())


def test_the_contrary_of_what_is_unknown_is_false_too() -> None:
    bank = IndicatorBank(PRICES, Clock(TIMES))
    for expression in ("count(close > sma(close, 5), 6) > 2", "if(close > sma(close, 5), high, low) > open"):
        node = bind(parse(expression), {})
        assert isinstance(node, Comparison)
        unknown = np.isnan(bank.varying(node.left))
        assert unknown.any()
        assert not (bank.truth(node) | bank.truth(Not(node)))[unknown].any()


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("close > max(close, 20)", "window_meant"),
        ("close < min(low, 10)", "window_meant"),
        ("close > quantile(close, 50, 101)", "bad_number"),
        ("close > psar(-0.1, 0.2)", "bad_number"),
        ("close > value_when(close, high)", "expression_type"),
        ("if(close > open, 1) > 0", "wrong_arguments"),
        ("correlation(close, 20) > 0", "expression_type"),
        ("month > 12", "never_true"),
        ("day < 1", "never_true"),
        ("abs(close - open) < 0", "never_true"),
    ],
)
def test_what_makes_no_sense_is_refused(written: str, code: str) -> None:
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", entry_long=written)
    assert caught.value.code == code


def test_words_of_other_libraries_are_understood() -> None:
    for written, meant in {
        "ta.valuewhen(close > open, high, 1) > close": "value_when(close > open, high, 1) > close",
        "since(close > open) < 3": "bars_since(close > open) < 3",
        "math.max(open, close[1]) < close": "max(open, close[1]) < close",
        "close > parabolic SAR": "close > psar(0.02, 0.2)",
        "close > parabolic_sar(0.01, 0.1)": "close > psar(0.01, 0.1)",
        "month is May": "month == 5",
        "day of month <= 3": "day <= 3",
    }.items():
        assert canonical_expression(written) == meant


def test_a_sweep_over_new_functions_is_the_backtest_of_each_row() -> None:
    prices = made_up_prices(1_500, cycle=0.05)
    spec = StrategySpec(
        name="range",
        params={"n": 4, "p": 60},
        entry_long="close > opening_range_high(n) and close > quantile(close, 40, p) and day > 2",
        exit_long="close < psar(0.02, 0.2) or bars_since(close > session_open()) > n",
    )
    table = sweep(prices, spec, {"n": [2, 5], "p": [30, 70]})
    assert table["n_trades"].gt(0).all()
    for row in table.to_dict("records"):
        single = run_backtest(prices, spec.evolve(params={"n": row["n"], "p": row["p"]})).metrics
        assert (single.n_trades, single.total_return) == (row["n_trades"], row["total_return"])
