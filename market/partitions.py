"""Partitions `dt=…` of a data folder, chosen as of an hour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

_NAME = re.compile(r"dt=(\d{4})-?(\d{2})-?(\d{2})(\d{2})?")


class Problem(BaseModel):
    """Something that was left aside while reading, for the reader of the summary to know.

    Attributes:
        code: `unreadable_file`, `missing_column`, `refused_row`, …; `market.problem.<code>` is its text.
        file: path below the data folder.
        row: row of the file counting from 1, or None when it concerns the file.
        reason: what was wrong, in the validator's words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    file: str
    row: int | None = None
    reason: str


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


def parse_hour(text: str) -> datetime:
    """An ISO time, or `YYYYMMDDHH`, as its full hour in UTC; a time without a zone is taken as UTC.

    Raises:
        ValueError: not a time.
    """
    if re.fullmatch(r"\d{10}", text):
        return datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC)
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(minute=0, second=0, microsecond=0)


def partition_start(name: str) -> tuple[datetime, bool] | None:
    """Start and whether it is hourly, from `dt=YYYYMMDD`, `dt=YYYY-MM-DD` or `dt=YYYYMMDDHH`; else None."""
    if (match := _NAME.fullmatch(name)) is None:
        return None
    year, month, day, hour = match.groups()
    try:
        return datetime(int(year), int(month), int(day), int(hour or 0), tzinfo=UTC), hour is not None
    except ValueError:
        return None


def partitions_as_of(folder: Path, as_of: datetime) -> list[Partition]:
    """Partitions that began at or before `as_of`, newest first.

    Time orders them, not spelling: `dt=20181231` is newer than `dt=2018-12-30`, and an hourly one newer than
    its day's.
    """
    if not folder.is_dir():
        return []
    found = [
        Partition(path=path, start=parsed[0], hourly=parsed[1])
        for path in folder.iterdir()
        if path.is_dir() and (parsed := partition_start(path.name)) is not None and parsed[0] <= as_of
    ]
    return sorted(found, key=lambda part: (part.start, part.hourly, part.path.name), reverse=True)


def read_parquet(path: Path, root: Path, problems: list[Problem]) -> pd.DataFrame | None:
    """A table, or None with a problem noted: a half-written file must not stop the others."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as reason:
        words = str(reason).strip().splitlines()
        problems.append(
            Problem(
                code="unreadable_file",
                file=relative(path, root),
                reason=words[0][:160] if words else type(reason).__name__,
            )
        )
        return None


def records(table: pd.DataFrame) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows as dictionaries with their number from 1; missing cells are None, values plain Python."""
    for number, row in enumerate(table.to_dict("records"), start=1):
        yield number, {str(name): plain(value) for name, value in row.items()}


def plain(value: object) -> object:
    """A cell as plain Python."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    return value


def relative(path: Path, root: Path) -> str:
    """The path below the data folder, with forward slashes."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def validation_reason(error: ValidationError) -> str:
    """One line out of pydantic's errors: each field and what is wrong with it."""
    parts = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
    return "; ".join(parts)[:200]
