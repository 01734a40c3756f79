"""Times of bars from what tables hold: stamps, ISO text, epochs, and dates written as whole numbers.

A number is never taken for a time by its looks alone: an epoch must land between 1980 and the end of next
year, a whole-number date must be one in every row. What is neither is refused with what it looks like.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.errors import PriceError

# Nanoseconds since 1970 fit into 64 bits between these years; epochs less than this apart are of one unit.
EARLIEST, LATEST = 1678, 2261
FIRST_YEAR = 1980
"""Epochs of price files end after it begins."""

_ANOTHER_UNIT = 100.0
_UNITS = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SECONDS_A_YEAR = 31_556_952
_NUMBER = r"[+-]?\d+(?:\.\d*)?"
_DAY_OF_A_ZONE = r"\d{4}-\d{2}-\d{2}[T ]00:00(?::00(?:\.0+)?)?[+-]\d{2}:?\d{2}"
_OFFSET = r"(?:Z|[+-]\d{2}:?\d{2}(?::\d{2})?)$"
_WHOLE_DATES = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EXCEL_SERIALS = (10_000, 60_000)  # 1927 to 2064


def refuse(code: str, row: int, index: pd.DatetimeIndex | None, **fields: str | int | float) -> NoReturn:
    """Raise the refusal of one row.

    Args:
        code: of the error.
        row: from 0.
        index: times of the rows, if they are known.
        **fields: what else the text tells.

    Raises:
        PriceError: always.
    """
    time = "" if index is None or index.isna()[row] else index[row].isoformat()
    raise PriceError(code, row=row + 1, time=time, **fields)


def read_times(values: pd.Series | pd.Index) -> pd.DatetimeIndex:
    """Times from stamps, ISO text or numbers; text with offsets and epochs become UTC.

    Days written as midnights of a zone (`2024-01-02T00:00:00+01:00`) are the days that are written: as
    moments of UTC each would lie on the day before.

    Args:
        values: one a bar.

    Raises:
        PriceError: `bad_time`, `mixed_time_zones`, `mixed_epochs`, `time_is_row_number`, `time_is_year`,
            `time_is_excel`, `time_out_of_range`.
    """
    series = pd.Series(np.asarray(values) if isinstance(values, pd.Index) else values.array)
    if pd.api.types.is_datetime64_any_dtype(series):
        return pd.DatetimeIndex(series)
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return numeric_times(series)
    text = series.astype("string").str.strip()
    if len(text) and text.str.fullmatch(_NUMBER).fillna(False).all():
        return numeric_times(pd.Series(pd.to_numeric(text, errors="coerce").to_numpy()))
    offset = text.str.contains(_OFFSET, case=False).fillna(False).to_numpy(dtype=bool)
    aware = bool(offset.any())
    if aware and not offset.all():
        row = int((offset != offset[0]).argmax())
        refuse("mixed_time_zones", row, None, value=str(series.iloc[row])[:40])
    days = aware and text.str.fullmatch(_DAY_OF_A_ZONE).fillna(False).all()
    if days and not text.str.contains(r"[+-]00:?00$").all():  # in UTC the two are one
        text, aware = text.str[:10], False
    try:
        parsed = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", errors="coerce", utc=aware))
    except ValueError:  # some rows end in half an offset, as 17:00:00-1
        row = int(text.str.contains(":.*[+-]").fillna(False).to_numpy(dtype=bool).argmax())
        refuse("bad_time", row, None, value=str(series.iloc[row])[:40])
    if parsed.hasnans:
        row = int(parsed.isna().argmax())
        refuse("bad_time", row, None, value=str(series.iloc[row])[:40])
    return parsed


def numeric_times(series: pd.Series) -> pd.DatetimeIndex:
    """Times from numbers: epochs (UTC), or dates written as whole numbers (20240131, 202401311530).

    Raises:
        PriceError: as `read_times`.
    """
    numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers)
    if bad.any():
        refuse("bad_time", int(bad.argmax()), None, value="NaN")
    if not numbers.size:
        return pd.DatetimeIndex([], tz="UTC")
    unit, last = _unit_of(numbers), int(numbers.argmax())
    seconds = numbers[last] / _PER_SECOND[unit]
    # One early bar is a long history; a column that ends early, or goes on for years to come, is no epoch.
    if _begin_of(FIRST_YEAR) <= seconds < _begin_of(datetime.now(UTC).year + 2):
        return epochs(series, unit)
    if (dates := _whole_dates(numbers)) is not None:
        return dates
    _refuse_counts(numbers)
    year = f"{1970 + seconds / _SECONDS_A_YEAR:.0f}"
    refuse("time_out_of_range", last, None, value=f"{numbers[last]:.15g}", year=year)


def _begin_of(year: int) -> float:
    """Seconds from 1970 to the start of a year."""
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def _whole_dates(numbers: NDArray[np.float64]) -> pd.DatetimeIndex | None:
    """Dates written as whole numbers; None where the numbers are none.

    Asked only for numbers that are no epochs of our days: with the digits of a date, none is one before 2033.
    """
    if (numbers != np.floor(numbers)).any() or (numbers < 1e7).any() or (numbers >= 1e14).any():
        return None
    width = len(str(int(numbers[0])))
    lowest, highest = 10.0 ** (width - 1), 10.0**width
    if width not in _WHOLE_DATES or (numbers < lowest).any() or (numbers >= highest).any():
        return None
    whole = numbers.astype(np.int64)
    years = whole // 10 ** (width - 4)
    if (years < (EARLIEST if width == len("20240131") else 1900)).any() or (
        years > datetime.now(UTC).year + 1
    ).any():
        return None
    text = pd.Series(whole).astype(str)
    parsed = pd.DatetimeIndex(pd.to_datetime(text, format=_WHOLE_DATES[width], errors="coerce"))
    if parsed.isna().all():
        return None
    if parsed.hasnans:
        row = int(parsed.isna().argmax())
        refuse("bad_time", row, None, value=text.iloc[row])
    return parsed


def _refuse_counts(numbers: NDArray[np.float64]) -> None:
    """Refuse numbers that count something else than time since 1970."""
    least, most = float(numbers.min()), float(numbers.max())
    steps = np.diff(numbers)
    if numbers[0] in (0.0, 1.0) and (steps == 1.0).all():
        refuse("time_is_row_number", 0, None, value=f"{numbers[0]:.0f}")
    if least >= EARLIEST and most <= LATEST:
        refuse("time_is_year", 0, None, value=f"{numbers[0]:.15g}")
    if _EXCEL_SERIALS[0] <= least and most < _EXCEL_SERIALS[1]:
        refuse("time_is_excel", 0, None, value=f"{numbers[0]:.15g}", date=excel_times(numbers)[0].isoformat())


def excel_times(numbers: NDArray[np.float64]) -> pd.DatetimeIndex:
    """Times from days since 1899-12-30, as spreadsheets count them; to the nearest millisecond."""
    milliseconds = np.round(numbers * 86_400_000.0).astype("timedelta64[ms]")
    return pd.DatetimeIndex(np.datetime64("1899-12-30", "ms") + milliseconds)


def _unit_of(numbers: NDArray[np.float64]) -> str:
    """The unit of epochs, told by their size."""
    size = np.abs(numbers)
    if (far := size >= 2.0**63).any():
        refuse("bad_time", int(far.argmax()), None, value=f"{numbers[far.argmax()]:g}")
    units = np.searchsorted([limit for limit, _ in _UNITS], size, side="right")
    # Small numbers may be early times of any unit; a jump between plausible times gives a second one away.
    small, large = np.minimum(size[1:], size[:-1]), np.maximum(size[1:], size[:-1])
    jumps = (np.diff(units) != 0) & (small >= 1e8) & (large >= _ANOTHER_UNIT * small)
    if jumps.any():
        row = int(jumps.argmax()) + 1
        refuse("mixed_epochs", row, None, value=f"{numbers[row]:.0f}", before=f"{numbers[row - 1]:.0f}")
    return _UNITS[int(units.max(initial=0))][1]


def epochs(series: pd.Series, unit: str) -> pd.DatetimeIndex:
    """UTC times from epochs of a known unit (`s`, `ms`, `us`, `ns`), fractions included.

    Raises:
        PriceError: `bad_time`.
    """
    numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
    scale = int(1e9 / _PER_SECOND[unit])
    if (far := ~(np.abs(numbers) * scale < 2.0**63)).any():
        refuse("bad_time", int(far.argmax()), None, value=f"{numbers[far.argmax()]:.15g}")
    if pd.api.types.is_float_dtype(series) and not (numbers == np.floor(numbers)).all():
        return pd.DatetimeIndex(np.round(numbers * scale).astype("datetime64[ns]")).tz_localize("UTC")
    whole = series.to_numpy(dtype=np.int64)
    return pd.DatetimeIndex(whole.astype(f"datetime64[{unit}]")).tz_localize("UTC")
