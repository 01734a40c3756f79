"""What a Sharpe ratio is worth after the length, the shape and the number of trials behind it are counted.

Conventions, everywhere in this file: Sharpe ratios are per observation (not annualised), kurtosis is not in
excess (3 for a normal), `n_observations` counts returns. Two forms of the sampling variance are in use:

- `2012`: the variance at the observed ratio, over n − 1 (Bailey & López de Prado 2012, The Sharpe Ratio
  Efficient Frontier, Journal of Risk 15(2); Mertens 2002 for the variance).
- `2025`: the variance at the benchmark, the null hypothesis, over n (López de Prado, Lipton & Zoonekynd 2025,
  SSRN 5520741).

Nothing here knows where returns come from; counting trials honestly is the caller's work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from backtest.errors import RequestError

Form = Literal["2012", "2025"]

EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise RequestError("not_a_statistic", name=name, value=str(value))


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Sampling variance of a Sharpe ratio, times the number of observations (Mertens 2002)."""
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if variance <= 0.0:
        # No distribution has such moments: kurtosis is never below skew² + 1.
        raise RequestError("impossible_moments", skew=f"{skew:g}", kurtosis=f"{kurtosis:g}")
    return variance


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
    _finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis)
    if n_observations < 1:
        raise RequestError("too_few_observations", needed=1, found=n_observations)
    return math.sqrt(_variance(sharpe, skew, kurtosis) / n_observations)


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
    _finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis, benchmark=benchmark)
    if n_observations < 2:
        raise RequestError("too_few_observations", needed=2, found=n_observations)
    if form == "2012":
        error = math.sqrt(_variance(sharpe, skew, kurtosis) / (n_observations - 1))
    else:
        error = math.sqrt(_variance(benchmark, skew, kurtosis) / n_observations)
    return _NORMAL.cdf((sharpe - benchmark) / error)


def expected_maximum_sharpe(n_trials: int, sharpe_variance: float = 1.0) -> float:
    """Expected largest Sharpe ratio among independent trials without skill.

    `√V · ((1 − γ) · Φ⁻¹(1 − 1/N) + γ · Φ⁻¹(1 − 1/(N·e)))`, an approximation for large N.
    Bailey, Borwein, López de Prado & Zhu 2014, Notices of the AMS 61(5).

    Args:
        n_trials: independent trials, at least 1; of one trial the expectation is 0.
        sharpe_variance: variance of the trials' Sharpe ratios.

    Raises:
        RequestError: `not_a_statistic`, `too_few_trials`.
    """
    _finite(sharpe_variance=sharpe_variance)
    if n_trials < 1:
        raise RequestError("too_few_trials", found=n_trials)
    if sharpe_variance < 0.0:
        raise RequestError("not_a_statistic", name="sharpe_variance", value=f"{sharpe_variance:g}")
    if n_trials == 1:
        return 0.0
    highest = (1.0 - EULER_GAMMA) * _NORMAL.inv_cdf(1.0 - 1.0 / n_trials)
    highest += EULER_GAMMA * _NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    return math.sqrt(sharpe_variance) * highest


def deflated_sharpe_ratio(
    sharpe: float,
    n_observations: int,
    skew: float,
    kurtosis: float,
    n_trials: int,
    sharpe_variance: float,
) -> float:
    """Probability that the true Sharpe ratio exceeds what the best of so many trials shows by luck alone.

    Bailey & López de Prado 2014, Journal of Portfolio Management 40(5); the 2012 form of the variance.

    Args:
        sharpe: of the chosen trial, per observation.
        n_observations: returns behind it, at least 2.
        skew: of its returns.
        kurtosis: of its returns, not in excess.
        n_trials: independent trials it was chosen among.
        sharpe_variance: variance of their Sharpe ratios, per observation.

    Raises:
        RequestError: as `probabilistic_sharpe_ratio` and `expected_maximum_sharpe`.
    """
    luck = expected_maximum_sharpe(n_trials, sharpe_variance)
    return probabilistic_sharpe_ratio(sharpe, n_observations, skew, kurtosis, benchmark=luck)


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
    _finite(sharpe=sharpe, skew=skew, kurtosis=kurtosis, benchmark=benchmark)
    if not 0.5 < confidence < 1.0:
        raise RequestError("not_a_statistic", name="confidence", value=f"{confidence:g}")
    at = sharpe if form == "2012" else benchmark
    variance = _variance(at, skew, kurtosis)
    if sharpe <= benchmark:
        return math.inf
    length = variance * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2
    return length + 1.0 if form == "2012" else length


def minimum_backtest_length(n_trials: int, expected_maximum: float = 1.0) -> float:
    """Years of backtest below which luck alone brings the best of so many trials to this Sharpe ratio.

    Bailey, Borwein, López de Prado & Zhu 2014, Notices of the AMS 61(5).

    Args:
        n_trials: independent trials.
        expected_maximum: annualised Sharpe ratio that luck alone must not reach.

    Raises:
        RequestError: `too_few_trials`, `not_a_statistic`.
    """
    _finite(expected_maximum=expected_maximum)
    if expected_maximum <= 0.0:
        raise RequestError("not_a_statistic", name="expected_maximum", value=f"{expected_maximum:g}")
    return (expected_maximum_sharpe(n_trials) / expected_maximum) ** 2


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """How often the best in one half of the time fails in the other.

    Attributes:
        pbo: share of the splits whose winner does not beat the median of the other half, 0 to 1.
        logits: logit of the winner's relative rank in the other half, one a split.
        n_splits: ways of choosing half of the blocks.
    """

    pbo: float
    logits: npt.NDArray[np.float64]
    n_splits: int


def probability_of_backtest_overfitting(
    returns: npt.ArrayLike | Sequence[Sequence[float]], n_blocks: int = 16
) -> Overfitting:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation.

    Bailey, Borwein, López de Prado & Zhu 2017, Journal of Computational Finance 20(4). Statistic: Sharpe
    ratio with the sample standard deviation, 0 where a trial does not move. Relative rank r/(N + 1) with ties
    averaged; a logit of 0 or less counts as overfit. Each half's statistic comes from sums over blocks, so no
    return is read twice.

    Args:
        returns: T×N, a column a trial, without NaN; where T does not divide, blocks differ by one row.
        n_blocks: even, at least 2.

    Raises:
        RequestError: `bad_blocks`, `too_few_trials`, `too_few_observations`, `not_a_statistic`.
    """
    table = np.asarray(returns, dtype=np.float64)
    if n_blocks < 2 or n_blocks % 2:
        raise RequestError("bad_blocks", found=n_blocks)
    if table.ndim != 2 or table.shape[1] < 2:
        raise RequestError("too_few_trials", found=table.shape[1] if table.ndim == 2 else table.ndim)
    if len(table) < 2 * n_blocks:
        raise RequestError("too_few_observations", needed=2 * n_blocks, found=len(table))
    if not np.isfinite(table).all():
        raise RequestError("not_a_statistic", name="returns", value="nan")
    edges = np.linspace(0, len(table), n_blocks + 1).round().astype(np.int64)
    counts = np.diff(edges).astype(np.float64)
    # Squares of returns lose digits where means are large beside deviations; squares of deviations do not.
    centres = table.mean(axis=0)
    centred = table - centres
    sums = np.add.reduceat(centred, edges[:-1], axis=0)
    squares = np.add.reduceat(centred**2, edges[:-1], axis=0)
    halves = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    chosen = np.zeros((len(halves), n_blocks))
    chosen[np.arange(len(halves))[:, None], halves] = 1.0

    def sharpes(members: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        count = (members @ counts)[:, None]
        mean = members @ sums / count
        variance = (members @ squares - count * mean**2) / (count - 1.0)
        # Below a rounding error of its own size, a variance is none.
        moved = variance > 1e-14 * np.maximum((mean + centres) ** 2, 1e-300)
        deviation = np.sqrt(np.where(moved, variance, 1.0))
        ratio: npt.NDArray[np.float64] = np.where(moved, (mean + centres) / deviation, 0.0)
        return ratio

    inside, outside = sharpes(chosen), sharpes(1.0 - chosen)
    best = inside.argmax(axis=1)
    reached = outside[np.arange(len(halves)), best][:, None]
    below = (outside < reached).sum(axis=1)
    equal = (outside == reached).sum(axis=1)
    rank = (below + (equal + 1) / 2.0) / (table.shape[1] + 1)
    logits = np.log(rank / (1.0 - rank))
    return Overfitting(pbo=float((logits <= 0.0).mean()), logits=logits, n_splits=len(halves))
