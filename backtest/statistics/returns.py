"""Returns of an equity curve, bar by bar, and the moments that every statistic of them starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backtest.errors import RequestError

Returns = NDArray[np.float64]


def bar_returns(equity: ArrayLike, initial_capital: float) -> Returns:
    """Simple returns of an equity curve, one a bar; those after the account is lost are 0.

    Args:
        equity: n values, at the closes.
        initial_capital: what the first return is measured from.
    """
    values = np.asarray(equity, dtype=np.float64)
    before = np.concatenate([[float(initial_capital)], values[:-1]])
    return np.where(before > 0.0, values / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)


def checked_returns(returns: ArrayLike, least: int = 2) -> Returns:
    """Returns as a one-dimensional float array.

    Raises:
        RequestError: `not_a_statistic` where one is not finite, `too_few_observations`.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < least:
        raise RequestError("too_few_observations", needed=least, found=values.size)
    if not np.isfinite(values).all():
        raise RequestError("not_a_statistic", name="returns", value="nan")
    return values


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """Moments of returns, per observation.

    Attributes:
        n_observations: how many.
        mean: average.
        deviation: sample standard deviation (n − 1).
        sharpe: mean over deviation, 0 where nothing moves.
        skew: third standardised moment (n), 0 where nothing moves.
        kurtosis: fourth standardised moment (n), not in excess; 3 where nothing moves.
    """

    n_observations: int
    mean: float
    deviation: float
    sharpe: float
    skew: float
    kurtosis: float


def moments(returns: ArrayLike) -> Moments:
    """Mean, deviation, Sharpe ratio, skew and kurtosis of at least two returns.

    Raises:
        RequestError: `too_few_observations`, `not_a_statistic`.
    """
    values = checked_returns(returns)
    mean = float(values.mean())
    centred = values - mean
    squares = centred * centred  # powers of arrays take ten times as long
    variance = float(squares.mean())
    # Below a rounding error of its own size, a variance is none.
    if variance <= 1e-24 * max(mean**2, 1e-300):
        return Moments(
            n_observations=values.size, mean=mean, deviation=0.0, sharpe=0.0, skew=0.0, kurtosis=3.0
        )
    deviation = (variance * values.size / (values.size - 1)) ** 0.5
    return Moments(
        n_observations=values.size,
        mean=mean,
        deviation=deviation,
        sharpe=mean / deviation,
        skew=float((squares * centred).mean()) / variance**1.5,
        kurtosis=float((squares * squares).mean()) / variance**2,
    )
