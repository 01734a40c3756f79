"""Kernels of weighted and adaptive averages. Shapes and NaN rule are those of `indicators`."""

from __future__ import annotations

import numpy as np

from backtest.kernels.compile import kernel
from backtest.kernels.indicators import Floats


@kernel
def weighted_fit(values: Floats, period: int) -> tuple[Floats, Floats]:
    """Weighted moving average and slope of the straight line through the last `period` values, O(bars).

    The weights are 1 for the oldest to `period` for this bar (TA-Lib's WMA); the slope is the least-squares
    one, in units of the series a bar (LINEARREG_SLOPE). Both follow from the plain and the weighted sum of
    distances from an anchor, summed afresh each period. With a period of 1 the slope is not a number.
    """
    size = values.size
    mean = np.full(size, np.nan)
    slope = np.full(size, np.nan)
    weights = period * (period + 1) / 2.0
    spread = period * (period * period - 1.0) / 12.0
    centre = (period + 1) / 2.0
    anchor = 0.0
    total = 0.0
    weighted = 0.0
    count = 0
    since = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        count += 1
        if count < period:
            continue
        since += 1
        if count == period or since >= period:
            anchor = value
            total = 0.0
            weighted = 0.0
            since = 0
            for place in range(period):
                gap = values[t - period + 1 + place] - anchor
                total += gap
                weighted += (place + 1) * gap
        else:
            new = value - anchor
            weighted += period * new - total
            total += new - (values[t - period] - anchor)
        mean[t] = anchor + weighted / weights
        if period > 1:
            slope[t] = (weighted - centre * total) / spread
    return mean, slope


@kernel
def adaptive_average(values: Floats, period: int) -> Floats:
    """Kaufman's adaptive moving average with his constants 2 and 30; first value at bar `period`.

    It moves by ((efficiency × (2/3 - 2/31)) + 2/31)² of the distance, efficiency being the net change over
    the period divided by the sum of changes: 1 where nothing moved, as in TA-Lib.
    """
    size = values.size
    out = np.full(size, np.nan)
    slowest = 2.0 / 31.0
    reach = 2.0 / 3.0 - slowest
    path = 0.0
    average = 0.0
    count = 0
    since = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        count += 1
        if count <= period:
            average = value
            continue
        since += 1
        if count == period + 1 or since >= period:
            since = 0
            path = 0.0
            for back in range(t - period + 1, t + 1):
                path += abs(values[back] - values[back - 1])
        else:
            path += abs(value - values[t - 1]) - abs(values[t - period] - values[t - period - 1])
        net = abs(value - values[t - period])
        efficiency = 1.0 if path <= net else net / path
        constant = efficiency * reach + slowest
        average += (value - average) * constant * constant
        out[t] = average
    return out
