"""The sampling error of a Sharpe ratio: what a figure is worth, given its length, shape and dependence.

Conventions, as in every file behind `backtest.statistics.overfitting`: Sharpe ratios are per observation (not
annualised), kurtosis is not in excess (3 for a normal), `n_observations` counts returns. Two forms of the
sampling variance are in use:

- `2012`: the variance at the observed ratio, over n − 1 (Bailey & López de Prado 2012, The Sharpe Ratio
  Efficient Frontier, Journal of Risk 15(2); Mertens 2002 for the variance).
- `2025`: the variance at the benchmark, the null hypothesis, over n (López de Prado, Lipton & Zoonekynd 2025,
  SSRN 5520741).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from backtest.errors import RequestError
from backtest.statistics.returns import checked_returns, moments

Form = Literal["2012", "2025"]
Autocorrelation = Literal["sample", "ar1"]

NORMAL = NormalDist()


def finite(**values: float) -> None:
    """Refuse what is not finite, by name: RequestError `not_a_statistic`."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise RequestError("not_a_statistic", name=name, value=str(value))


def sampling_variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Sampling variance of a Sharpe ratio, times the number of observations (Mertens 2002)."""
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if variance <= 0.0:
        # No distribution has such moments: kurtosis is never below skew² + 1.
        raise RequestError("impossible_moments", skew=f"{skew:g}", kurtosis=f"{kurtosis:g}")
    return variance


def sharpe_ratio(returns: npt.ArrayLike, benchmark: float = 0.0) -> float:
    """Mean excess over a benchmark return, over the sample standard deviation (n − 1), per observation.

    0 where nothing moves.

    Raises:
        RequestError: `too_few_observations`, `not_a_statistic`.
    """
    return moments(checked_returns(returns) - benchmark).sharpe


def sharpe_standard_error(
    sharpe: float, n_observations: int, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Standard error of a Sharpe ratio, the observations in the denominator (Mertens 2002).

    Args:
        sharpe: per observation.
        n_observations: returns behind it, at least 1.
        skew: of the returns.
        kurtosis: of the returns, not in excess.

    Raises:
        RequestError: `not_a_statistic`, `impossible_moments`, `too_few_observations`.
    """
    finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis)
    if n_observations < 1:
        raise RequestError("too_few_observations", needed=1, found=n_observations)
    return math.sqrt(sampling_variance(sharpe, skew, kurtosis) / n_observations)


def probabilistic_sharpe_ratio(
    sharpe: float,
    n_observations: int,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    form: Form = "2012",
) -> float:
    """Probability that the true Sharpe ratio exceeds the benchmark.

    Args:
        sharpe: observed, per observation.
        n_observations: returns behind it, at least 2.
        skew: of the returns.
        kurtosis: of the returns, not in excess.
        benchmark: Sharpe ratio to beat, per observation.
        form: see the file's text.

    Returns:
        0 to 1.

    Raises:
        RequestError: `not_a_statistic`, `impossible_moments`, `too_few_observations`.
    """
    finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis, benchmark=benchmark)
    if n_observations < 2:
        raise RequestError("too_few_observations", needed=2, found=n_observations)
    if form == "2012":
        error = math.sqrt(sampling_variance(sharpe, skew, kurtosis) / (n_observations - 1))
    else:
        error = math.sqrt(sampling_variance(benchmark, skew, kurtosis) / n_observations)
    return NORMAL.cdf((sharpe - benchmark) / error)


def minimum_track_record_length(
    sharpe: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
    form: Form = "2012",
) -> float:
    """Observations needed before the Sharpe ratio exceeds the benchmark with the confidence asked for.

    Args:
        sharpe: observed, per observation.
        skew: of the returns.
        kurtosis: of the returns, not in excess.
        benchmark: Sharpe ratio to beat, per observation.
        confidence: between 0.5 and 1, both excluded.
        form: see the file's text.

    Returns:
        Observations, not rounded; infinite where the ratio does not exceed the benchmark.

    Raises:
        RequestError: `not_a_statistic`, `impossible_moments`.
    """
    finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis, benchmark=benchmark)
    if not 0.5 < confidence < 1.0:
        raise RequestError("not_a_statistic", name="confidence", value=f"{confidence:g}")
    at = sharpe if form == "2012" else benchmark
    variance = sampling_variance(at, skew, kurtosis)
    if sharpe <= benchmark:
        return math.inf
    length = variance * (NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2
    return length + 1.0 if form == "2012" else length


def autocorrelations(returns: npt.ArrayLike, lags: int) -> npt.NDArray[np.float64]:
    """Sample autocorrelations of lags 1 to `lags`, every covariance over n; 0 where nothing moves.

    Raises:
        RequestError: `too_few_observations`, `not_a_statistic`.
    """
    values = checked_returns(returns, lags + 2)
    centred = values - values.mean()
    variance = float(centred @ centred)
    if variance <= 1e-24 * max(float(values @ values), 1e-300):
        return np.zeros(lags)
    return np.array([float(centred[lag:] @ centred[:-lag]) / variance for lag in range(1, lags + 1)])


def autocorrelation_adjusted_sharpe(
    returns: npt.ArrayLike,
    periods_per_year: float,
    *,
    lags: int | None = None,
    form: Autocorrelation = "sample",
) -> float:
    """Sharpe ratio of a year's return, where the returns of its bars are not independent.

    Lo 2002, The Statistics of Sharpe Ratios, Financial Analysts Journal 58(4): η(q) · SR with
    `η(q) = q / √(q + 2 Σ (q − k) ρ_k)`, k from 1 to q − 1, in place of √q. Two conventions are in use:

    - `sample`: the sample autocorrelations of the first `lags` lags, those behind taken as 0. Lo's own sums
      run to q − 1, which with many bars a year adds up noise.
    - `ar1`: a first-order process, `ρ_k = ρ₁ᵏ` (Lo's equation 22).

    Args:
        returns: n values, one a bar.
        periods_per_year: q, rounded to a whole number of bars.
        lags: how many autocorrelations count; by default ⌊4 (n / 100)^(2/9)⌋ (Newey & West 1994), at most
            q − 1.
        form: the convention.

    Returns:
        Annualised; 0 where nothing moves. Short samples can make the sum negative: the year's variance is
        taken to be a tenth of the independent case at least.

    Raises:
        RequestError: `too_few_observations`, `not_a_statistic`.
    """
    values = checked_returns(returns, 4)
    q = max(1, round(periods_per_year))
    count = newey_west_lags(values.size) if lags is None else lags
    count = max(0, min(count, q - 1, values.size - 2))
    if form == "ar1":
        first = float(autocorrelations(values, 1)[0]) if q > 1 else 0.0
        places = np.arange(1, q)
        spread = 2.0 * float(((q - places) * first**places).sum())
    else:
        found = autocorrelations(values, count) if count else np.empty(0)
        spread = 2.0 * float(((q - np.arange(1, count + 1)) * found).sum())
    variance = max(q + spread, q / 10.0)
    return moments(values).sharpe * q / math.sqrt(variance)


def newey_west_lags(n_observations: int) -> int:
    """Autocorrelations that count, by the rule of thumb of Newey & West (1994)."""
    return int(4.0 * (n_observations / 100.0) ** (2.0 / 9.0))
