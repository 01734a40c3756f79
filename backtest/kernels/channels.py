"""Kernels of trailing bands and volume-weighted prices. Shapes and NaN rule: `indicators`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import kernel
from backtest.kernels.indicators import Floats


@kernel
def trailing_bands(
    high: Floats, low: Floats, close: Floats, atr: Floats, multiplier: float
) -> tuple[Floats, Floats]:
    """SuperTrend and its direction (1 up, -1 down), from the first bar that has an average true range.

    Bands stand `multiplier` ranges from the middle of the bar. The lower one never falls and the upper one
    never rises, until the previous close has left them. The line is the lower band in an uptrend and the
    upper one in a downtrend; a close beyond it turns the trend. The first bar counts as down, as TradingView
    has it.
    """
    size = close.size
    line = np.full(size, np.nan)
    direction = np.full(size, np.nan)
    upper = 0.0
    lower = 0.0
    up = False
    begun = False
    for t in range(size):
        reach = atr[t] * multiplier
        if np.isnan(reach):
            begun = False
            continue
        middle = (high[t] + low[t]) / 2.0
        new_upper = middle + reach
        new_lower = middle - reach
        if not begun:
            upper = new_upper
            lower = new_lower
            up = False
            begun = True
        else:
            before = close[t - 1]
            if new_upper < upper or before > upper:
                upper = new_upper
            if new_lower > lower or before < lower:
                lower = new_lower
            up = close[t] >= lower if up else close[t] > upper
        line[t] = lower if up else upper
        direction[t] = 1.0 if up else -1.0
    return line, direction


@kernel
def session_price(typical: Floats, volume: Floats, days: NDArray[np.int64]) -> Floats:
    """Volume-weighted average price since the day began; NaN while nothing was traded in it.

    Args:
        typical: typical prices.
        volume: units traded.
        days: a number that changes where a new session begins.
    """
    size = typical.size
    out = np.full(size, np.nan)
    anchor = 0.0
    money = 0.0
    units = 0.0
    for t in range(size):
        if t == 0 or days[t] != days[t - 1]:
            anchor = typical[t]
            money = 0.0
            units = 0.0
        money += (typical[t] - anchor) * volume[t]
        units += volume[t]
        if units > 0.0:
            out[t] = anchor + money / units
    return out


@kernel
def session_deviation(typical: Floats, volume: Floats, days: NDArray[np.int64]) -> Floats:
    """Volume-weighted population standard deviation of typical prices since the day began.

    Squares grow by the distances from the old and the new average (West, 1979): no digits are lost to the
    level of the prices. Arguments and what is unknown: `session_price`.
    """
    size = typical.size
    out = np.full(size, np.nan)
    mean = 0.0
    squares = 0.0
    units = 0.0
    for t in range(size):
        if t == 0 or days[t] != days[t - 1]:
            mean = typical[t]
            squares = 0.0
            units = 0.0
        if volume[t] > 0.0:
            units += volume[t]
            before = typical[t] - mean
            mean += before * (volume[t] / units)
            squares += volume[t] * before * (typical[t] - mean)
        if units > 0.0:
            out[t] = np.sqrt(squares / units)
    return out


@kernel
def parabolic_stop(high: Floats, low: Floats, step: float, limit: float) -> Floats:
    """Wilder's parabolic stop and reverse, from the second bar on, as TA-Lib's SAR has it.

    The stop of a bar is known at the close of the one before, but where the bar reaches it: then it is the
    extreme of the position that has ended. The first position is a long unless the second bar moved down by
    more than it moved up.
    """
    size = high.size
    out = np.full(size, np.nan)
    if size < 2:
        return out
    step = min(step, limit)
    fall = low[0] - low[1]
    # A short is a long of prices upside down: one rule serves both.
    sign = -1.0 if fall > 0.0 and high[1] - high[0] < fall else 1.0
    stop = low[0] if sign > 0.0 else high[0]
    extreme = high[1] if sign > 0.0 else low[1]
    pace = step
    for t in range(1, size):
        # The side that the stop guards, of this bar and of the one before; the first bar has none before it.
        last = t - 1 if t > 1 else 1
        if sign > 0.0:
            near, near_before, far = low[t], low[last], high[t]
        else:
            near, near_before, far = high[t], high[last], low[t]
        if near * sign <= stop * sign:
            other, other_before = far, high[last] if sign > 0.0 else low[last]
            sign = -sign
            stop = extreme
            if (other_before - stop) * sign < 0.0:
                stop = other_before
            if (other - stop) * sign < 0.0:
                stop = other
            out[t] = stop
            pace = step
            extreme = near
            near, near_before = other, other_before
        else:
            out[t] = stop
            if (far - extreme) * sign > 0.0:
                extreme = far
                pace = min(pace + step, limit)
        stop += pace * (extreme - stop)
        if (stop - near_before) * sign > 0.0:
            stop = near_before
        if (stop - near) * sign > 0.0:
            stop = near
    return out


@kernel
def half_way_opens(first: float, means: Floats) -> Floats:
    """Heikin-Ashi opens: each half-way between the last one and the last bar's mean price.

    Args:
        first: the first of them.
        means: mean of open, high, low and close of each bar.
    """
    out = np.empty(means.size)
    for t in range(means.size):
        out[t] = first if t == 0 else (out[t - 1] + means[t - 1]) / 2.0
    return out


@kernel
def rolling_price(typical: Floats, volume: Floats, period: int) -> Floats:
    """Volume-weighted average price of the last `period` bars; NaN where nothing was traded in them."""
    size = typical.size
    out = np.full(size, np.nan)
    anchor = 0.0
    money = 0.0
    units = 0.0
    traded = 0
    for t in range(size):
        traded += volume[t] > 0.0
        if t >= period:
            traded -= volume[t - period] > 0.0
        if t < period - 1:
            continue
        fresh = (t + 1) % period == 0
        if not fresh:
            # A spike that leaves the window takes the digits of the rest with it: then count anew.
            old = volume[t - period]
            money += (typical[t] - anchor) * volume[t] - (typical[t - period] - anchor) * old
            units += volume[t] - old
            fresh = old > 100.0 * units
        if fresh:
            anchor = typical[t]
            money = 0.0
            units = 0.0
            for back in range(t - period + 1, t + 1):
                money += (typical[back] - anchor) * volume[back]
                units += volume[back]
        if traded > 0:
            out[t] = anchor + money / units
    return out
