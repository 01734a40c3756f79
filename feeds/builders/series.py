"""Economic series from files, each value with the time from which it was public.

Layouts: one series a file (`DATE,CPIAUCSL`, or `series_id=ID/series.parquet` with date and value), many
series side by side, long tables (series_id, date, value), Treasury yields by maturity (`2year`, `10 Yr`), and
their vintages: a date in the file's name (`…vintage_2016-06-29.csv`), ALFRED's `realtime_start`, or a date
behind the series' name (`GDPC1_20160629`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from vault.errors import MarketError
from vault.readers.prices import read_table

EXTENSIONS = (".csv", ".parquet", ".feather")
_DATES = ("date", "observation_date", "time", "timestamp", "datetime", "index")
_VINTAGE_FILE = re.compile(r"vintage[_-]?(\d{4}-?\d{2}-?\d{2})", re.IGNORECASE)
_VINTAGE_COLUMN = re.compile(r"([A-Za-z][A-Za-z0-9]*)_(\d{8})")
_MATURITY = re.compile(r"(\d+)[ _]?(month|mo|m|year|yr|y)s?", re.IGNORECASE)
_MISSING = frozenset({"", ".", "nan", "na", "n/a", "nd", "null", "none", "-"})
_HIGHEST_FRACTION = (
    0.5  # Treasury yields have stayed under 16 %: a table that never passes 0.5 is in fractions
)
_UNIT_ROWS = 250
_DAY = pd.Timedelta(days=1)

# Days from the end of the period that a value describes to its publication, rounded up.
_LAGS = {
    "UNRATE": 10,
    "PAYEMS": 10,
    "CPIAUCSL": 20,
    "CPILFESL": 20,
    "INDPRO": 20,
    "TCU": 20,
    "AAA": 5,
    "BAA": 5,
    "PCEPI": 35,
    "PCEPILFE": 35,
    "GDPC1": 35,
    "JTSJOL": 45,
    "BUSINV": 50,
}
# By usual distance between values: (days at most, length of the period, lag in days).
_FREQUENCIES = (
    (4, pd.DateOffset(days=1), 1),
    (10, pd.DateOffset(days=7), 7),
    (45, pd.DateOffset(months=1), 45),
    (100, pd.DateOffset(months=3), 60),
    (10_000, pd.DateOffset(years=1), 120),
)
_NEVER_REVISED = re.compile(r"DGS\d|DTB|T10Y|T\d+Y|VIX|AAA|BAA|DAAA|DBAA|BAML|DFF|FEDFUNDS|DEX|DCOIL|SP500")


@dataclass
class Observations:
    """What was public at an hour.

    Attributes:
        table: series, date (of the period's begin), value, known (UTC, naive), file, row; one row a series
            and date, the newest vintage that was public.
        unvintaged: series that are revised and of which no vintages were given: their values are today's.
        refused: (file, row from 1, column, text) of cells that are no numbers.
        left_out: (file, error) of files that could not be used.
    """

    table: pd.DataFrame
    unvintaged: tuple[str, ...] = ()
    refused: list[tuple[str, int, str, str]] = field(default_factory=list)
    left_out: list[tuple[str, MarketError]] = field(default_factory=list)


def series_files(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """(name to show, file) of every table in files and folders; `series_id=*/series.parquet` included.

    Raises:
        MarketError: `missing_file`.
    """
    found: list[tuple[str, Path]] = []
    for given in paths:
        if given.is_dir():
            nested = [
                *given.glob("series_id=*/series.parquet"),
                *given.glob("macro/series_id=*/series.parquet"),
            ]
            plain = [path for path in given.iterdir() if path.suffix.lower() in EXTENSIONS and path.is_file()]
            found += [(path.relative_to(given).as_posix(), path) for path in sorted([*plain, *nested])]
        elif given.is_file():
            found.append((given.name, given))
        else:
            raise MarketError("missing_file", path=str(given))
    return found


class SeriesArchive:
    """Every series of files and folders, read once, for builds over many hours.

    A value counts from the end of its vintage's day; without vintages from the end of its period plus the
    publication's usual lag. Where a series has vintages, nothing else is taken for it.

    Args:
        paths: files and folders.

    Raises:
        MarketError: `missing_file`.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._whole = _read_all(paths)

    def known(self, as_of: datetime) -> Observations:
        """What was public at an hour (UTC)."""
        whole = self._whole
        table = whole.table[whole.table["known"] <= pd.Timestamp(as_of.replace(tzinfo=None))]
        return replace(
            whole, table=table.drop_duplicates(["series", "date"], keep="last").reset_index(drop=True)
        )


def _read_all(paths: Iterable[Path]) -> Observations:
    """Every value with the time from which it was known, the order of times within a series and date."""
    known = Observations(table=_empty())
    parts = []
    for name, path in series_files(paths):
        try:
            parts.append(_long(read_table(path), name, path, known))
        except MarketError as error:
            known.left_out.append((name, error))
    whole = pd.concat(parts, ignore_index=True) if parts else _empty()
    vintaged = set(whole.loc[whole["vintage"], "series"])
    whole = whole[whole["vintage"] | ~whole["series"].isin(vintaged)]
    plain = sorted(set(whole["series"]) - vintaged)
    known.table = whole.sort_values(["series", "date", "known", "file", "row"], kind="stable")
    known.unvintaged = tuple(name for name in plain if not _NEVER_REVISED.match(name))
    return known


def _empty() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": pd.Series(dtype="str"),
            "date": pd.Series(dtype="datetime64[ns]"),
            "value": pd.Series(dtype="float64"),
            "known": pd.Series(dtype="datetime64[ns]"),
            "vintage": pd.Series(dtype="bool"),
            "file": pd.Series(dtype="str"),
            "row": pd.Series(dtype="int64"),
        }
    )


def _long(table: pd.DataFrame, name: str, path: Path, known: Observations) -> pd.DataFrame:
    """A file as rows of series, date, value, known, vintage, file, row.

    Raises:
        MarketError: `unreadable_series`: no dates, or no column of numbers.
    """
    table = table.reset_index() if table.index.name or isinstance(table.index, pd.DatetimeIndex) else table
    names = {str(column).strip().lower(): column for column in table.columns}
    where = next((names[wanted] for wanted in _DATES if wanted in names), None)
    if where is None:
        raise MarketError("unreadable_series", path=name, reason=", ".join(map(str, table.columns))[:120])
    dates = _dates(table[where])
    rows = np.arange(1, len(table) + 1)
    for row in rows[dates.isna().to_numpy()][:20]:
        known.refused.append((name, int(row), str(where), str(table[where].iloc[row - 1])[:40]))
    published = _dates(table[names["realtime_start"]]) if "realtime_start" in names else None
    skipped = {where, *(names[column] for column in ("realtime_start", "realtime_end") if column in names)}
    columns: list[tuple[pd.Series | str, object]]
    if "value" in names:
        if "series_id" in names:
            named = table[names["series_id"]].astype(str).str.strip().str.upper().reset_index(drop=True)
        else:
            named = pd.Series(_series_of(path), index=range(len(table)))
        columns = [(named, names["value"])]
    else:
        columns = [(str(column).strip(), column) for column in table.columns if column not in skipped]
    stamp = _VINTAGE_FILE.search(path.stem)
    file_vintage = pd.Timestamp(stamp.group(1)) if stamp else None
    fractions = _in_fractions(table, [column for _, column in columns])
    parts = []
    for label, column in columns:
        values = _numbers(table[column], name, known)
        series, vintage = (
            (label, file_vintage) if isinstance(label, pd.Series) else _named(label, file_vintage)
        )
        if isinstance(series, str) and series.startswith("DGS") and fractions:
            values = values * 100.0
        part = pd.DataFrame({"series": series, "date": dates, "value": values, "file": name, "row": rows})
        if published is not None:
            part["known"], part["vintage"] = published + _DAY, True
        elif vintage is not None:
            part["known"], part["vintage"] = vintage + _DAY, True
        else:
            part["known"], part["vintage"] = pd.NaT, False
        for key, group in part[part["date"].notna()].groupby("series"):
            parts.append(group if group["vintage"].all() else _published(group, str(key)))
    parts = [kept for part in parts if len(kept := part[part["value"].notna()])]
    if not parts:
        raise MarketError("unreadable_series", path=name, reason=", ".join(map(str, table.columns))[:120])
    return pd.concat(parts, ignore_index=True)


def _published(part: pd.DataFrame, series: str) -> pd.DataFrame:
    """Rows with the time from which each was public, by the distance between their dates."""
    dates = pd.DatetimeIndex(part["date"].drop_duplicates().sort_values())
    days = float(pd.Series(dates).diff().median() / _DAY) if len(dates) > 1 else 30.0
    period, lag = next((period, lag) for limit, period, lag in _FREQUENCIES if days <= limit)
    lag = _LAGS.get(series, lag)
    return part.assign(known=(part["date"] + period) + lag * _DAY)


def _named(column: str, vintage: pd.Timestamp | None) -> tuple[str, pd.Timestamp | None]:
    """Series and vintage out of a column's name."""
    if match := _VINTAGE_COLUMN.fullmatch(column):
        return match.group(1).upper(), pd.Timestamp(match.group(2))
    if match := _MATURITY.fullmatch(column):
        count, unit = match.groups()
        return f"DGS{count}{'MO' if unit.lower().startswith('m') else ''}", vintage
    return column.upper(), vintage


def _series_of(path: Path) -> str:
    """The series of a file with date and value alone: its folder's `series_id=…`, else its own name."""
    folder = path.parent.name
    stem = _VINTAGE_FILE.sub("", path.stem).strip("_- ")
    return (folder.removeprefix("series_id=") if folder.startswith("series_id=") else stem).upper()


def _in_fractions(table: pd.DataFrame, columns: list[object]) -> bool:
    """Whether a table of yields by maturity holds 0.0783 for 7.83 %."""
    curve = [column for column in columns if _MATURITY.fullmatch(str(column).strip())]
    if not curve:
        return False
    # The first rows tell: what is published later must not change how earlier hours are read.
    highest = table[curve].head(_UNIT_ROWS).apply(pd.to_numeric, errors="coerce").max().max()
    return bool(highest < _HIGHEST_FRACTION)


def _dates(column: pd.Series) -> pd.Series:
    """Days from ISO text, `YYYYMMDD`, `MM/DD/YYYY` (as the Treasury writes) or timestamps; NaT for others."""
    if pd.api.types.is_datetime64_any_dtype(column):
        found = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    else:
        text = column.astype("str").str.strip()
        found = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
        for form in ("%Y%m%d", "%m/%d/%Y"):
            found = found.fillna(pd.to_datetime(text, format=form, errors="coerce"))
    days: pd.Series = found.dt.normalize().astype("datetime64[ns]").reset_index(drop=True)
    return days


def _numbers(column: pd.Series, name: str, known: Observations) -> pd.Series:
    """Values as numbers; a cell that is neither a number nor a mark of absence is noted."""
    column = column.reset_index(drop=True)
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    if numbers.isna().all():
        return numbers  # a column of words, or of nothing
    if not pd.api.types.is_numeric_dtype(column):
        text = column.astype("str").str.strip()
        wrong = numbers.isna() & column.notna() & ~text.str.lower().isin(_MISSING)
        known.refused += [
            (name, int(row) + 1, str(column.name), text[row][:40]) for row in wrong[wrong].index
        ]
    return numbers
