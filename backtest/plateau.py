"""Choosing on a plateau rather than a peak: a configuration is worth what its neighbourhood is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.simulation import Floats


def plateau_scores(scores: Floats, shape: Sequence[int]) -> Floats:
    """Each configuration's score averaged with those of its direct neighbours on the grid, itself twice.

    A lone peak beside poor neighbours then loses to a lower but even ground (the stability of parameters that
    Pardo 2008, The Evaluation and Optimization of Trading Strategies, chapter 10, asks for). Neighbours that
    make no sense, or do not exist at the edge, are left out.

    Args:
        scores: one value a configuration in the grid's order (the last axis fastest), NaN where undefined.
        shape: number of values of each axis.

    Returns:
        As many values; NaN where the configuration itself has none.
    """
    table = np.asarray(scores, dtype=np.float64).reshape(tuple(shape))
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    sums, counts = 2.0 * filled, 2.0 * known
    for axis in range(table.ndim):
        before = [slice(None)] * table.ndim
        after = [slice(None)] * table.ndim
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        for to, source in ((tuple(after), tuple(before)), (tuple(before), tuple(after))):
            sums[to] += filled[source]
            counts[to] += known[source]
    averaged: Floats = np.where(known, sums / np.where(known, counts, 1.0), np.nan).reshape(-1)
    return averaged
