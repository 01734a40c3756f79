"""Choosing on a plateau rather than a peak: a configuration is worth what its neighbourhood is worth."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.simulation import Floats

_NEAR = 0.1
"""Of an axis, how far apart neighbours are at most where only some combinations of a grid were tried."""


def plateau_scores(scores: Floats, axes: Sequence[Sequence[Any]]) -> Floats:
    """Each configuration's score averaged with those of its direct neighbours on the grid, itself twice.

    A lone peak beside poor neighbours then loses to a lower but even ground (the stability of parameters that
    Pardo 2008, The Evaluation and Optimization of Trading Strategies, chapter 10, asks for). Neighbours that
    make no sense, or do not exist at the edge, are left out. Neighbours are next to each other by value; what
    is no number (a side, a switch, a setting that is off) has none.

    Args:
        scores: one value a configuration in the grid's order (the last axis fastest), NaN where undefined.
        axes: values of each axis.

    Returns:
        As many values; NaN where the configuration itself has none.
    """
    table = np.asarray(scores, dtype=np.float64).reshape([len(values) for values in axes])
    known = np.isfinite(table)
    filled = np.where(known, table, 0.0)
    sums, counts = 2.0 * filled, 2.0 * known
    for axis, values in enumerate(axes):
        places = [
            place
            for place, value in enumerate(values)
            if isinstance(value, numbers.Real) and not isinstance(value, bool)
        ]
        places.sort(key=values.__getitem__)
        to, counted = np.moveaxis(sums, axis, 0), np.moveaxis(counts, axis, 0)
        source, there = np.moveaxis(filled, axis, 0), np.moveaxis(known, axis, 0)
        for pair in pairwise(places):
            for one, other in (pair, pair[::-1]):
                to[one] += source[other]
                counted[one] += there[other]
    averaged: Floats = np.where(known, sums / np.where(known, counts, 1.0), np.nan).reshape(-1)
    return averaged


def plateau_scores_of(scores: Floats, places: NDArray[np.int64], sizes: Sequence[int]) -> Floats:
    """The same where only some combinations of a grid of numbers were tried.

    Args:
        scores: one value a combination, NaN where undefined.
        places: of each combination on each axis, combinations × axes, in the order of the values.
        sizes: how many values each axis has; neighbours are at most a tenth of them apart, or one.

    Returns:
        As many values; NaN where the combination itself has none.
    """
    reach = np.maximum(1.0, _NEAR * np.array(sizes, dtype=np.float64))
    known = np.isfinite(scores)
    near = (np.abs(places[:, None] - places[None, :]) <= reach).all(axis=2) & known
    weights = near + np.diag(known)
    sums = weights @ np.where(known, scores, 0.0)
    averaged: Floats = np.where(known, sums / np.maximum(1, weights.sum(axis=1)), np.nan)
    return averaged
