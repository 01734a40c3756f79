"""Luck among many trials: how high the best of them stands without any skill.

Conventions: see `backtest.statistics.sharpe`. Nothing here knows where trials come from; counting them
honestly is the work of `vault.ledger`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backtest.errors import RequestError
from backtest.statistics.sharpe import NORMAL, finite, probabilistic_sharpe_ratio

EULER_GAMMA = 0.5772156649015329
SAME_BET = 0.5
"""Trials whose returns correlate above this, on average, are one bet."""


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
    finite(sharpe_variance=sharpe_variance)
    if n_trials < 1:
        raise RequestError("too_few_trials", found=n_trials)
    if sharpe_variance < 0.0:
        raise RequestError("not_a_statistic", name="sharpe_variance", value=f"{sharpe_variance:g}")
    if n_trials == 1:
        return 0.0
    highest = (1.0 - EULER_GAMMA) * NORMAL.inv_cdf(1.0 - 1.0 / n_trials)
    highest += EULER_GAMMA * NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    return math.sqrt(sharpe_variance) * highest


def deflated_sharpe_ratio(
    sharpe: float,
    n_observations: int,
    skew: float,
    kurtosis: float,
    n_trials: int,
    sharpe_variance: float,
) -> float:
    """Probability that the true Sharpe ratio exceeds its expected maximum under the null.

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
    expected_maximum = expected_maximum_sharpe(n_trials, sharpe_variance)
    return probabilistic_sharpe_ratio(sharpe, n_observations, skew, kurtosis, benchmark=expected_maximum)


def minimum_backtest_length(n_trials: int, expected_maximum: float = 1.0) -> float:
    """Years of backtest below which the expected maximum under the null reaches this Sharpe ratio.

    Bailey, Borwein, López de Prado & Zhu 2014, Notices of the AMS 61(5).

    Args:
        n_trials: independent trials.
        expected_maximum: annualised Sharpe ratio that the maximum under the null must not reach.

    Raises:
        RequestError: `too_few_trials`, `not_a_statistic`.
    """
    finite(expected_maximum=expected_maximum)
    if expected_maximum <= 0.0:
        raise RequestError("not_a_statistic", name="expected_maximum", value=f"{expected_maximum:g}")
    return (expected_maximum_sharpe(n_trials) / expected_maximum) ** 2


@dataclass(frozen=True, kw_only=True)
class EffectiveTrials:
    """Trials that bet on the same thing, taken together.

    Attributes:
        raw: trials compared.
        effective: clusters of them: the number of independent trials, those estimated included that only
            trials which could not be compared belong to.
        labels: number of the cluster of each trial, from 0; -1 where it never moved, and so was no bet.
        sharpe_variance: variance (n − 1) of the Sharpe ratios of all trials that moved, per observation.
        cluster_variance: variance (n − 1) of the Sharpe ratios of the clusters, each the mean return of its
            members, weighted by the inverse of their volatility; 0 with fewer than two.
    """

    raw: int
    effective: int
    labels: npt.NDArray[np.int64]
    sharpe_variance: float
    cluster_variance: float


def unseen_clusters(labels: npt.ArrayLike, unseen: int) -> int:
    """Clusters that are likely to stand behind trials of which no returns are known.

    `f₁ (f₁ − 1) / (2 (f₂ + 1))` with f₁ and f₂ the clusters seen once and twice: Chao 1984, Nonparametric
    Estimation of the Number of Classes in a Population, Scandinavian Journal of Statistics 11(4), in the
    form corrected for bias. Where every trial seen had near copies, those unseen are hardly anything new;
    where all seen were unrelated, those unseen will be too. Never more than there are unseen trials.

    Args:
        labels: number of the cluster of each trial that was compared; negative for none.
        unseen: trials that were not.
    """
    numbers = np.asarray(labels, dtype=np.int64)
    sizes = np.bincount(numbers[numbers >= 0])
    once, twice = int((sizes == 1).sum()), int((sizes == 2).sum())
    return min(max(0, unseen), math.ceil(once * (once - 1) / (2 * (twice + 1))))


def effective_trials(
    returns: npt.ArrayLike, same_bet: float = SAME_BET, *, of: int | None = None
) -> EffectiveTrials:
    """How many independent bets a set of trials is, by clustering of the correlations of their returns.

    The idea is López de Prado & Lewis 2019, Detection of False Investment Strategies Using Unsupervised
    Learning Methods, Quantitative Finance 19(9). Where they let a silhouette choose the number of clusters,
    here trials join by average linkage while their mean correlation stays above `same_bet`: without
    randomness, and never fewer bets than there are groups of unrelated returns.

    Args:
        returns: T×N, a column a trial, without NaN.
        same_bet: correlation above which trials are one bet, between 0 and 1.
        of: trials in all, where the returns of some are not known: see `unseen_clusters`.

    Raises:
        RequestError: `too_few_trials`, `too_few_observations`, `not_a_statistic`.
    """
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 1:
        raise RequestError("too_few_trials", found=table.shape[1] if table.ndim == 2 else table.ndim)
    if len(table) < 3:
        raise RequestError("too_few_observations", needed=3, found=len(table))
    if not np.isfinite(table).all():
        raise RequestError("not_a_statistic", name="returns", value="nan")
    if not 0.0 < same_bet < 1.0:
        raise RequestError("not_a_statistic", name="same_bet", value=f"{same_bet:g}")
    deviations = table.std(axis=0, ddof=1)
    moving = np.flatnonzero(deviations > 1e-12 * np.abs(table).max(axis=0, initial=0.0))
    labels = np.full(table.shape[1], -1, dtype=np.int64)
    if len(moving) == 0:
        return EffectiveTrials(
            raw=table.shape[1], effective=0, labels=labels, sharpe_variance=0.0, cluster_variance=0.0
        )
    scaled = table[:, moving] / deviations[moving]
    if len(moving) == 1:
        labels[moving] = 0
    else:
        from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415  # 0.4 s of the start of every command
        from scipy.spatial.distance import squareform  # noqa: PLC0415

        centred = scaled - scaled.mean(axis=0)
        correlations = np.clip(centred.T @ centred / (len(table) - 1), -1.0, 1.0)
        distances = squareform(1.0 - correlations, checks=False)
        found = fcluster(linkage(distances, "average"), 1.0 - same_bet, "distance")
        # Numbered by their first member, whatever order the library gives.
        names: dict[int, int] = {}
        labels[moving] = [names.setdefault(int(one), len(names)) for one in found]
    clusters = int(labels.max()) + 1
    joined = np.column_stack([scaled[:, labels[moving] == one].mean(axis=1) for one in range(clusters)])
    cluster_sharpes = joined.mean(axis=0) / joined.std(axis=0, ddof=1)
    sharpes = scaled.mean(axis=0)
    return EffectiveTrials(
        raw=table.shape[1],
        effective=clusters + unseen_clusters(labels, (of or 0) - table.shape[1]),
        labels=labels,
        sharpe_variance=float(sharpes.var(ddof=1)) if len(sharpes) > 1 else 0.0,
        cluster_variance=float(cluster_sharpes.var(ddof=1)) if clusters > 1 else 0.0,
    )
