"""Indicators by their definitions, slowly, in extended precision: the reference of the 1e-9 promise.

Nothing here is shared with the engine: windows are summed afresh at each bar, averages follow their
recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.data.arrays import PriceArrays

Precise = NDArray[np.longdouble]
L = np.longdouble


def unknown(size: int) -> Precise:
    return np.full(size, np.nan, L)


def windows(values: Precise, period: int, reduce: Callable[[Precise], Any]) -> Precise:
    """A reduction of the last `period` values, unknown where one of them is."""
    out = unknown(values.size)
    for t in range(period - 1, values.size):
        part = values[t - period + 1 : t + 1]
        if not np.isnan(part).any():
            out[t] = reduce(part)
    return out


def mean(values: Precise, period: int) -> Precise:
    return windows(values, period, lambda part: part[0] + (part - part[0]).sum() / period)


def deviation(values: Precise, period: int) -> Precise:
    def spread(part: Precise) -> Any:
        moved = part - part[0]
        return np.sqrt(((moved - moved.sum() / period) ** 2).sum() / period)

    return windows(values, period, spread)


def smoothed(values: Precise, period: int, weight: np.longdouble, seeds: int | None = None) -> Precise:
    """`a ← a + weight × (x − a)` from the mean of the first `period` values on, or from bar `seeds` on."""
    out = unknown(values.size)
    known = np.flatnonzero(~np.isnan(values))
    begin = int(known[0]) + period - 1 if seeds is None else seeds
    out[begin] = values[begin - period + 1 : begin + 1].sum() / period
    for t in range(begin + 1, values.size):
        out[t] = out[t - 1] + weight * (values[t] - out[t - 1])
    return out


def exponential(values: Precise, period: int, seeds: int | None = None) -> Precise:
    return smoothed(values, period, L(2) / (period + 1), seeds)


def wilder(values: Precise, period: int) -> Precise:
    return smoothed(values, period, L(1) / period)


def before(values: Precise, bars: int) -> Precise:
    out = unknown(values.size)
    out[bars:] = values[:-bars]
    return out


def quotient(over: Precise, under: Precise, otherwise: float) -> Precise:
    with np.errstate(all="ignore"):
        return np.where(under == 0, L(otherwise), over / under)


def decayed_sum(values: Precise, period: int) -> Precise:
    """Wilder's running sum of directional movement and true range."""
    out = unknown(values.size)
    total = values[1:period].sum()
    for t in range(period, values.size):
        total = total - total / period + values[t]
        out[t] = total
    return out


def adaptive(values: Precise, period: int) -> Precise:
    out = unknown(values.size)
    average = values[period - 1]
    for t in range(period, values.size):
        net = abs(values[t] - values[t - period])
        path = np.abs(np.diff(values[t - period : t + 1])).sum()
        efficiency = L(1) if path <= net else net / path
        average = average + (efficiency * (L(2) / 3 - L(2) / 31) + L(2) / 31) ** 2 * (values[t] - average)
        out[t] = average
    return out


def directional(
    high: Precise, low: Precise, ranges: Precise, period: int
) -> tuple[Precise, Precise, Precise]:
    """+DI, −DI and ADX."""
    rise = np.append(L("nan"), np.diff(high))
    fall = np.append(L("nan"), -np.diff(low))
    upward = np.where((rise > fall) & (rise > 0), rise, L(0))
    downward = np.where((fall > rise) & (fall > 0), fall, L(0))
    reach = decayed_sum(ranges, period)
    plus = quotient(100 * decayed_sum(upward, period), reach, 0.0)
    minus = quotient(100 * decayed_sum(downward, period), reach, 0.0)
    index = quotient(100 * abs(plus - minus), plus + minus, 0.0)
    strength = unknown(high.size)
    begin = 2 * period - 1
    strength[begin] = index[period : begin + 1].sum() / period
    for t in range(begin + 1, high.size):
        moved = (plus + minus)[t] > 0
        strength[t] = (strength[t - 1] * (period - 1) + index[t]) / period if moved else strength[t - 1]
    return plus, minus, strength


def money_flow(high: Precise, low: Precise, close: Precise, volume: Precise, period: int) -> Precise:
    flow = (high + low + close) / 3 * volume
    # A typical price moves as the sum of the three differences does; the sum itself rounds.
    moves = np.append(L(0), np.diff(high) + np.diff(low) + np.diff(close))
    out = unknown(close.size)
    for t in range(period, close.size):
        part = slice(t - period + 1, t + 1)
        up, down = flow[part][moves[part] > 0].sum(), flow[part][moves[part] < 0].sum()
        out[t] = 100 * up / (up + down) if up + down else L(0)
    return out


def balance(close: Precise, volume: Precise) -> Precise:
    signs = np.append(L(1), np.sign(np.diff(close)))
    return np.cumsum(signs * volume)


def volume_price(typical: Precise, volume: Precise, period: int) -> Precise:
    out = unknown(typical.size)
    for t in range(period - 1, typical.size):
        part = slice(t - period + 1, t + 1)
        units = volume[part].sum()
        if units:
            out[t] = typical[t] + ((typical[part] - typical[t]) * volume[part]).sum() / units
    return out


def moments(x: Precise, y: Precise, period: int) -> tuple[Precise, Precise, Precise]:
    """Covariance and variances of the last `period` values, times `period`, unknown where one of them is."""
    found = unknown(x.size), unknown(x.size), unknown(x.size)
    for t in range(period - 1, x.size):
        a, b = x[t - period + 1 : t + 1], y[t - period + 1 : t + 1]
        a, b = (a - a[0]) - (a - a[0]).sum() / period, (b - b[0]) - (b - b[0]).sum() / period
        for out, value in zip(found, ((a * b).sum(), (a * a).sum(), (b * b).sum()), strict=True):
            out[t] = value
    return found


def percentile(values: Precise, period: int, percent: int) -> Precise:
    """Type 7 of Hyndman and Fan: a straight line between the two values around rank (n − 1) p."""

    def at(part: Precise) -> Any:
        ordered, rank = np.sort(part), L(percent) * (period - 1) / 100
        below = int(rank)
        above = min(below + 1, period - 1)
        return ordered[below] + (rank - below) * (ordered[above] - ordered[below])

    return windows(values, period, at)


def weighted(values: Precise, period: int) -> Precise:
    weights = np.arange(1, period + 1).astype(L)
    return windows(values, period, lambda part: part[0] + ((part - part[0]) * weights).sum() / weights.sum())


def age(values: Precise, window: int) -> Precise:
    """Bars since the largest of a window, of equal ones the last."""
    return windows(values, window, lambda part: L(np.argmax(part[::-1])))


def place(value: Precise, high: Precise, low: Precise) -> Precise:
    return quotient(100 * (value - low), high - low, 0.0)


def precise(prices: PriceArrays) -> dict[str, Precise]:
    """Every indicator with one value a bar and a closed definition, by the call that gives it."""
    _, high, low, close, volume = (part.astype(L) for part in prices)
    typical = (high + low + close) / 3
    moves = np.append(L("nan"), np.diff(close))
    ranges = np.maximum(high - low, np.maximum(abs(high - before(close, 1)), abs(low - before(close, 1))))
    gains = wilder(np.where(np.isnan(moves), moves, np.maximum(moves, 0)), 14)
    losses = wilder(np.where(np.isnan(moves), moves, np.maximum(-moves, 0)), 14)
    strength = quotient(100 * gains, gains + losses, 0.0)
    gap = exponential(close - close[25], 12, 25) - exponential(close - close[25], 26, 25)
    signal = exponential(gap, 9)
    plus, minus, adx = directional(high, low, ranges, 14)
    once = exponential(close, 10)
    twice = exponential(once, 10)
    atr = wilder(ranges, 10)
    highest, lowest = windows(high, 14, max), windows(low, 14, min)
    fast_k = mean(place(close, highest, lowest), 3)
    slow_d = mean(fast_k, 3)
    of_strength = place(strength, windows(strength, 14, max), windows(strength, 14, min))
    smooth = mean(of_strength, 3)
    weights = np.arange(1, 21).astype(L)
    steps = np.arange(14) - L("6.5")
    scatter = windows(typical, 20, lambda part: abs(part - part[0] - (part - part[0]).sum() / 20).sum() / 20)
    conversion = (windows(high, 9, max) + windows(low, 9, min)) / 2
    base = (windows(high, 26, max) + windows(low, 26, min)) / 2
    moved = exponential(exponential(exponential(close - close[0], 5), 5), 5)
    up = 100 * (25 - age(high, 26)) / 25
    down = 100 * (25 - age(-low, 26)) / 25
    reach = windows(ranges, 14, sum)
    width = high - low
    money = volume * quotient((close - low) - (high - close), width, 0.0)
    covariance, of_close, of_open = moments(close, prices.open.astype(L), 30)
    returns = [np.append(L("nan"), np.diff(one) / one[:-1]) for one in (close, prices.open.astype(L))]
    together, _, of_other = moments(*returns, 20)
    return {
        "hma(close, 20)": weighted(2 * weighted(close, 10) - weighted(close, 20), 4),
        "trix(close, 5)": 100 * (moved - before(moved, 1)) / (before(moved, 1) + close[0]),
        "aroon_up(25)": up,
        "aroon_down(25)": down,
        "aroon_oscillator(25)": up - down,
        "vortex_plus(14)": quotient(windows(abs(high - before(low, 1)), 14, sum), reach, np.nan),
        "vortex_minus(14)": quotient(windows(abs(low - before(high, 1)), 14, sum), reach, np.nan),
        "heikin_ashi_close()": (prices.open.astype(L) + high + low + close) / 4,
        "cmf(20)": quotient(windows(money, 20, sum), windows(volume, 20, sum), np.nan),
        "sum(close, 7)": windows(close, 7, sum),
        "abs(close - open)": abs(close - prices.open.astype(L)),
        "log(close)": np.log(close),
        "max(close, close[1])": np.where(close > before(close, 1), close, before(close, 1)),
        "min(close, close[1])": np.where(close < before(close, 1), close, before(close, 1)),
        "quantile(close, 30, 80)": percentile(close, 30, 80),
        "correlation(close, open, 30)": quotient(covariance, np.sqrt(of_close * of_open), np.nan),
        "beta(close, open, 20)": quotient(together, of_other, np.nan),
        "sma(close, 20)": mean(close, 20),
        "ema(close, 20)": exponential(close, 20),
        "stddev(close, 20)": deviation(close, 20),
        "rsi(close, 14)": strength,
        "macd(close, 12, 26, 9)": np.where(np.isnan(signal), L("nan"), gap),
        "macd_signal(close, 12, 26, 9)": signal,
        "macd_histogram(close, 12, 26, 9)": gap - signal,
        "bollinger_upper(close, 20, 2)": mean(close, 20) + 2 * deviation(close, 20),
        "bollinger_middle(close, 20, 2)": mean(close, 20),
        "bollinger_lower(close, 20, 2)": mean(close, 20) - 2 * deviation(close, 20),
        "atr(14)": wilder(ranges, 14),
        "natr(14)": 100 * wilder(ranges, 14) / close,
        "plus_di(14)": plus,
        "minus_di(14)": minus,
        "adx(14)": adx,
        "wma(close, 20)": windows(close, 20, lambda part: (part * weights).sum() / weights.sum()),
        "dema(close, 10)": 2 * once - twice,
        "tema(close, 10)": 3 * (once - twice) + exponential(twice, 10),
        "kama(close, 10)": adaptive(close, 10),
        "linreg_slope(close, 14)": windows(
            close, 14, lambda part: (steps * (part - part[0])).sum() / L("227.5")
        ),
        "mom(close, 10)": close - before(close, 10),
        "change(close, 5)": close - before(close, 5),
        "roc(close, 10)": 100 * (close - before(close, 10)) / before(close, 10),
        "percent_change(close, 3)": 100 * (close - before(close, 3)) / before(close, 3),
        "cci(20)": quotient(typical - mean(typical, 20), L("0.015") * scatter, 0.0),
        "williams_r(14)": quotient(-100 * (highest - close), highest - lowest, 0.0),
        "stoch_k(14, 3, 3)": np.where(np.isnan(slow_d), L("nan"), fast_k),
        "stoch_d(14, 3, 3)": slow_d,
        "stochrsi_k(close, 14, 14, 3)": np.where(np.isnan(smooth), L("nan"), of_strength),
        "stochrsi_d(close, 14, 14, 3)": smooth,
        "mfi(14)": money_flow(high, low, close, volume, 14),
        "obv()": balance(close, volume),
        "rolling_vwap(20)": volume_price(typical, volume, 20),
        "keltner_upper(20, 2, 10)": exponential(close, 20) + 2 * atr,
        "keltner_middle(20, 2, 10)": exponential(close, 20),
        "keltner_lower(20, 2, 10)": exponential(close, 20) - 2 * atr,
        "donchian_upper(20)": windows(high, 20, max),
        "donchian_lower(20)": windows(low, 20, min),
        "highest(close, 7)": windows(close, 7, max),
        "lowest(close, 7)": windows(close, 7, min),
        "ichimoku_conversion(9)": conversion,
        "ichimoku_base(26)": base,
        "ichimoku_span_a(9, 26)": (conversion + base) / 2,
        "ichimoku_span_b(52)": (windows(high, 52, max) + windows(low, 52, min)) / 2,
        "zscore(close, 20)": quotient(close - mean(close, 20), deviation(close, 20), np.nan),
        "percentile_rank(close, 100)": windows(
            close, 101, lambda part: L(100) * (part[:-1] <= part[-1]).sum() / 100
        ),
    }
