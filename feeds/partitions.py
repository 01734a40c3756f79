"""Names of partitions `dt=…`, times as programs write them, and what was left aside while reading."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from base.reasons import PlainError, because, plain
from vault.errors import MarketError

_NAME = re.compile(r"dt=(\d{4})-?(\d{2})-?(\d{2})(\d{2})?")
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_HOUR = re.compile(r"((?:19[7-9]|20\d)\d)(\d{2})(\d{2})(\d{2})")
_YEARS = (1900, 2200)
# Largest epoch of each unit, far beyond any date that data may carry.
_EPOCH_UNITS = (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", 9.2e18))


class Problem(BaseModel):
    """Something that was left aside while reading, for the reader of the summary to know.

    Attributes:
        code: `unreadable_file`, `missing_column`, `empty_file`, `refused_row`; `market.problem.<code>` is its
            text.
        file: path below the data folder.
        row: row of the file counting from 1, or None when it concerns the file.
        reason: what was wrong: a word of the file's own, or an error as JSON (`base.reasons.plain`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    file: str
    row: int | None = None
    reason: str | PlainError


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One folder `dt=…`.

    Attributes:
        path: the folder.
        start: its hour, or the first hour of its day (UTC).
        hourly: whether the name holds an hour.
    """

    path: Path
    start: datetime
    hourly: bool


@dataclass(frozen=True)
class Moment:
    """A time as a cell gives it.

    Attributes:
        time: in UTC; the first instant of the day when only the day is given.
        day_only: the cell names a day and no time.
    """

    time: datetime
    day_only: bool

    def visible(self, as_of: datetime, daily_delay: timedelta) -> bool:
        """Whether what carries it was known at an hour."""
        return self.time + (daily_delay if self.day_only else timedelta()) <= as_of


def parse_hour(text: str) -> datetime:
    """An ISO time, or `YYYYMMDDHH`, as its full hour in UTC; a time without a zone is taken as UTC.

    Raises:
        MarketError: `bad_time`.
    """
    asked = text.strip()
    try:
        if re.fullmatch(r"\d{10}", asked):
            return datetime.strptime(asked, "%Y%m%d%H").replace(tzinfo=UTC)
        return _utc(datetime.fromisoformat(asked)).replace(minute=0, second=0, microsecond=0)
    except ValueError:
        raise MarketError("bad_time", value=text) from None


def partition_start(name: str) -> tuple[datetime, bool] | None:
    """Start and whether it is hourly, from `dt=YYYYMMDD`, `dt=YYYY-MM-DD` or `dt=YYYYMMDDHH`; else None."""
    if (match := _NAME.fullmatch(name)) is None:
        return None
    year, month, day, hour = match.groups()
    try:
        return datetime(int(year), int(month), int(day), int(hour or 0), tzinfo=UTC), hour is not None
    except ValueError:
        return None


def hour_name(hour: datetime) -> str:
    """The name of an hour's partition: `dt=YYYYMMDDHH`."""
    return f"dt={hour:%Y%m%d%H}"


def parse_moment(value: object) -> Moment:
    """A cell's time: `YYYYMMDD`, `YYYY-MM-DD`, `YYYYMMDDHH` (text or number), ISO text, timestamp or epoch.

    An epoch's unit (s, ms, µs, ns) is told by its size; a time without a zone is taken as UTC.

    Raises:
        ValueError: not a time.
    """
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return Moment(_utc(datetime(value.year, value.month, value.day)), True)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        text = str(int(value)) if value == int(value) else ""
        return _from_digits(text) or _epoch(value)
    if isinstance(value, str) and (text := value.strip()):
        if (match := _DAY.fullmatch(text)) is not None:
            year, month, day = map(int, match.groups())
            return Moment(_utc(datetime(year, month, day)), True)
        if re.fullmatch(r"\d+", text):
            return _from_digits(text) or _epoch(int(text))
        return _moment(pd.Timestamp(text))
    raise ValueError(f"not a time: {value!r}")


def _from_digits(text: str) -> Moment | None:
    """`YYYYMMDD` or `YYYYMMDDHH`, which no recent epoch looks like; else None."""
    for pattern, day_only in ((_DAY, True), (_HOUR, False)):
        if "-" not in text and (match := pattern.fullmatch(text)) is not None:
            try:
                year, month, day, *hour = map(int, match.groups())
                return Moment(_utc(datetime(year, month, day, hour[0] if hour else 0)), day_only)
            except ValueError:
                continue
    return None


def _epoch(value: float) -> Moment:
    for unit, largest in _EPOCH_UNITS:
        if abs(value) < largest:
            return _moment(pd.Timestamp(value, unit=unit, tz="UTC"))
    raise ValueError(f"not a time: {value!r}")


def _moment(given: datetime) -> Moment:
    """Exactly midnight is how a table of timestamps says that it knows the day alone."""
    time = given.to_pydatetime(warn=False) if isinstance(given, pd.Timestamp) else given
    return Moment(_utc(time), (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0))


def _utc(moment: datetime) -> datetime:
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise ValueError(f"not a time of data: {moment!r}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def validation_reason(error: ValidationError) -> PlainError:
    """The first of pydantic's complaints: a field and what is wrong with it."""
    return plain(because(error))
