"""Long series as few points as a screen can show, without losing an extreme."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_POINTS = 2_000
MOST_BARS = 400


def min_max_places(values: Floats, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Which points of a series to draw: of each bucket of equal length its smallest and its largest.

    Args:
        values: n numbers; NaN is a gap.
        most: points at most (buckets are half as many).

    Returns:
        Positions in order, the first and the last of the series among them; all of them where n ≤ most.
    """
    size = values.size
    if size <= most:
        return np.arange(size)
    buckets = max(1, most // 2 - 1)
    length = -(-size // buckets)
    padded = np.full(length * buckets, np.nan)
    padded[:size] = values
    table = padded.reshape(buckets, length)
    starts = np.arange(buckets) * length
    lowest = starts + np.where(np.isnan(table), np.inf, table).argmin(axis=1)
    highest = starts + np.where(np.isnan(table), -np.inf, table).argmax(axis=1)
    found = np.unique(np.concatenate([[0, size - 1], lowest, highest]))
    return found[found < size].astype(np.int64)


def merged_bars(prices: pd.DataFrame, most: int = MOST_BARS) -> tuple[pd.DataFrame, int]:
    """Consecutive bars put together until there are few enough to draw.

    Args:
        prices: open, high, low, close on their times, n rows.
        most: bars at most.

    Returns:
        The bars (first open, highest high, lowest low, last close, at the first one's time; `last` is the
        last one's), and how many of the data's bars each stands for.
    """
    length = max(1, -(-len(prices) // most))
    starts = np.arange(0, len(prices), length)
    stops = np.minimum(starts + length, len(prices)) - 1
    merged = pd.DataFrame(
        {
            "open": prices["open"].to_numpy()[starts],
            "high": np.maximum.reduceat(prices["high"].to_numpy(), starts),
            "low": np.minimum.reduceat(prices["low"].to_numpy(), starts),
            "close": prices["close"].to_numpy()[stops],
            "last": prices.index[stops],
        },
        index=prices.index[starts],
    )
    return merged, length
