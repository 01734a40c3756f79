"""Funding payments of a perpetual future, put on the bars of its prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.data.prices import FUNDING, validate_prices
from backtest.errors import PriceError


def with_funding(prices: pd.DataFrame, rates: pd.Series) -> pd.DataFrame:
    """Prices with a column `funding_rate`, made of payments at times of their own.

    A payment is due to whoever holds a position at its moment. It goes to the bar in which the moment lies,
    the bar's end included and its begin left out: a position opened at that very moment has not been held
    through it. Of several in one bar the sum is due. The bar's close stands in for the price of the moment.

    Args:
        prices: as `validate_prices` takes them; times are the bars' begins.
        rates: fractions of a position's value that longs pay to shorts (0.0001 is 1 bps), on the times of
            payment; a time without a zone is of the prices' own. Payments before the first bar or after the
            last one are left out.

    Raises:
        PriceError: as `validate_prices`; `missing_time`, `bad_time`, `mixed_time_zones`.
    """
    found = validate_prices(prices)
    times = rates.index
    if not isinstance(times, pd.DatetimeIndex):
        raise PriceError("missing_time", known="DatetimeIndex")
    if times.hasnans:
        raise PriceError("bad_time", row=int(times.isna().argmax()) + 1, time="", value="NaT")
    bars = pd.DatetimeIndex(found.index)
    if bars.tz is None and times.tz is not None:
        raise PriceError("mixed_time_zones", row=1, time="", value=str(times[0]))
    if bars.tz is not None:
        times = times.tz_localize(bars.tz) if times.tz is None else times.tz_convert(bars.tz)
    begins, moments = bars.as_unit("ns").asi8, times.as_unit("ns").asi8
    place = np.searchsorted(begins, moments, side="left") - 1
    end = begins[-1] + (int(np.median(np.diff(begins))) if len(begins) > 1 else 0)
    held = (place >= 0) & (moments <= end)
    due = np.zeros(len(bars))
    np.add.at(due, place[held], np.nan_to_num(rates.to_numpy(dtype=np.float64)[held]))
    return validate_prices(found.assign(**{FUNDING: due}))
