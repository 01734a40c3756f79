"""How often a test of a Sharpe ratio sees an edge, and how often what it calls one is none.

All of López de Prado, Lipton & Zoonekynd 2025 (SSRN 5520741): two hypotheses, each with a Sharpe ratio of its
own, and the sampling variance at either (`form="2025"` of `backtest.statistics.sharpe`).
"""

from __future__ import annotations

import math

from scipy.special import expit, log_ndtr

from backtest.errors import RequestError
from backtest.statistics.sharpe import NORMAL, finite, sharpe_standard_error


def _inside(**chances: float) -> None:
    """Refuse what is no probability between 0 and 1, both left out: RequestError `not_a_statistic`."""
    finite(**chances)
    for name, value in chances.items():
        if not 0.0 < value < 1.0:
            raise RequestError("not_a_statistic", name=name, value=f"{value:g}")


def sharpe_ratio_power(
    alternative: float,
    n_observations: int,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    significance: float = 0.05,
) -> float:
    """Probability that a one-sided test recognises a true Sharpe ratio.

    Args:
        alternative: the true Sharpe ratio, per observation.
        n_observations: returns that the test will see, at least 1.
        skew: of the returns.
        kurtosis: of the returns, not in excess.
        benchmark: Sharpe ratio under the null hypothesis, per observation.
        significance: how often the test may call an edge what is none.

    Returns:
        0 to 1: one minus the probability of a miss.

    Raises:
        RequestError: `not_a_statistic`, `impossible_moments`, `too_few_observations`.
    """
    _inside(significance=significance)
    critical = benchmark + NORMAL.inv_cdf(1.0 - significance) * sharpe_standard_error(
        benchmark, n_observations, skew, kurtosis
    )
    return NORMAL.cdf(
        (alternative - critical) / sharpe_standard_error(alternative, n_observations, skew, kurtosis)
    )


def planned_false_discovery_rate(prior: float, significance: float, power: float) -> float:
    """Probability that there is no edge where a test will have recognised one (pFDR), before any data.

    Args:
        prior: share of the ideas tested that have an edge.
        significance: of the test.
        power: of the test, see `sharpe_ratio_power`.

    Returns:
        0 to 1.

    Raises:
        RequestError: `not_a_statistic`.
    """
    _inside(prior=prior, significance=significance)
    finite(power=power)
    if not 0.0 <= power <= 1.0:
        raise RequestError("not_a_statistic", name="power", value=f"{power:g}")
    false = significance * (1.0 - prior)
    return false / (false + power * prior)


def observed_false_discovery_rate(
    sharpe: float,
    alternative: float,
    n_observations: int,
    prior: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
) -> float:
    """Probability that there is no edge where a Sharpe ratio as large as the observed one is met (oFDR).

    Args:
        sharpe: observed, per observation.
        alternative: Sharpe ratio of those that have an edge, above the benchmark, per observation.
        n_observations: returns behind the observed ratio, at least 1.
        prior: share of the ideas tested that have an edge.
        skew: of the returns.
        kurtosis: of the returns, not in excess.
        benchmark: Sharpe ratio under the null hypothesis, per observation.

    Returns:
        0 to 1.

    Raises:
        RequestError: `not_a_statistic`, `impossible_moments`, `too_few_observations`.
    """
    _inside(prior=prior)
    finite(sharpe=sharpe, alternative=alternative, benchmark=benchmark)
    if alternative <= benchmark:
        raise RequestError("not_a_statistic", name="alternative", value=f"{alternative:g}")
    # By logarithms: far out both tails are too small for a float, their quotient is not.
    without, within = (
        log_ndtr((ratio - sharpe) / sharpe_standard_error(ratio, n_observations, skew, kurtosis))
        for ratio in (benchmark, alternative)
    )
    return float(expit(without - within + math.log((1.0 - prior) / prior)))
