"""Price histories as kernels take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backtest.errors import PriceError
from backtest.kernels.indicators import Floats


class PriceArrays(NamedTuple):
    """One price history as kernels take it: contiguous float64 arrays of equal length."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def known_volume(values: Floats) -> None:
    """Refuse volumes that are not all known.

    Raises:
        PriceError: `missing_volume`, naming the first row without.
    """
    unknown = np.isnan(values)
    if unknown.any():
        raise PriceError(
            "missing_volume", row=int(unknown.argmax()) + 1, missing=int(unknown.sum()), bars=values.size
        )
