"""The stationary bootstrap: how far figures of a return series could have come out otherwise.

Politis & Romano 1994, Journal of the American Statistical Association 89(428): blocks of geometric length,
wrapped around the end. Their mean length is Politis & White's (2004, corrected by Patton, Politis & White
2009), with the figures of `arch`, which takes a second to import. Randomness comes in as a
`numpy.random.Generator`, seeded at the edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backtest.errors import RequestError
from backtest.kernels.compile import kernel
from backtest.statistics.returns import Returns, checked_returns

REPLICATIONS = 1_000
CONFIDENCE = 0.95
RETURN_METRICS = (
    "total_return",
    "cagr",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
)

_DRAWS_AT_A_TIME = 2**16
"""Half a megabyte: they are read while the processor's cache has them."""

_MEAN, _DEVIATION, _DOWNSIDE, _GROWTH, _DRAWDOWN = range(5)
_SUMS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A percentile interval.

    Attributes:
        low: lower end.
        high: upper end.
        confidence: share of replications between them.
    """

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedDifference:
    """How much better one return series is than another over the same bars.

    Attributes:
        mean: difference of the mean returns, a bar.
        mean_interval: its interval.
        mean_p_value: chance of so large a difference of means if the true one were zero or less.
        sharpe: difference of the annualised Sharpe ratios.
        sharpe_interval: its interval.
        sharpe_p_value: as `mean_p_value`.
        block_length: mean length of the blocks.
        replications: how many resamples.
    """

    mean: float
    mean_interval: Interval
    mean_p_value: float
    sharpe: float
    sharpe_interval: Interval
    sharpe_p_value: float
    block_length: float
    replications: int


@kernel
def _politis_white(returns: Returns, out: NDArray[np.float64]) -> None:
    """Mean block length of each column; 1 where nothing is left to be dependent.

    Args:
        returns: n×k, n at least 3.
        out: k, written.
    """
    size, width = returns.shape
    run = max(5, int(np.log10(size)))
    most = int(np.ceil(np.sqrt(size))) + run
    bound = 2.0 * np.sqrt(np.log10(size) / size)
    longest = np.ceil(min(3.0 * np.sqrt(size), size / 3.0))
    covariances = np.zeros(most + 1)
    for column in range(width):
        deviations = returns[:, column] - returns[:, column].mean()
        # The first lag after which `run` autocorrelations in a row are small ends the sums.
        small, last, lag = 0, most, 0
        while lag <= last:
            product = early = late = 0.0
            for place in range(lag, size):
                product += deviations[place] * deviations[place - lag]
            for place in range(lag + 1, size):
                late += deviations[place] ** 2
                early += deviations[place - lag - 1] ** 2
            covariances[lag] = product / size
            if last == most and lag >= run and small >= run:
                last = min(2 * max(lag - run, 1), most)
            small = small + 1 if abs(product) < bound * np.sqrt(early * late) else 0
            lag += 1
        slope, level = 0.0, covariances[0]
        for lag in range(1, last + 1):
            weight = 1.0 if 2 * lag <= last else 2.0 * (1.0 - lag / last)
            slope += 2.0 * weight * lag * covariances[lag]
            level += 2.0 * weight * covariances[lag]
        if level != 0.0:
            out[column] = min((size * slope**2 / level**2) ** (1.0 / 3.0), longest)
        else:
            out[column] = 1.0 if slope == 0.0 else longest


def block_lengths(returns: Returns) -> NDArray[np.float64]:
    """Mean block length of the stationary bootstrap by Politis & White, for each column of n×k."""
    found = np.empty(returns.shape[1])
    _politis_white(np.ascontiguousarray(returns), found)
    return found


def block_length(returns: ArrayLike) -> float:
    """Mean block length of the stationary bootstrap by Politis & White, at least 1.

    Args:
        returns: n values, or n×k: the longest of the columns then counts. Columns that do not move need none.

    Raises:
        RequestError: `too_few_observations` below 10, `not_a_statistic`.
    """
    table = np.asarray(returns, dtype=np.float64)
    columns = [checked_returns(column, 10) for column in np.atleast_2d(table.T)]
    moving = [column for column in columns if np.ptp(column) > 0.0]
    if not moving:
        return 1.0
    return max(1.0, float(block_lengths(np.column_stack(moving)).max()))


@kernel
def _resample(
    returns: Returns, draws: NDArray[np.uint64], restart: np.uint64, out: NDArray[np.float64]
) -> None:
    """Sums over resampled series: every column of a replication takes the same bars.

    Args:
        returns: n×k.
        draws: replications × n random 64-bit numbers: the upper half decides whether a block begins, the
            lower half where.
        restart: a block begins where the upper half is below this.
        out: replications × k × sums, written.
    """
    size, width = returns.shape
    bars = np.empty(size, dtype=np.int64)
    for replication in range(draws.shape[0]):
        at = size
        for step in range(size):
            draw = draws[replication, step]
            # In whole numbers of one kind: numba makes a float of signed and unsigned ones.
            begin = np.int64((draw & np.uint64(0xFFFFFFFF)) * np.uint64(size) >> np.uint64(32))
            following = at + 1 if at + 1 < size else 0
            at = begin if step == 0 or (draw >> np.uint64(32)) < restart else following
            bars[step] = at
        for column in range(width):
            total = squares = downside = drawdown = 0.0
            growth = peak = trough = 1.0
            for step in range(size):
                change = returns[bars[step], column]
                square = change * change
                total += change
                squares += square
                downside += square if change < 0.0 else 0.0
                growth *= 1.0 + change
                if growth > peak:
                    # The deepest point below a peak is the lowest: one division a peak, not one a bar.
                    drawdown = min(drawdown, trough / peak - 1.0)
                    peak = trough = growth
                else:
                    trough = min(trough, growth)
            sums = out[replication, column]
            sums[_MEAN], sums[_DEVIATION], sums[_DOWNSIDE], sums[_GROWTH] = total, squares, downside, growth
            sums[_DRAWDOWN] = min(drawdown, trough / peak - 1.0)


def resample(
    returns: ArrayLike,
    generator: np.random.Generator,
    *,
    length: float | None = None,
    replications: int = REPLICATIONS,
) -> NDArray[np.float64]:
    """Sums over stationary-bootstrap resamples of one or several return series.

    Args:
        returns: n values, or n×k; the columns are resampled together, bar with bar.
        generator: source of randomness.
        length: mean block length, at least 1; Politis & White's by default.
        replications: how many resamples.

    Returns:
        replications × k × 5: mean and sample standard deviation (n − 1) of the returns, root mean square of
        the negative ones, growth of 1, and the largest drawdown (negative).

    Raises:
        RequestError: `too_few_observations`, `not_a_statistic`, `bad_request`.
    """
    table = np.asarray(returns, dtype=np.float64)
    table = table.reshape(len(table), -1)
    if length is None:
        length = block_length(table)
    for column in table.T:
        checked_returns(column)
    if not (math.isfinite(length) and length >= 1.0):
        raise RequestError("bad_request", name="block_length", value=f"{length:g}")
    if replications < 1:
        raise RequestError("bad_request", name="replications", value=str(replications))
    size = len(table)
    table = np.ascontiguousarray(table)
    out = np.empty((replications, table.shape[1], _SUMS))
    restart = np.uint64(min(2**32, round(2**32 / length)))
    step = max(1, _DRAWS_AT_A_TIME // size)
    for start in range(0, replications, step):
        stop = min(replications, start + step)
        draws = generator.integers(0, 2**64, size=(stop - start, size), dtype=np.uint64)
        _resample(table, draws, restart, out[start:stop])
    # Squares of returns are of the size of their variance: no digits are lost in this difference.
    mean = out[:, :, _MEAN] / size
    variance = np.maximum(0.0, out[:, :, _DEVIATION] - size * mean**2) / (size - 1)
    out[:, :, _MEAN] = mean
    out[:, :, _DEVIATION] = np.sqrt(variance)
    out[:, :, _DOWNSIDE] = np.sqrt(out[:, :, _DOWNSIDE] / size)
    return out


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient; not a number where the divisor is rounding noise."""
    small = np.abs(below) <= 1e-12 * np.abs(above)
    return np.where(small | (below == 0.0), np.nan, above / np.where(below == 0.0, 1.0, below))


def _interval(values: NDArray[np.float64], confidence: float) -> Interval | None:
    """Percentile interval of the replications; None where a fifth of them have no figure."""
    known = values[np.isfinite(values)]
    if len(known) < 0.8 * len(values):
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(low=float(low), high=float(high), confidence=confidence)


def return_intervals(
    returns: ArrayLike,
    periods_per_year: float,
    generator: np.random.Generator,
    *,
    length: float | None = None,
    replications: int = REPLICATIONS,
    confidence: float = CONFIDENCE,
) -> dict[str, Interval | None]:
    """Percentile intervals of `RETURN_METRICS`, defined as in `backtest.kernels.simulation.measure`.

    None where a metric is undefined in a fifth of the resamples.

    Raises:
        RequestError: as `resample`.
    """
    values = checked_returns(returns, 10)
    sums = resample(values, generator, length=length, replications=replications)[:, 0]
    root = math.sqrt(periods_per_year)
    with np.errstate(over="ignore"):  # a few violent bars grow beyond all numbers in a year: undefined
        cagr = np.maximum(sums[:, _GROWTH], 0.0) ** (periods_per_year / values.size) - 1.0
    figures: Mapping[str, NDArray[np.float64]] = {
        "total_return": sums[:, _GROWTH] - 1.0,
        "cagr": cagr,
        "volatility": sums[:, _DEVIATION] * root,
        "sharpe_ratio": _ratio(sums[:, _MEAN], sums[:, _DEVIATION]) * root,
        "sortino_ratio": _ratio(sums[:, _MEAN], sums[:, _DOWNSIDE]) * root,
        "calmar_ratio": _ratio(cagr, -sums[:, _DRAWDOWN]),
        "max_drawdown": sums[:, _DRAWDOWN],
    }
    return {name: _interval(figures[name], confidence) for name in RETURN_METRICS}


def trade_intervals(
    profits: ArrayLike,
    shares: ArrayLike,
    generator: np.random.Generator,
    *,
    replications: int = REPLICATIONS,
    confidence: float = CONFIDENCE,
) -> dict[str, Interval | None]:
    """Percentile intervals of the trade metrics, trades drawn one by one with replacement.

    Args:
        profits: cash profit of each trade.
        shares: return of each trade, as a fraction.
        generator: source of randomness.
        replications: how many resamples.
        confidence: share between the ends.

    Returns:
        `win_rate`, `profit_factor`, `expectancy` and `avg_trade`; None with fewer than two trades, or where a
        metric is undefined in a fifth of the resamples.
    """
    cash = np.asarray(profits, dtype=np.float64)
    fractions = np.asarray(shares, dtype=np.float64)
    names = ("win_rate", "profit_factor", "expectancy", "avg_trade")
    if cash.size < 2:
        return dict.fromkeys(names)
    chosen = generator.integers(0, cash.size, size=(replications, cash.size))
    drawn = cash[chosen]
    gains = np.where(drawn > 0.0, drawn, 0.0).sum(axis=1)
    figures = {
        "win_rate": (drawn > 0.0).mean(axis=1),
        "profit_factor": _ratio(gains, gains - drawn.sum(axis=1)),
        "expectancy": drawn.mean(axis=1),
        "avg_trade": fractions[chosen].mean(axis=1),
    }
    return {name: _interval(figures[name], confidence) for name in names}


def paired_difference(
    challenger: ArrayLike,
    champion: ArrayLike,
    periods_per_year: float,
    generator: np.random.Generator,
    *,
    length: float | None = None,
    replications: int = REPLICATIONS,
    confidence: float = CONFIDENCE,
) -> PairedDifference:
    """Difference in mean return and in Sharpe ratio of two return series over the same bars.

    Both are resampled with the same blocks, so what moves both (the market) cancels out. The p-value is the
    share of replications, shifted to a difference of zero, that reach the observed one, with one added above
    and below (Davison & Hinkley 1997, 4.2.3). The block length is that of the difference and of both series,
    whichever is longest.

    Args:
        challenger: n returns.
        champion: n returns of the same bars.
        periods_per_year: bars a year.
        generator: source of randomness.
        length: mean block length; Politis & White's by default.
        replications: how many resamples.
        confidence: of the intervals.

    Raises:
        RequestError: `too_few_observations` below 10 bars or where lengths differ, `not_a_statistic`.
    """
    first, second = checked_returns(challenger, 10), checked_returns(champion, 10)
    if first.size != second.size:
        raise RequestError("too_few_observations", needed=first.size, found=second.size)
    both = np.column_stack([first, second])
    if length is None:
        length = block_length(np.column_stack([both, first - second]))
    sums = resample(both, generator, length=length, replications=replications)
    root = math.sqrt(periods_per_year)

    def sharpe(values: Returns) -> float:
        deviation = float(values.std(ddof=1))
        return float(values.mean()) / deviation * root if deviation > 1e-12 * abs(values.mean()) else 0.0

    means = sums[:, 0, _MEAN] - sums[:, 1, _MEAN]
    ratios = np.nan_to_num(_ratio(sums[:, :, _MEAN], sums[:, :, _DEVIATION])) * root
    sharpes = ratios[:, 0] - ratios[:, 1]
    mean = float(first.mean() - second.mean())
    difference = sharpe(first) - sharpe(second)

    def p_value(replicated: NDArray[np.float64], observed: float) -> float:
        reached = int((replicated - observed >= observed).sum())
        return (1 + reached) / (1 + replications)

    mean_interval, sharpe_interval = _interval(means, confidence), _interval(sharpes, confidence)
    assert mean_interval is not None
    assert sharpe_interval is not None
    return PairedDifference(
        mean=mean,
        mean_interval=mean_interval,
        mean_p_value=p_value(means, mean),
        sharpe=difference,
        sharpe_interval=sharpe_interval,
        sharpe_p_value=p_value(sharpes, difference),
        block_length=length,
        replications=replications,
    )
