"""Combinatorially symmetric cross-validation: how often the best of one half fails in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from backtest.errors import RequestError

Floats = npt.NDArray[np.float64]

_SPLITS_AT_ONCE = 128


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
    half = len(halves) // 2
    rank = np.empty(len(halves))
    # Few splits at a time stay in the processor's cache; all of them would take hundreds of megabytes.
    for start in range(0, half, _SPLITS_AT_ONCE):
        stop = min(half, start + _SPLITS_AT_ONCE)
        # In this order the last half is what the first one leaves, and so on inwards.
        first, last = slice(start, stop), slice(len(halves) - stop, len(halves) - start)
        ones, others = (
            _sharpe_ratios(chosen[part], counts, sums, squares, centres) for part in (first, last)
        )
        rank[first] = _ranks(ones, others[::-1])
        rank[last] = _ranks(others, ones[::-1])
    rank /= table.shape[1] + 1
    logits = np.log(rank / (1.0 - rank))
    return Overfitting(pbo=float((logits <= 0.0).mean()), logits=logits, n_splits=len(halves))


def _sharpe_ratios(chosen: Floats, counts: Floats, sums: Floats, squares: Floats, centres: Floats) -> Floats:
    """Sharpe ratio of each trial (a column) in each split (a row); 0 where it does not move."""
    count = (chosen @ counts)[:, None]
    mean = chosen @ sums / count
    variance = (chosen @ squares - count * mean**2) / (count - 1.0)
    mean += centres
    # Below a rounding error of its own size, a variance is none.
    moved = variance > 1e-14 * np.maximum(mean**2, 1e-300)
    ratios: Floats = np.where(moved, mean / np.sqrt(np.where(moved, variance, 1.0)), 0.0)
    return ratios


def _ranks(inside: Floats, outside: Floats) -> Floats:
    """Rank, from 1 on and ties averaged, that the best trial inside has outside; a split a row."""
    reached = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
    ranks: Floats = (outside < reached).sum(axis=1) + ((outside == reached).sum(axis=1) + 1) / 2.0
    return ranks
