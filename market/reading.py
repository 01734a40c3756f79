"""How a price file is to be read, and what its reader tells of it."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from market.errors import MarketError

Decimal = Literal[".", ","]
EPOCH_FORMATS = ("unix_s", "unix_ms", "unix_us", "unix_ns", "excel")
"""Values of `Reading.time_format` that name a way of counting time; any other is a pattern as in strptime."""


class Reading(BaseModel):
    """What a caller knows about a price file. All of it may be left out: the reader then finds out, and says.

    This is the one list of these settings: options of the command, arguments of `threadx.optimize` and fields
    of Studio's form are made from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_format: str | None = Field(
        default=None,
        title="Time format",
        description="Pattern of the times, for example %d/%m/%Y %H:%M; or unix_s, unix_ms, unix_us, unix_ns, "
        "excel. Found out if left out.",
        min_length=1,
    )
    time_zone: str | None = Field(
        default=None,
        title="Time zone",
        description="Zone of the bars, for example Europe/Paris: times without a zone are of it, others are "
        "put into it.",
        min_length=1,
    )
    decimal: Decimal | None = Field(
        default=None, title="Decimal mark", description="Found out if left out; a text file's only."
    )
    adjust: bool = Field(
        default=False,
        title="Adjusted prices",
        description="Multiply all prices by adjusted close / close.",
    )
    start: str | None = Field(
        default=None,
        title="First bar",
        description="ISO date or time: as though the prices began there.",
        min_length=1,
    )
    end: str | None = Field(
        default=None,
        title="Last bar",
        description="ISO date (that day included) or time: as though the prices ended there.",
        min_length=1,
    )

    @property
    def whole(self) -> Reading:
        """The same without `start` and `end`."""
        return self.model_copy(update={"start": None, "end": None})


class Notice(BaseModel):
    """One thing that the reader assumed, left out or mended.

    Attributes:
        code: what; `market.notice.<code>` is its text.
        fields: what it concerns, as plain texts and numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    fields: dict[str, Any] = {}


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
        first = int(index.searchsorted(_moment(reading.start, index)))
    if reading.end is not None:
        whole_day = len(reading.end.strip()) <= len("2024-01-31")
        moment = _moment(reading.end, index) + pd.DateOffset(days=int(whole_day))
        behind = int(index.searchsorted(moment, "left" if whole_day else "right"))
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


def _moment(told: str, index: pd.DatetimeIndex) -> pd.Timestamp:
    try:
        found = pd.Timestamp(pd.to_datetime(told.strip(), format="ISO8601"))
        if index.tz is None:
            found = found if found.tz is None else found.tz_convert("UTC").tz_localize(None)
        else:
            found = found.tz_localize(index.tz) if found.tz is None else found.tz_convert(index.tz)
        return found.as_unit("ns")
    except (ValueError, OverflowError):
        raise MarketError("bad_window_time", value=told) from None
