"""Times written as text: day first or month first, month names, twelve hours, date and clock apart."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.times import epochs, excel_times, read_times, refuse
from backtest.errors import PriceError
from vault.errors import MarketError
from vault.readers.numerals import WHITE
from vault.readers.options import EPOCH_FORMATS, Notice

Integers = NDArray[np.int64]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janv janvier januar",
            "feb february fev fevr fevrier februar",
            "mar march mars marz maerz mrz",
            "apr april avr avril",
            "may mai",
            "jun june juin juni",
            "jul july juil juillet juli",
            "aug august aout",
            "sep sept september septembre",
            "oct october octobre okt oktober",
            "nov november novembre",
            "dec december decembre dez dezember",
        ),
        start=1,
    )
    for name in names.split()
}
_CLOCK = (
    r"(?:(?:T|[ ,]+)(?P<hour>\d{1,2})(?:[:hH](?P<minute>\d{2})?)?"
    r"(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?:[ -]?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r"\s*(?P<zone>Z|UTC|GMT)?\s*(?P<offset>[+-]\d{2}:?\d{2})?"
)
_LAYOUTS = (
    r"(?P<first>\d{1,4})(?P<mark>[-./ ])(?P<second_part>\d{1,2})[-./ ](?P<third>\d{4}|\d{2})" + _CLOCK,
    r"(?P<first>\d{1,2})[-./ ]{1,2}(?P<month>[^\W\d_]{3,9})\.?[-./ ,]+(?P<third>\d{4}|\d{2})" + _CLOCK,
    r"(?P<month>[^\W\d_]{3,9})\.? (?P<first>\d{1,2}),? (?P<third>\d{4})" + _CLOCK,
)
_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?"
"""As programs write them: nothing to mend."""
_WIDE = f"[{WHITE}]{{2}}|[\t\u00a0\u202f]"
"""Blanks that are mended: several, or one of another kind."""
_COMPACT = r"^(\d{4})(\d{2})(\d{2})[ -](\d{1,2}:\d{2}(?::\d{2})?)$"
"""As Interactive Brokers writes them."""

_REGULAR = 4.0
"""One order of day and month is believed where the other's widest step is this many times as uneven."""


def read_text_times(cells: pd.Series, time_format: str | None, notices: list[Notice]) -> pd.DatetimeIndex:
    """Times of a column, typed or text.

    Args:
        cells: one a bar.
        time_format: a pattern as in strptime, or one of `EPOCH_FORMATS`; None to find out.
        notices: is added what was assumed.

    Raises:
        MarketError: `unclear_dates`, `unmatched_format`.
        PriceError: `bad_time` and what `backtest.data.times.read_times` refuses.
    """
    if time_format is None and isinstance(cells.dtype, pd.StringDtype) and _is_iso(cells):
        return read_times(cells)
    cells = _with_points(cells)
    if time_format is not None:
        return _told(cells, time_format)
    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.DatetimeIndex(cells)
    if pd.api.types.is_numeric_dtype(cells):
        found = read_times(cells)
    else:
        text = cells.astype("string").str.strip()
        if text.str.contains(_WIDE).fillna(False).any():
            text = text.str.replace(r"\s+", " ", regex=True)
        text = text.str.replace(_COMPACT, r"\1-\2-\3 \4", regex=True)
        iso = text.str.match(r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{8} \d{6}|[+-]?\d+(?:\.\d*)?$)").fillna(
            False
        )
        half = text.str.contains(r"[AaPp]\.?[Mm]\.?$").fillna(False)
        if not (iso & ~half).all():
            return _spelled(text, notices)
        if text.str.contains("[TC]$").fillna(False).any():
            text = text.str.replace(r" ?(?:UTC|GMT)$", "Z", regex=True)
        found = read_times(text)
    if len(cells):
        first = str(cells.iloc[0]).strip()
        if first.replace(".", "", 1).lstrip("+-").isdigit():
            code = "whole_dates" if found.tz is None else "epochs"
            notices.append(Notice(code=code, fields={"value": first, "time": found[0].isoformat()}))
    return found


def _is_iso(cells: pd.Series) -> bool:
    """Whether every cell is a time as programs write them; most tables tell it by their first one."""
    return bool(cells.iloc[:1].str.fullmatch(_ISO).all() and cells.str.fullmatch(_ISO).fillna(False).all())


def _with_points(cells: pd.Series) -> pd.Series:
    """Times that are counted with a decimal comma, as spreadsheets write them, with a decimal point."""
    if pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        return cells
    text = cells.astype("string").str.strip()
    # Four digits or more before it: no comma between thousands.
    counted = text.str.fullmatch(r"[+-]?\d{4,}(?:,\d*)?").fillna(False)
    return text.str.replace(",", ".") if counted.all() else cells


def _told(cells: pd.Series, time_format: str) -> pd.DatetimeIndex:
    """Times by a pattern or a way of counting that the caller knows."""
    if time_format in EPOCH_FORMATS:
        numbers = pd.to_numeric(cells, errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().to_numpy().argmax())
            raise MarketError(
                "unmatched_format", row=row + 1, value=str(cells.iloc[row])[:40], format=time_format
            )
        if time_format == "excel":
            return excel_times(numbers.to_numpy(dtype=np.float64))
        return epochs(numbers, time_format.removeprefix("unix_"))
    text = cells.astype("string").str.strip()
    aware = "%z" in time_format
    try:
        parsed = pd.DatetimeIndex(pd.to_datetime(text, format=time_format, errors="coerce", utc=aware))
    except ValueError:
        raise MarketError("bad_time_format", format=time_format) from None
    if parsed.hasnans:
        row = int(parsed.isna().argmax())
        raise MarketError("unmatched_format", row=row + 1, value=str(text.iloc[row])[:40], format=time_format)
    return parsed


def _spelled(text: pd.Series, notices: list[Notice]) -> pd.DatetimeIndex:
    """Times in any layout that people and programs write, ISO apart."""
    for layout in _LAYOUTS:
        parts = text.str.extract(f"^(?:{layout})$")
        known = parts["third"].notna()
        if known.any():
            break
    if not known.all():
        row = int((~known).to_numpy(dtype=bool).argmax())
        refuse("bad_time", row, None, value=str(text.iloc[row])[:40])
    clock = _clock(parts, text)
    first, third = _whole(parts["first"]), _whole(parts["third"])
    if "month" in parts:
        months = parts["month"].map(_month)
        if (odd := months.isna()).any():
            row = int(odd.to_numpy().argmax())
            refuse("bad_time", row, None, value=str(text.iloc[row])[:40])
        return _built(_years(third), months.to_numpy(dtype=np.int64), first, clock, text)
    second = _whole(parts["second_part"])
    if (parts["first"].str.len() == 4).all():
        return _built(first, second, third, clock, text)
    years = _years(third)
    dots = bool((parts["mark"] == ".").all())  # nobody puts dots behind a month that comes first
    day_first = bool((first > 12).any()) or dots
    month_first = bool((second > 12).any())
    if day_first and month_first:
        row = int(((second > 12) if first[0] > 12 or dots else (first > 12)).argmax())
        refuse("bad_time", row, None, value=str(text.iloc[row])[:40])
    if not day_first and not month_first:
        day_first = _regular_order(first, second, years, clock, text)
    day, month = (first, second) if day_first else (second, first)
    found = _built(years, month, day, clock, text)
    code = "day_first" if day_first else "month_first"
    notices.append(Notice(code=code, fields={"value": str(text.iloc[0]), "time": found[0].isoformat()}))
    return found


def _whole(digits: pd.Series) -> Integers:
    """Numbers out of digits; zero where there are none."""
    return np.array(digits.fillna("0"), dtype=np.str_).astype(np.int64)


def _years(numbers: Integers) -> Integers:
    """Years of four digits; of two, those up to 68 are of this century."""
    return np.where(numbers >= 100, numbers, numbers + np.where(numbers <= 68, 2000, 1900))


def _month(name: object) -> int | None:
    plain = unicodedata.normalize("NFKD", str(name)).lower()
    return _MONTHS.get("".join(letter for letter in plain if not unicodedata.combining(letter)))


def _clock(parts: pd.DataFrame, text: pd.Series) -> tuple[Integers, bool]:
    """Nanoseconds since midnight, offset taken away; and whether the times are UTC by that."""
    hours, half = _whole(parts["hour"]), parts["half"].str.lower()
    if half.notna().any():
        if (odd := (half.isna() | (hours < 1) | (hours > 12)).to_numpy(dtype=bool)).any():
            refuse("bad_time", int(odd.argmax()), None, value=str(text.iloc[odd.argmax()])[:40])
        hours = hours % 12 + 12 * (half == "p").to_numpy(dtype=np.int64)
    elif (bare := (parts["hour"].notna() & parts["minute"].isna()).to_numpy(dtype=bool)).any():
        bare &= ~text.str.contains(r"\dh", case=False).fillna(False).to_numpy(dtype=bool)
        if bare.any():
            refuse("bad_time", int(bare.argmax()), None, value=str(text.iloc[bare.argmax()])[:40])
    minutes, seconds = _whole(parts["minute"]), _whole(parts["second"])
    if (late := (hours > 23) | (minutes > 59) | (seconds > 59)).any():
        refuse("bad_time", int(late.argmax()), None, value=str(text.iloc[late.argmax()])[:40])
    part = parts["part"].fillna("0").str.ljust(9, "0").astype("int64").to_numpy()
    offset = parts["offset"].fillna("+0000").str.replace(":", "")
    sign = np.where(offset.str.startswith("-"), -1, 1)
    away = sign * (offset.str[1:3].astype("int64") * 60 + offset.str[3:5].astype("int64")).to_numpy()
    zoned = (parts["zone"].notna() | parts["offset"].notna()).to_numpy(dtype=bool)
    if zoned.any() and not zoned.all():
        row = int((zoned != zoned[0]).argmax())
        refuse("mixed_time_zones", row, None, value=str(text.iloc[row])[:40])
    return ((hours * 60 + minutes - away) * 60 + seconds) * 10**9 + part, bool(zoned.any())


def _built(
    years: Integers, months: Integers, days: Integers, clock: tuple[Integers, bool], text: pd.Series
) -> pd.DatetimeIndex:
    dates = pd.to_datetime(pd.DataFrame({"year": years, "month": months, "day": days}), errors="coerce")
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        refuse("bad_time", row, None, value=str(text.iloc[row])[:40])
    times = pd.DatetimeIndex(dates).as_unit("ns") + pd.to_timedelta(clock[0], unit="ns")
    return times.tz_localize("UTC") if clock[1] else times


def _regular_order(
    first: Integers, second: Integers, years: Integers, clock: tuple[Integers, bool], text: pd.Series
) -> bool:
    """Whether the day comes first where no day is above 12: the order that makes regular bars.

    Raises:
        MarketError: `unclear_dates`: both do, or none.
    """
    uneven = []
    for months, days in ((second, first), (first, second)):
        try:
            stamps = _built(years, months, days, clock, text).asi8
        except PriceError:
            uneven.append(np.inf)
            continue
        steps = np.diff(stamps)
        one_way = len(steps) > 1 and ((steps > 0).all() or (steps < 0).all())
        uneven.append(float(np.abs(steps).max() / np.median(np.abs(steps))) if one_way else np.inf)
    day_first, month_first = uneven
    if not np.isfinite(min(uneven)) or max(uneven) < _REGULAR * min(uneven):
        raise MarketError("unclear_dates", value=str(text.iloc[0]))
    return day_first < month_first


def joined(dates: pd.Series, clocks: pd.Series) -> pd.Series:
    """Date and clock of two columns as one text: 20240102 and 93000, 02/01/2024 and 09:30."""
    days = dates.astype("string").str.strip()
    if pd.api.types.is_datetime64_any_dtype(dates):
        days = dates.dt.strftime("%Y-%m-%d").astype("string")
    hours = clocks.astype("string").str.strip().str.replace(r"\.0$", "", regex=True)
    if len(hours) and hours.str.fullmatch(r"\d{1,6}").fillna(False).all():
        width = (
            4
            if hours.str.len().max() <= 4
            and (hours.astype("int64") <= 2359).all()
            and (hours.str.len() > 2).any()
            else 6
        )
        hours = hours.str.zfill(width)
        hours = hours.str[:2] + ":" + hours.str[2:4] + (":" + hours.str[4:6] if width == 6 else "")
    if days.str.fullmatch(r"\d{8}").fillna(False).all():
        days = days.str[:4] + "-" + days.str[4:6] + "-" + days.str[6:8]
    return days + " " + hours
