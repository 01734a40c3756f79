"""What code says of a price history."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Found(NamedTuple):
    """Series that a strategy's code gives.

    Attributes:
        series: by field of a strategy (`entry_long` …), one value a bar: 1 where a condition holds, 0 where
            it does not, prices of levels; not a number where nothing is known.
        known_from: the first bar at which the code could decide.
    """

    series: dict[str, Floats]
    known_from: int
