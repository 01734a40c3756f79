"""The best of many, tested as such: haircuts of p-values, White's reality check, Hansen's SPA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from backtest.errors import RequestError
from backtest.kernels.compile import kernel
from backtest.statistics.bootstrap import block_lengths
from backtest.statistics.sharpe import NORMAL, finite

HaircutMethod = Literal["bonferroni", "holm", "bhy"]
HAIRCUT_METHODS: tuple[HaircutMethod, ...] = get_args(HaircutMethod)

MOST_ROWS = 512
"""Longer tables are summed to so many stretches of time before they are resampled."""
LEAST_REPRESENTATIVES = 32
"""Trials drawn from a search before they say anything of those that were not drawn."""
_NEWTON_STEPS = 50


def adjusted_p_values(
    p_values: Sequence[float], method: HaircutMethod, n_tests: int | None = None
) -> npt.NDArray[np.float64]:
    """P-values as they stand after so many tests, in the order given.

    With p sorted upwards and M tests: `bonferroni` min(M·p, 1); `holm` max over j ≤ i of (M − j + 1)·p_j, cut
    at 1 (both hold the chance of a single false discovery); `bhy` min over j ≥ i of M·c(M)/j·p_j with
    c(M) = Σ 1/k, cut at 1 (holds the share of false discoveries, whatever the dependence).
    Harvey & Liu 2015, Backtesting, Journal of Portfolio Management 42(1); Benjamini & Yekutieli 2001.

    Args:
        p_values: of the tests whose outcome is known.
        method: of the adjustment.
        n_tests: M, where more tests were made than p-values are known: the others count as p = 1.

    Raises:
        RequestError: `too_few_trials` without any; `not_a_statistic` outside 0 to 1; `unknown_method`.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.size == 0:
        raise RequestError("too_few_trials", found=0)
    count = max(values.size, n_tests or 0)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise RequestError("not_a_statistic", name="p_values", value=str(values.tolist())[:80])
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    places = np.arange(1, values.size + 1)
    if method == "bonferroni":
        adjusted = ranked * count
    elif method == "holm":
        adjusted = np.maximum.accumulate(ranked * (count - places + 1))
    elif method == "bhy":
        harmonic = float((1.0 / np.arange(1, count + 1)).sum())
        adjusted = np.minimum.accumulate((ranked * count * harmonic / places)[::-1])[::-1]
    else:
        raise RequestError("unknown_method", name=str(method), known=", ".join(HAIRCUT_METHODS))
    found = np.empty(values.size)
    found[order] = np.minimum(adjusted, 1.0)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Haircut:
    """A Sharpe ratio after as many tests as were made.

    Attributes:
        method: of the adjustment.
        p_value: two-sided, of the one ratio.
        adjusted_p_value: among all of them.
        sharpe: the ratio that would have this p-value in a single test, per observation.
        haircut: share taken off, 0 to 1.
    """

    method: HaircutMethod
    p_value: float
    adjusted_p_value: float
    sharpe: float
    haircut: float


def haircut_sharpe_ratio(
    sharpe: float,
    n_observations: int,
    trial_sharpes: Sequence[float],
    method: HaircutMethod = "holm",
    n_tests: int | None = None,
) -> Haircut:
    """Take off a Sharpe ratio what the number of tests behind it costs.

    Harvey & Liu 2015: t = SR·√n against Student's t with n − 1 degrees of freedom, two-sided. Their simulated
    tests of the profession are replaced by the tests that were really made.

    Args:
        sharpe: of the chosen trial, per observation, positive.
        n_observations: returns behind each ratio, at least 3.
        trial_sharpes: of every trial, the chosen one's included, per observation.
        method: of the adjustment.
        n_tests: trials in all, where not every one's ratio is known.

    Raises:
        RequestError: `not_a_statistic`, `too_few_observations`, `too_few_trials`, `unknown_method`.
    """
    finite(sharpe=sharpe)
    if sharpe <= 0.0:
        raise RequestError("not_a_statistic", name="sharpe", value=f"{sharpe:g}")
    if n_observations < 3:
        raise RequestError("too_few_observations", needed=3, found=n_observations)
    ratios = np.asarray(trial_sharpes, dtype=np.float64)
    if not np.isfinite(ratios).all():
        raise RequestError("not_a_statistic", name="trial_sharpes", value="nan")
    if not np.isclose(ratios, sharpe, rtol=1e-9, atol=0.0).any():
        raise RequestError("too_few_trials", found=ratios.size)
    own = int(np.abs(ratios - sharpe).argmin())
    freedom = n_observations - 1
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415  # 0.4 s of the start of every command

    p_values = 2.0 * stdtr(freedom, -np.abs(ratios) * math.sqrt(n_observations))
    adjusted = float(adjusted_p_values(p_values.tolist(), method, n_tests)[own])
    left = max(0.0, -float(stdtrit(freedom, adjusted / 2.0))) / math.sqrt(n_observations)
    left = min(left, sharpe)
    return Haircut(
        method=method,
        p_value=float(p_values[own]),
        adjusted_p_value=adjusted,
        sharpe=left,
        haircut=1.0 - left / sharpe,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Unseen:
    """Trials of one search whose returns are not in the table.

    Attributes:
        count: how many.
        columns: those of the table that were drawn from the same search at random; below
            `LEAST_REPRESENTATIVES` they represent nothing.
    """

    count: int
    columns: Sequence[int] = ()


def familywise_p_value(
    returns: npt.ArrayLike,
    chosen: int,
    generator: np.random.Generator,
    *,
    unseen: Sequence[Unseen] = (),
    reached: float | None = None,
    replications: int = 4_000,
) -> float:
    """Probability that the best of trials without an edge does as well as the chosen one.

    The rows are drawn with replacement, the same rows for every trial, each trial's mean taken away: the
    largest t-statistic then has its null distribution, with the dependence of the trials. White 2000
    with studentised returns; the first step of Romano & Wolf 2005, Econometrica 73(4). Near copies of one
    idea add almost nothing to the correction, unrelated ideas count in full.

    Half of the resamples are plain ones; of the others each is tilted so that one trial, taken in turn, is
    expected to do as well as the chosen one, and all are weighted by the ratio of likelihoods (Johns 1988,
    Importance Sampling for Bootstrap Confidence Intervals, JASA 83(403); Owen, Maximov & Chertkov 2019,
    Importance Sampling the Union of Rare Events, Electronic Journal of Statistics 13(1)). The p-value of the
    same bootstrap is so known to some percent of itself however small it is.

    Trials that are not in the table add `count · P(one more reaches it and nobody else does)`, which the
    columns drawn from their search estimate as Good 1953 does the chance of a new species. The chance grows
    ever more slowly with the number of trials, so this is no less than their share. Those of a search without
    such columns count as if unrelated to everything: `count · P(the chosen one does as well)`.

    Args:
        returns: T×N sums of returns over blocks of time long enough to be independent, a column a trial.
        chosen: column of the chosen trial.
        generator: source of randomness.
        unseen: trials beside those of the table, by the search they are from.
        reached: t-statistic that is to be reached; the chosen one's own by default.
        replications: of the bootstrap.

    Returns:
        At most 1; 1 where the chosen trial never moves, and no less than 1 / (1 + replications) where it does
        better than any resample could.

    Raises:
        RequestError: `too_few_trials`, `too_few_observations` below 20 rows, `not_a_statistic`.
    """
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != 2 or not 0 <= chosen < table.shape[1]:
        raise RequestError("too_few_trials", found=table.shape[1] if table.ndim == 2 else table.ndim)
    rows = len(table)
    if rows < 20:
        raise RequestError("too_few_observations", needed=20, found=rows)
    if not np.isfinite(table).all():
        raise RequestError("not_a_statistic", name="returns", value="nan")
    errors = table.std(axis=0, ddof=1) / math.sqrt(rows)
    moved = errors > 1e-12 * np.abs(table).max(axis=0, initial=0.0)
    if not moved[chosen]:
        return 1.0
    if reached is None:
        reached = float(table[:, chosen].mean() / errors[chosen])
    centred = (table - table.mean(axis=0))[:, moved] / errors[moved]
    places = np.cumsum(moved) - 1
    weights, does = _resampled_beyond(centred, reached, generator, replications)
    highest = does.any(axis=1)
    alone = weights[:, None] * (does & (does.sum(axis=1) == 1)[:, None])
    found = float((weights * highest).mean())
    for one in unseen:
        if len(one.columns) >= LEAST_REPRESENTATIVES:
            own = [places[column] for column in one.columns if moved[column]]
            found += one.count * float(alone[:, own].sum()) / (len(weights) * len(one.columns))
        else:
            found += one.count * float((weights * does[:, places[chosen]]).mean())
    return min(1.0, found) if found > 0.0 else 1.0 / (1 + replications)


def independent_trials(
    returns: npt.ArrayLike,
    chosen: int,
    generator: np.random.Generator,
    *,
    unseen: Sequence[Unseen] = (),
    t_statistic: float = 3.0,
) -> float:
    """How many independent trials would as likely hold one of this t-statistic without an edge.

    `log(1 − p) / log(1 − P(Z ≥ t))`, p by `familywise_p_value`; arguments and errors are its own.

    Args:
        returns: T×N.
        chosen: column that stands for trials of which nothing was drawn.
        generator: source of randomness.
        unseen: trials beside those of the table.
        t_statistic: how high.

    Returns:
        At least 1.
    """
    found = familywise_p_value(
        returns, chosen, generator, unseen=unseen, reached=t_statistic, replications=1_000
    )
    return max(1.0, math.log1p(-min(found, 1.0 - 1e-12)) / math.log1p(-NORMAL.cdf(-t_statistic)))


def _resampled_beyond(
    centred: npt.NDArray[np.float64], reached: float, generator: np.random.Generator, replications: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Resamples that often reach a value, each with its weight, and which trials reach it in them.

    Args:
        centred: T×N, columns of mean 0.
        reached: what the means of resamples are compared with.
        generator: source of randomness.
        replications: how many resamples.

    Returns:
        One weight a resample, of mean 1; and replications × N.
    """
    rows = len(centred)
    tilts, logs = _tilts(centred, reached)
    tilted = np.flatnonzero(tilts > 0.0)
    plain = replications if len(tilted) == 0 else replications // 2
    even = np.full(rows, 1.0 / rows)
    means = generator.multinomial(rows, even, size=plain) @ centred / rows
    if len(tilted) == 0:
        return np.ones(plain), means >= reached
    chances = np.exp(centred[:, tilted] * tilts[tilted] - logs[tilted]).T
    chances /= chances.sum(axis=1, keepdims=True)
    turns = generator.permutation(len(tilted))[np.arange(replications - plain) % len(tilted)]
    means = np.concatenate([means, generator.multinomial(rows, chances[turns]) @ centred / rows])
    # Likelihood of each resample under each tilt, against the plain one; the mixture is half plain.
    ratios = rows * (tilts[tilted] * means[:, tilted] - logs[tilted])
    highest = ratios.max(axis=1)
    mixed = highest + np.log(np.exp(ratios - highest[:, None]).mean(axis=1))
    return np.exp(-np.logaddexp(0.0, mixed) + math.log(2.0)), means >= reached


def _tilts(
    centred: npt.NDArray[np.float64], reached: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """θ with which rows drawn in proportion to exp(θ·x) have the mean `reached`, and log E exp(θ·x).

    θ is 0 in columns that no resample brings so far, and in all of them below a mean of 0.
    """
    tilts = np.zeros(centred.shape[1])
    able = (reached > 0.0) & (centred.max(axis=0) > 1.001 * reached)
    for _ in range(_NEWTON_STEPS):
        exponents = centred * tilts
        drawn = np.exp(exponents - exponents.max(axis=0))
        drawn /= drawn.sum(axis=0)
        mean = (drawn * centred).sum(axis=0)
        variance = (drawn * centred**2).sum(axis=0) - mean**2
        missing = np.where(able, reached - mean, 0.0)
        if np.abs(missing).max(initial=0.0) < 1e-6 * max(1.0, reached):
            break
        # Never far in one step: where few rows carry the mean, the variance says little of the next one.
        tilts = np.maximum(0.0, tilts + np.clip(missing / np.maximum(variance, 1e-12), -1.0, 1.0))
    exponents = centred * tilts
    highest = exponents.max(axis=0)
    return tilts, highest + np.log(np.exp(exponents - highest).mean(axis=0))


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSnooping:
    """Whether the best of many trials beats the benchmark beyond what the search explains.

    Attributes:
        reality_check: p-value of White (2000): no trial recentred.
        spa_lower: p-value of Hansen (2005), every trial worse than the benchmark recentred away.
        spa_consistent: the one he recommends.
        spa_upper: no trial recentred, so the reality check again; with `spa_lower` it bounds what the choice
            of recentring can do.
        block_length: mean length of the blocks, in rows as resampled.
        rows: rows as resampled.
    """

    reality_check: float
    spa_lower: float
    spa_consistent: float
    spa_upper: float
    block_length: int
    rows: int


@kernel
def _long_run_variances(gains: npt.NDArray[np.float64], restart: float) -> npt.NDArray[np.float64]:
    """Variance of √n times the mean of each column under the stationary bootstrap, as Hansen estimates it.

    Args:
        gains: n×k.
        restart: chance that a block begins at a row.
    """
    size, width = gains.shape
    found = np.zeros(width)
    for column in range(width):
        deviations = gains[:, column] - gains[:, column].mean()
        found[column] = np.sum(deviations**2) / size
        for lag in range(1, size):
            share = lag / size
            weight = (1.0 - share) * (1.0 - restart) ** lag + share * (1.0 - restart) ** (size - lag)
            found[column] += 2.0 * weight * np.sum(deviations[: size - lag] * deviations[lag:]) / size
    return found


@kernel
def _highest_means(
    gains: npt.NDArray[np.float64],
    begins: npt.NDArray[np.int64],
    draws: npt.NDArray[np.float64],
    restart: float,
    centres: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """The largest mean of a resample over all columns, each less its centre.

    Args:
        gains: n×k.
        begins: n rows where a block would begin.
        draws: n numbers from 0 to 1; a block begins where one is not above `restart`.
        restart: chance that a block begins at a row.
        centres: m×k.
        out: m, written.
    """
    size, width = gains.shape
    sums = np.zeros(width)
    at = 0
    for step in range(size):
        at = begins[step] if step == 0 or draws[step] <= restart else at + 1
        if at == size:
            at = 0
        for column in range(width):
            sums[column] += gains[at, column]
    for place in range(len(out)):
        out[place] = -np.inf
        for column in range(width):
            out[place] = max(out[place], sums[column] / size - centres[place, column])


def data_snooping(
    returns: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    benchmark: npt.ArrayLike | None = None,
    replications: int = 1_000,
) -> DataSnooping:
    """White's reality check and Hansen's test of superior predictive ability, by the stationary bootstrap.

    White 2000, A Reality Check for Data Snooping, Econometrica 68(5); Hansen 2005, A Test for Superior
    Predictive Ability, Journal of Business & Economic Statistics 23(4). As in `arch`, no statistic is
    studentised, only the bound below which the consistent p-value does not recentre; a generator of the same
    seed gives the same p-values, but none below 1 / (1 + replications).

    Args:
        returns: T×N, a column a trial. Trials equal to the benchmark throughout are left out.
        generator: source of randomness.
        benchmark: T returns to beat; 0 by default.
        replications: of the bootstrap.

    Raises:
        RequestError: `too_few_trials` where none is left, `too_few_observations` below 20 rows,
            `not_a_statistic`.
    """
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 1:
        raise RequestError("too_few_trials", found=table.shape[1] if table.ndim == 2 else table.ndim)
    if len(table) < 20:
        raise RequestError("too_few_observations", needed=20, found=len(table))
    against = np.zeros(len(table)) if benchmark is None else np.asarray(benchmark, dtype=np.float64)
    if against.shape != (len(table),):
        raise RequestError("too_few_observations", needed=len(table), found=against.size)
    gains = table - against[:, None]
    if not np.isfinite(gains).all():
        raise RequestError("not_a_statistic", name="returns", value="nan")
    gains = gains[:, gains.std(axis=0) > 1e-12 * np.abs(gains).max(axis=0, initial=0.0)]
    if gains.shape[1] == 0:
        raise RequestError("too_few_trials", found=0)
    if len(gains) > MOST_ROWS:
        edges = np.linspace(0, len(gains), MOST_ROWS + 1).round().astype(np.int64)
        gains = np.add.reduceat(gains, edges[:-1], axis=0)
    length = max(1, round(float(np.median(block_lengths(gains)))))
    random = np.random.default_rng(int(generator.integers(2**63)))
    gains = np.ascontiguousarray(gains)
    size = len(gains)
    means = gains.mean(axis=0)
    allowed = np.sqrt(_long_run_variances(gains, 1.0 / length) / size * 2.0 * math.log(math.log(size)))
    centres = np.stack([np.maximum(means, 0.0), np.where(means >= -allowed, means, 0.0), means])
    highest = np.empty((replications, 3))
    for row in highest:
        begins = random.integers(size, size=size, dtype=np.int64)
        _highest_means(gains, begins, random.random(size), 1.0 / length, centres, row)
    # Of so many resamples none reaching it is no chance of 0.
    shares = np.maximum((highest > means.max()).mean(axis=0), 1.0 / (1 + replications))
    lower, consistent, upper = shares.tolist()
    return DataSnooping(
        reality_check=upper,
        spa_lower=lower,
        spa_consistent=consistent,
        spa_upper=upper,
        block_length=length,
        rows=len(gains),
    )
