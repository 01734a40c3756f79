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
