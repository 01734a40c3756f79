"""The part of a price file that a caller asks for."""

from __future__ import annotations

import pandas as pd

from vault.errors import MarketError
from vault.readers.options import Reading


def window(frame: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """The bars from `reading.start` to `reading.end`, both included.

    Args:
        frame: canonical prices.
        reading: a time without a zone is of the prices' own; a date as the end means its whole day.

    Raises:
        MarketError: `bad_window_time`, `empty_window`.
    """
    index = pd.DatetimeIndex(frame.index).as_unit("ns")
    first, behind = 0, len(index)
    if reading.start is not None:
        first = int(index.searchsorted(moment(reading.start, index)))
    if reading.end is not None:
        whole_day = len(reading.end.strip()) <= len("2024-01-31")
        ends = moment(reading.end, index) + pd.DateOffset(days=int(whole_day))
        behind = int(index.searchsorted(ends, "left" if whole_day else "right"))
    found = frame.iloc[first:behind]
    if found.empty:
        raise MarketError(
            "empty_window",
            start=reading.start or "…",
            end=reading.end or "…",
            first=index[0].isoformat(),
            last=index[-1].isoformat(),
        )
    return found


def moment(told: str, index: pd.DatetimeIndex) -> pd.Timestamp:
    """A time as a caller writes it, in the zone of the prices.

    Raises:
        MarketError: `bad_window_time`.
    """
    try:
        found = pd.Timestamp(pd.to_datetime(told.strip(), format="ISO8601"))
        if index.tz is None:
            found = found if found.tz is None else found.tz_convert("UTC").tz_localize(None)
        else:
            found = found.tz_localize(index.tz) if found.tz is None else found.tz_convert(index.tz)
        return found.as_unit("ns")
    except (ValueError, OverflowError):
        raise MarketError("bad_window_time", value=told) from None
