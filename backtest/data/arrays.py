"""Price histories as kernels take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backtest.errors import PriceError, RequestError
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


def check_share(name: str, values: Floats) -> None:
    """Refuse a further series that is declared a share and leaves 0 to 100.

    Raises:
        RequestError: `share_out_of_range`, naming the first row that does.
    """
    outside = (values < 0.0) | (values > 100.0)
    if outside.any():
        row = int(outside.argmax())
        raise RequestError("share_out_of_range", name=name, row=row + 1, value=float(values[row]))
