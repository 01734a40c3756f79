"""Whether prices are possible, told in one pass; which of them is not is found out only where one is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.compile import kernel

Floats = NDArray[np.float64]


@kernel
def are_sound(open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> bool:
    """Whether every bar has prices above 0, its open and close between low and high, and a possible volume.

    A volume that is not a number is not known, which is possible.
    """
    for t in range(close.size):
        # What is not a number is above nothing.
        if not (
            low[t] > 0.0
            and high[t] < np.inf
            and low[t] <= open_[t] <= high[t]
            and low[t] <= close[t] <= high[t]
            and not (volume[t] < 0.0 or volume[t] == np.inf)
        ):
            return False
    return True
