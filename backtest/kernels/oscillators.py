"""Kernels of oscillators and of what counts in windows. Shapes and NaN rule: `indicators`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import kernel
from backtest.kernels.indicators import Floats

COUNTED = 250
"""Up to here comparing with every value of a window is faster than a tree (measured)."""


@kernel
def place_in_range(values: Floats, highest: Floats, lowest: Floats) -> Floats:
    """Where a value stands between two others, 0 (at the lowest) to 100; 0 where they are equal (TA-Lib)."""
    size = values.size
    out = np.full(size, np.nan)
    for t in range(size):
        width = highest[t] - lowest[t]
        if width > 0.0:
            out[t] = 100.0 * (values[t] - lowest[t]) / width
        elif width == 0.0:
            out[t] = 0.0
    return out


@kernel
def commodity_channel(values: Floats, mean: Floats, period: int) -> Floats:
    """Lambert's CCI: distance from the mean in units of 0.015 mean absolute deviations; 0 without any.

    Args:
        values: typical prices, or their distances from any price.
        mean: their simple average of the last `period` bars.
        period: bars; the cost grows with it: each bar's mean is another, and sums of parts of a window that
            are carried from bar to bar lose digits for good.
    """
    size = values.size
    out = np.full(size, np.nan)
    fours = period - period % 4
    for t in range(size):
        centre = mean[t]
        if np.isnan(centre):
            continue
        # Four sums side by side: one alone waits for itself at every step.
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        begin = t - period + 1
        for back in range(begin, begin + fours, 4):
            first += abs(values[back] - centre)
            second += abs(values[back + 1] - centre)
            third += abs(values[back + 2] - centre)
            fourth += abs(values[back + 3] - centre)
        for back in range(begin + fours, t + 1):
            first += abs(values[back] - centre)
        total = (first + second) + (third + fourth)
        out[t] = (values[t] - centre) * period / (0.015 * total) if total > 0.0 else 0.0
    return out


@kernel
def money_flow(typical: Floats, volume: Floats, period: int) -> Floats:
    """Money flow index, 0 to 100, first value at bar `period`; 0 where no money flowed, as in TA-Lib.

    Money is typical price × volume; it flows up where the typical price rose, down where it fell. How many
    bars of a window flowed each way is counted, so that a rest of rounding never passes for a flow.
    """
    size = typical.size
    out = np.full(size, np.nan)
    flows = np.zeros(size)
    for t in range(1, size):
        if typical[t] > typical[t - 1]:
            flows[t] = typical[t] * volume[t]
        elif typical[t] < typical[t - 1]:
            flows[t] = -typical[t] * volume[t]
    up = 0.0
    down = 0.0
    ups = 0
    downs = 0
    for t in range(1, size):
        flow = flows[t]
        if flow > 0.0:
            ups += 1
            up += flow
        elif flow < 0.0:
            downs += 1
            down -= flow
        if t > period:
            old = flows[t - period]
            if old > 0.0:
                ups -= 1
                up -= old
            elif old < 0.0:
                downs -= 1
                down += old
        if t < period:
            continue
        # A spike that leaves the window takes the digits of the rest with it: then count anew.
        if t % period == 0 or abs(flows[t - period]) > 100.0 * min(up, down):
            up = 0.0
            down = 0.0
            for back in range(t - period + 1, t + 1):
                if flows[back] > 0.0:
                    up += flows[back]
                else:
                    down -= flows[back]
        if ups == 0:
            up = 0.0
        if downs == 0:
            down = 0.0
        both = up + down
        out[t] = 100.0 * up / both if both > 0.0 else 0.0
    return out


@kernel
def balance_volume(values: Floats, volume: Floats) -> Floats:
    """On-balance volume: the first bar's volume, then plus or minus each bar's as the close rose or fell."""
    size = values.size
    out = np.empty(size)
    total = 0.0
    for t in range(size):
        if t == 0 or values[t] > values[t - 1]:
            total += volume[t]
        elif values[t] < values[t - 1]:
            total -= volume[t]
        out[t] = total
    return out


@kernel
def _rank_by_counting(values: Floats, period: int, out: Floats) -> None:
    """`rank_in_window` by comparing with each value of the window: the faster way where windows are short."""
    count = 0
    for t in range(values.size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        count += 1
        if count <= period:
            continue
        below = 0
        for back in range(t - period, t):
            below += values[back] <= value
        out[t] = 100.0 * below / period


@kernel
def _rank_by_tree(values: Floats, period: int, out: Floats) -> None:
    """`rank_in_window` by a Fenwick tree over the values in order: log(bars) a bar, whatever the period."""
    size = values.size
    known = np.where(np.isnan(values), np.inf, values)
    order = np.argsort(known)
    ranks = np.empty(size, dtype=np.int64)
    rank = 0
    for place in range(size):
        if place == 0 or known[order[place]] != known[order[place - 1]]:
            rank = place + 1
        ranks[order[place]] = rank
    tree = np.zeros(size + 1, dtype=np.int64)
    held = 0
    for t in range(size):
        forgotten = held if np.isnan(values[t]) else 0
        if held == period and not np.isnan(values[t]):
            below = 0
            node = ranks[t]
            while node > 0:
                below += tree[node]
                node -= node & -node
            out[t] = 100.0 * below / period
            forgotten = 1
        for back in range(t - held, t - held + forgotten):
            node = ranks[back]
            while node <= size:
                tree[node] -= 1
                node += node & -node
        held -= forgotten
        if np.isnan(values[t]):
            continue
        held += 1
        node = ranks[t]
        while node <= size:
            tree[node] += 1
            node += node & -node


@kernel
def rank_in_window(values: Floats, period: int) -> Floats:
    """Percentage, 0 to 100, of the `period` values before this one that are not above it.

    First value at bar `period`. The same count by either way.
    """
    out = np.full(values.size, np.nan)
    if period <= COUNTED:
        _rank_by_counting(values, period, out)
    else:
        _rank_by_tree(values, period, out)
    return out


@kernel
def quantile_in_window(values: Floats, period: int, share: float) -> Floats:
    """The value below which a share of the last `period` values lies, on a straight line between neighbours.

    Hyndman and Fan's type 7. The window is kept in order: the new value takes the place of the one that
    leaves, and those between them move by one, so the cost grows with the period where values jump.
    """
    size = values.size
    out = np.full(size, np.nan)
    ordered = np.empty(period)
    rank = share * (period - 1)
    below = int(rank)
    above = min(below + 1, period - 1)
    count = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        place = count
        if count == period:
            place = np.searchsorted(ordered, values[t - period])
        else:
            count += 1
        while place > 0 and ordered[place - 1] > value:
            ordered[place] = ordered[place - 1]
            place -= 1
        while place < count - 1 and ordered[place + 1] < value:
            ordered[place] = ordered[place + 1]
            place += 1
        ordered[place] = value
        if count == period:
            out[t] = ordered[below] + (rank - below) * (ordered[above] - ordered[below])
    return out


@kernel
def bars_since_true(truth: NDArray[np.bool_]) -> Floats:
    """Bars since a condition last held: 0 where it holds, NaN before it ever did."""
    size = truth.size
    out = np.full(size, np.nan)
    last = -1
    for t in range(size):
        if truth[t]:
            last = t
        if last >= 0:
            out[t] = t - last
    return out
