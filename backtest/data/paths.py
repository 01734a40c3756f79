"""What happens between a bar's open and its close, where nothing is known of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from backtest.kernels.indicators import Floats


def reaches(moves: Floats, deviations: ArrayLike, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Highest and lowest point of a Brownian path from 0 to each move, drawn from the law of each.

    On such a path a stop or a target that is filled at its level earns nothing by itself. Inverse of the
    distribution of the maximum of a Brownian bridge, P(max > m) = exp(-2 m (m - move) / variance) (Borodin &
    Salminen 2002); the two are drawn apart from each other.

    Args:
        moves: logarithm of close over open, shape (n,).
        deviations: standard deviation of the way from open to close, a bar each or one for all.
        generator: randomness.

    Returns:
        Logarithms of high and of low over open, at least 0 and the move, at most both.
    """
    stretch = -2.0 * np.square(deviations) * np.log(1.0 - generator.random((2, len(moves))))
    return (moves + np.sqrt(moves**2 + stretch[0])) / 2.0, (moves - np.sqrt(moves**2 + stretch[1])) / 2.0
