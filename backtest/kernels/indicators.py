"""Indicator kernels: a float64 series in, a float64 series of the same length out, NaN until warm.

Conventions are TA-Lib's: EMA seeded with the simple average, Wilder's smoothing in RSI, ATR and the
directional indicators, both averages of MACD seeded at the same bar, population standard deviation. Where
TA-Lib takes a value under 1e-14 for zero, only zero itself counts here, so that prices of 1e-6 keep their
bands.

NaN rule: a gap in the input ends what came before it; the indicator warms up again behind it. Every value
depends on its own bar and those before only. Windows are summed as distances from an anchor that is renewed
each period, or from sums of twice the digits, so that neither drift nor a large offset of the prices costs
digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import inlined, kernel

Floats = NDArray[np.float64]


# Below this share of the largest sum since the last anchor a variance is not told by a difference of sums.
_LOST_DIGITS = 1e-5


@kernel
def _variance(values: Floats, stop: int, period: int) -> float:
    """Population variance of the `period` values up to `stop`, in two passes; 0 where all are equal."""
    anchor = values[stop]
    total = 0.0
    for t in range(stop - period + 1, stop + 1):
        total += values[t] - anchor
    centre = anchor + total / period
    squares = 0.0
    for t in range(stop - period + 1, stop + 1):
        squares += (values[t] - centre) ** 2
    return squares / period


@kernel
def moving_deviation(values: Floats, period: int) -> Floats:
    """Population standard deviation of the last `period` bars, O(bars).

    Running sums from an anchor among the values; a window that a spike has just left, or beside which the
    anchor lies far away, is summed anew.
    """
    size = values.size
    deviation = np.full(size, np.nan)
    anchor = 0.0
    total = 0.0
    squares = 0.0
    largest = 0.0
    count = 0
    since = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        if count == 0:
            anchor = value
            total = 0.0
            squares = 0.0
            largest = 0.0
            since = 0
        if count == period:
            old = values[t - period] - anchor
            total -= old
            squares -= old * old
        else:
            count += 1
        new = value - anchor
        total += new
        squares += new * new
        largest = max(largest, squares)
        since += 1
        if count == period:
            if since >= period:
                anchor = value
                total = 0.0
                squares = 0.0
                since = 0
                for back in range(t - period + 1, t + 1):
                    gap = values[back] - anchor
                    total += gap
                    squares += gap * gap
                largest = squares
            centre = total / period
            variance = squares / period - centre * centre
            if variance * period < _LOST_DIGITS * largest:
                variance = _variance(values, t, period)
            deviation[t] = np.sqrt(variance) if variance > 0.0 else 0.0
    return deviation


@kernel
def moving_comoments(first: Floats, second: Floats, period: int) -> tuple[Floats, Floats, Floats]:
    """Population covariance of two series and variance of each, of the last `period` bars, O(bars).

    Running sums from anchors that are renewed each period; where a spike has just left the window, or an
    anchor lies far from what is in it, the window is summed anew. A gap in either series ends what came
    before.
    """
    size = first.size
    covariance = np.full(size, np.nan)
    variance = np.full(size, np.nan)
    other = np.full(size, np.nan)
    anchor, origin = 0.0, 0.0
    x, y, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0
    most_x, most_y = 0.0, 0.0
    count = 0
    since = 0
    for t in range(size):
        if np.isnan(first[t]) or np.isnan(second[t]):
            count = 0
            continue
        count += 1
        if count < period:
            continue
        since += 1
        fresh = count == period or since >= period
        if not fresh:
            a, b = first[t] - anchor, second[t] - origin
            c, d = first[t - period] - anchor, second[t - period] - origin
            x += a - c
            y += b - d
            xx += a * a - c * c
            yy += b * b - d * d
            xy += a * b - c * d
            most_x, most_y = max(most_x, xx), max(most_y, yy)
            fresh = xx - x * x / period < _LOST_DIGITS * most_x or yy - y * y / period < _LOST_DIGITS * most_y
        if fresh:
            # From the means of the window: their squares take no digits.
            begin = t - period + 1
            anchor, origin = first[t], second[t]
            x, y = 0.0, 0.0
            for back in range(begin, t + 1):
                x += first[back] - anchor
                y += second[back] - origin
            anchor += x / period
            origin += y / period
            x, y, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0
            for back in range(begin, t + 1):
                a, b = first[back] - anchor, second[back] - origin
                x += a
                y += b
                xx += a * a
                yy += b * b
                xy += a * b
            most_x, most_y = xx, yy
            since = 0
        covariance[t] = (xy - x * y / period) / period
        variance[t] = (xx - x * x / period) / period
        other[t] = (yy - y * y / period) / period
    return covariance, variance, other


@inlined
def _known_until(values: Floats, begin: int) -> int:
    """The first bar from `begin` on without a value."""
    end = begin
    while end < values.size and not np.isnan(values[end]):
        end += 1
    return end


@inlined
def _anchored(values: Floats, period: int, distance: bool) -> Floats:
    """The sum of the last `period` bars, or by how much a value lies above their mean."""
    size = values.size
    out = np.full(size, np.nan)
    anchor = 0.0
    total = 0.0
    count = 0
    since = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        if count == 0:
            anchor = value
            total = 0.0
            since = 0
        if count == period:
            total -= values[t - period] - anchor
        else:
            count += 1
        total += value - anchor
        since += 1
        if count == period:
            if since >= period:
                anchor = value
                total = 0.0
                since = 0
                for back in range(t - period + 1, t + 1):
                    total += values[back] - anchor
            out[t] = value - anchor - total / period if distance else anchor * period + total
    return out


@kernel
def distance_from_mean(values: Floats, period: int) -> Floats:
    """A value less the mean of the last `period`, with the digits that the values' differences have."""
    return _anchored(values, period, True)


@kernel
def moving_sum(values: Floats, period: int) -> Floats:
    """Sum of the last `period` values; of whole numbers it is exact."""
    return _anchored(values, period, False)


# Several periods at once, tile by tile of bars: the recurrence of one waits for its last value at each bar,
# those of many do not wait for one another. A bar's values of all periods lie together first (a row a bar)
# and are then turned into a row a period. What a tile leaves to the next stands in an array that the caller
# keeps; a whole series is one tile. The three are called alike.
_BARS_TURNED = 64
_UPPER_DIGITS = np.uint64(0xFFFFFFFFF8000000)
FEWEST_LANES = 4  # periods that are worth computing together


@inlined
def _differences(
    values: Floats,
    upper: Floats,
    sums: Floats,
    rests: Floats,
    sums_before: Floats,
    rests_before: Floats,
    period: int,
    out: Floats,
) -> None:
    """Means of windows from the sums at their ends: the value, and what the window lies beyond it.

    Differences of sums are exact with their rest, and so is `period` times either half of a value's digits.
    """
    count, share = float(period), 1.0 / period
    for t in range(out.size):
        gap = sums[t] - sums_before[t]
        moved = gap - sums[t]
        rest = (sums[t] - (gap - moved)) - (sums_before[t] + moved) + (rests[t] - rests_before[t])
        beyond = (gap - count * upper[t]) + (rest - count * (values[t] - upper[t]))
        out[t] = values[t] + beyond * share


def _whole(of_tile: Callable[..., int], values: Floats, period: int, carried: int) -> Floats:
    """One period of a whole series."""
    out = np.empty((1, values.size))
    of_tile(np.ascontiguousarray(values), np.array([period], dtype=np.int64), 0, np.zeros(carried), out, 0)
    found: Floats = out[0]
    return found


@kernel
def means_of_tile(
    values: Floats, lengths: NDArray[np.int64], known: int, carried: Floats, out: Floats, into: int
) -> int:
    """Simple moving average of the last `period` values, a row a period, of a tile of a series.

    All periods share one series of sums, each with what its rounding lost (Knuth's two-sum).

    Args:
        values: the tile.
        lengths: the periods.
        known: bars right before the tile that have a value.
        carried: 2 × (longest period + bars of the longest tile + 1), 0 before the first: sums at the ends of
            bars, of which the first longest period + 1 are those before the tile; their rests.
        out: rows of at least as many bars, written from the first on.
        into: which of them is the first period's.

    Returns:
        `known` for the next tile.
    """
    size, history = values.size, lengths.max()
    halves = np.empty(size, dtype=np.uint64)
    digits = values.view(np.uint64)
    upper = halves.view(np.float64)
    sums, rests = carried[: carried.size // 2], carried[carried.size // 2 :]
    total, rest = sums[history], rests[history]
    for t in range(size):
        halves[t] = digits[t] & _UPPER_DIGITS
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            total = 0.0
            rest = 0.0
        else:
            grown = total + value
            moved = grown - total
            rest += (total - (grown - moved)) + (value - moved)
            total = grown
        sums[history + t + 1] = total
        rests[history + t + 1] = rest
    begin = 0
    while begin < size:
        end = _known_until(values, begin)
        for lane in range(lengths.size):
            period = lengths[lane]
            first = min(end, max(begin, begin + period - 1 - known))
            row = out[into + lane]
            row[begin:first] = np.nan
            start, stop = history + first + 1, history + end + 1
            _differences(
                values[first:end],
                upper[first:end],
                sums[start:stop],
                rests[start:stop],
                sums[start - period : stop - period],
                rests[start - period : stop - period],
                period,
                row[first:end],
            )
        known += end - begin
        if end < size:
            out[into : into + lengths.size, end] = np.nan
            known = 0
        begin = end + 1
    for t in range(history + 1):
        sums[t] = sums[size + t]
        rests[t] = rests[size + t]
    return known


def moving_mean(values: Floats, period: int) -> Floats:
    """Simple moving average of the last `period` values."""
    return _whole(means_of_tile, values, period, 2 * (period + values.size + 1))


@inlined
def _smoothed(average: float, weight: float, value: float) -> float:
    return average + weight * (value - average)


@kernel
def exponentials_of_tile(
    values: Floats, lengths: NDArray[np.int64], known: int, carried: Floats, out: Floats, into: int
) -> int:
    """EMA with weight 2 / (period + 1), seeded with the mean of the first `period` values, a row a period.

    Called as `means_of_tile`; `carried` is the average of each period, before its first the sum.
    """
    lanes, size = lengths.size, values.size
    longest = lengths.max()
    weights = 2.0 / (lengths + 1)
    turned = np.empty((_BARS_TURNED + 1, lanes))
    begin = 0
    while begin < size:
        value = values[begin]
        if np.isnan(value):
            out[into : into + lanes, begin] = np.nan
            known = 0
            begin += 1
            continue
        if known < longest:
            for lane in range(lanes):
                average = carried[lane] if known > 0 else 0.0
                if known < lengths[lane]:
                    average += value
                    if known + 1 == lengths[lane]:
                        average /= lengths[lane]
                else:
                    average = _smoothed(average, weights[lane], value)
                carried[lane] = average
                out[into + lane, begin] = average if known + 1 >= lengths[lane] else np.nan
            known += 1
            begin += 1
            continue
        end = _known_until(values, begin)
        if lanes < FEWEST_LANES:
            for lane in range(lanes):
                average, weight, row = carried[lane], weights[lane], out[into + lane]
                for t in range(begin, end):
                    average = _smoothed(average, weight, values[t])
                    row[t] = average
                carried[lane] = average
        else:
            turned[0] = carried
            for start in range(begin, end, _BARS_TURNED):
                count = min(_BARS_TURNED, end - start)
                for bar in range(count):
                    value = values[start + bar]
                    for lane in range(lanes):
                        turned[bar + 1, lane] = _smoothed(turned[bar, lane], weights[lane], value)
                for lane in range(lanes):
                    for bar in range(count):
                        out[into + lane, start + bar] = turned[bar + 1, lane]
                    turned[0, lane] = turned[count, lane]
            carried[:] = turned[0]
        known += end - begin
        begin = end
    return known


def exponential_average(values: Floats, period: int) -> Floats:
    """EMA with weight 2 / (period + 1), seeded with the mean of the first `period` values."""
    return _whole(exponentials_of_tile, values, period, 1)


@inlined
def _wilder(average: float, period: float, value: float) -> float:
    return (average * (period - 1.0) + value) / period


@inlined
def _strength(gains: float, losses: float) -> float:
    both = gains + losses
    return 100.0 * gains / both if both > 0.0 else 0.0


@inlined
def _gain_and_loss(before: float, value: float) -> tuple[float, float]:
    move = value - before
    return move if move > 0.0 else 0.0, -move if move < 0.0 else 0.0


@kernel
def strengths_of_tile(
    values: Floats, lengths: NDArray[np.int64], known: int, carried: Floats, out: Floats, into: int
) -> int:
    """Wilder's RSI, 0 to 100, a row a period.

    It is 100 × gains / (gains + losses); 0 where nothing moved, as in TA-Lib. Called as `means_of_tile`;
    `carried` are the average gains, before the first their sums, the average losses, and the last value.
    """
    lanes, size = lengths.size, values.size
    longest = lengths.max()
    periods = lengths.astype(np.float64)
    turned = np.empty((_BARS_TURNED, lanes))
    # Of their own, the compiler sees that they do not overlap.
    gains, losses, before = carried[:lanes].copy(), carried[lanes : 2 * lanes].copy(), carried[2 * lanes]
    begin = 0
    while begin < size:
        value = values[begin]
        if np.isnan(value):
            out[into : into + lanes, begin] = np.nan
            known = 0
            begin += 1
            continue
        if known == 0:
            gains[:] = 0.0
            losses[:] = 0.0
            before = value
        if known <= longest:
            gain, loss = _gain_and_loss(before, value)
            for lane in range(lanes):
                if known <= lengths[lane]:
                    gains[lane] += gain
                    losses[lane] += loss
                    if known == lengths[lane]:
                        gains[lane] /= periods[lane]
                        losses[lane] /= periods[lane]
                else:
                    gains[lane] = _wilder(gains[lane], periods[lane], gain)
                    losses[lane] = _wilder(losses[lane], periods[lane], loss)
                strength = _strength(gains[lane], losses[lane])
                out[into + lane, begin] = strength if known >= lengths[lane] else np.nan
            before = value
            known += 1
            begin += 1
            continue
        end = _known_until(values, begin)
        if lanes < FEWEST_LANES:
            for lane in range(lanes):
                up, down, period, row, last = (
                    gains[lane],
                    losses[lane],
                    periods[lane],
                    out[into + lane],
                    before,
                )
                for t in range(begin, end):
                    gain, loss = _gain_and_loss(last, values[t])
                    last = values[t]
                    up, down = _wilder(up, period, gain), _wilder(down, period, loss)
                    row[t] = _strength(up, down)
                gains[lane], losses[lane] = up, down
            known += end - begin
            begin, before = end, values[end - 1]
            continue
        for start in range(begin, end, _BARS_TURNED):
            count = min(_BARS_TURNED, end - start)
            for bar in range(count):
                gain, loss = _gain_and_loss(before, values[start + bar])
                before = values[start + bar]
                for lane in range(lanes):
                    gains[lane] = _wilder(gains[lane], periods[lane], gain)
                    losses[lane] = _wilder(losses[lane], periods[lane], loss)
                    turned[bar, lane] = _strength(gains[lane], losses[lane])
            for lane in range(lanes):
                for bar in range(count):
                    out[into + lane, start + bar] = turned[bar, lane]
        known += end - begin
        begin = end
    carried[:lanes], carried[lanes : 2 * lanes], carried[2 * lanes] = gains, losses, before
    return known


def relative_strength(values: Floats, period: int) -> Floats:
    """Wilder's RSI, 0 to 100, as `strengths_of_tile`."""
    return _whole(strengths_of_tile, values, period, 3)


@kernel
def convergence_divergence(
    values: Floats, fast: int, slow: int, signal: int
) -> tuple[Floats, Floats, Floats]:
    """MACD line, signal and histogram, all from bar slow + signal - 2 on.

    As in TA-Lib the fast average is seeded with the `fast` values that end where the slow one is seeded. Both
    are kept as distances from a price, for their difference has no more digits than they have.
    """
    size = values.size
    line = np.full(size, np.nan)
    smooth = np.full(size, np.nan)
    histogram = np.full(size, np.nan)
    fast_weight = 2.0 / (fast + 1)
    slow_weight = 2.0 / (slow + 1)
    signal_weight = 2.0 / (signal + 1)
    fast_average = 0.0
    slow_average = 0.0
    average = 0.0
    total = 0.0
    anchor = 0.0
    count = 0
    for t in range(size):
        value = values[t]
        if np.isnan(value):
            count = 0
            continue
        count += 1
        if count < slow:
            continue
        if count == slow:
            anchor = value
            slow_total = 0.0
            for back in range(t - slow + 1, t + 1):
                slow_total += values[back] - anchor
            fast_total = 0.0
            for back in range(t - fast + 1, t + 1):
                fast_total += values[back] - anchor
            slow_average = slow_total / slow
            fast_average = fast_total / fast
            total = 0.0
        else:
            slow_average += slow_weight * (value - anchor - slow_average)
            fast_average += fast_weight * (value - anchor - fast_average)
        gap = fast_average - slow_average
        ready = count - slow + 1
        if ready < signal:
            total += gap
            continue
        average = (total + gap) / signal if ready == signal else average + signal_weight * (gap - average)
        line[t] = gap
        smooth[t] = average
        histogram[t] = gap - average
    return line, smooth, histogram


@kernel
def average_true_range(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Wilder's ATR, in price units; first value at bar `period` (the first range is bar 1's)."""
    size = close.size
    out = np.full(size, np.nan)
    average = 0.0
    for t in range(1, size):
        before = close[t - 1]
        reach = max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before))
        if t <= period:
            average += reach
            if t < period:
                continue
            average /= period
        else:
            average = (average * (period - 1) + reach) / period
        out[t] = average
    return out


@kernel
def directional_movement(
    high: Floats, low: Floats, close: Floats, period: int
) -> tuple[Floats, Floats, Floats]:
    """Wilder's +DI and -DI (from bar `period`) and ADX (from bar 2 × period - 1), 0 to 100."""
    size = close.size
    plus = np.full(size, np.nan)
    minus = np.full(size, np.nan)
    strength = np.full(size, np.nan)
    up = 0.0
    down = 0.0
    reach = 0.0
    total = 0.0
    average = 0.0
    for t in range(1, size):
        rise = high[t] - high[t - 1]
        fall = low[t - 1] - low[t]
        before = close[t - 1]
        true_range = max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before))
        if t >= period:
            up -= up / period
            down -= down / period
            reach -= reach / period
        if fall > 0.0 and rise < fall:
            down += fall
        elif rise > 0.0 and rise > fall:
            up += rise
        reach += true_range
        if t < period:
            continue
        plus_index = 100.0 * up / reach if reach > 0.0 else 0.0
        minus_index = 100.0 * down / reach if reach > 0.0 else 0.0
        plus[t] = plus_index
        minus[t] = minus_index
        both = plus_index + minus_index
        if t < 2 * period:
            if both > 0.0:
                total += 100.0 * abs(plus_index - minus_index) / both
            if t == 2 * period - 1:
                average = total / period
                strength[t] = average
        else:
            # Where nothing moved the strength stays as it was.
            if both > 0.0:
                average = (average * (period - 1) + 100.0 * abs(plus_index - minus_index) / both) / period
            strength[t] = average
    return plus, minus, strength


@kernel
def window_extreme(values: Floats, sign: float, period: int) -> Floats:
    """Highest (sign 1) or lowest (sign -1) of the last `period` values, this bar included, O(bars).

    A queue of candidates, each smaller than the one before it, makes the cost independent of the period.
    """
    size = values.size
    out = np.full(size, np.nan)
    queue = np.empty(size, dtype=np.int64)
    head = 0
    tail = 0
    count = 0
    for t in range(size):
        value = values[t] * sign
        if np.isnan(value):
            count = 0
            head = tail
            continue
        count += 1
        while tail > head and values[queue[tail - 1]] * sign <= value:
            tail -= 1
        queue[tail] = t
        tail += 1
        if queue[head] <= t - period:
            head += 1
        if count >= period:
            out[t] = values[queue[head]]
    return out


@kernel
def extreme_age(values: Floats, sign: float, window: int) -> Floats:
    """Bars since the highest (sign 1) or lowest (sign -1) of the last `window` values, the later of equals.

    Found as `window_extreme` finds it.
    """
    size = values.size
    out = np.full(size, np.nan)
    queue = np.empty(size, dtype=np.int64)
    head = 0
    tail = 0
    for t in range(size):
        value = values[t] * sign
        while tail > head and values[queue[tail - 1]] * sign <= value:
            tail -= 1
        queue[tail] = t
        tail += 1
        if queue[head] <= t - window:
            head += 1
        if t >= window - 1:
            out[t] = t - queue[head]
    return out


@kernel
def unbroken_trend(values: Floats, sign: float, period: int) -> Floats:
    """1 where each of the last `period` changes was up (sign 1) or down (sign -1), else 0; NaN if unknown."""
    size = values.size
    out = np.full(size, np.nan)
    run = 0
    known = 0
    for t in range(1, size):
        move = (values[t] - values[t - 1]) * sign
        if np.isnan(move):
            run = 0
            known = 0
            continue
        known += 1
        run = run + 1 if move > 0.0 else 0
        if known >= period:
            out[t] = 1.0 if run >= period else 0.0
    return out
