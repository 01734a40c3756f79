"""Prices out of any table: columns found, text read, instruments told apart, order and gaps of cells mended.

What is assumed, left out or mended becomes a notice; what could mean two things is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal as Exact
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.data.prices import FUNDING, narrow_bars
from backtest.data.tables import TIME_NAMES, choose, named, one_instrument
from backtest.errors import PriceError
from base.labels import shown
from vault.errors import MarketError
from vault.readers import columns
from vault.readers.columns import PRICE_ROLES, base_volume, order_of, plain, roles
from vault.readers.numerals import BLANKS, decimal_mark, plain_numbers, read_numbers
from vault.readers.options import Decimal, Notice, Reading
from vault.readers.text_tables import is_date, is_figure
from vault.readers.time_layouts import joined, read_text_times

_LISTED = 5
_LARGEST_WHOLE = 2**63
_EVEN = 1e-9


@dataclass
class Table:
    """Prices on their way from cells to canonical columns.

    Attributes:
        cells: as read, a column a role later.
        named: whether the columns have names.
        separator: of a text file, else empty.
        notices: what was assumed so far.
        symbol: the instrument, where the table tells it.
        names: of the rows, where several follow one another under times that each stand once.
    """

    cells: pd.DataFrame
    named: bool = True
    separator: str = ""
    notices: list[Notice] = field(default_factory=list)
    symbol: str | None = None
    names: tuple[str, ...] = ()

    def tell(self, code: str, **fields: str | int | float) -> None:
        """Add a notice."""
        self.notices.append(Notice(code=code, fields=fields))


_TIME = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?")
"""The hour that pandas names where it refuses one."""


def prices_of(table: Table, reading: Reading, wanted: str | None) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Open, high, low, close and perhaps volume on times, in the order of time.

    Args:
        table: cells of any layout; is told the notices and the instrument.
        reading: what the caller knows.
        wanted: the instrument asked for.

    Returns:
        (prices, rows): for each bar the row of the table it comes from, from 0.

    Raises:
        MarketError, PriceError: what could mean two things, or nothing.
    """
    cells, symbol = one_instrument(_simple(table.cells), wanted)
    table.symbol = symbol or table.symbol
    cells = _times_into_columns(cells)
    found = roles([str(name) for name in cells.columns]) if table.named else _numbered_roles(cells)
    rows = np.arange(len(cells))
    if table.named:
        for role in PRICE_ROLES:
            if role not in found:
                known = ", ".join(str(name) for name in cells.columns)[:200]
                raise PriceError("missing_column", column=role, known=known)
        told = [plain(name) for name in cells.columns]
        for place in found.values():
            if told.count(told[place]) > 1:
                raise PriceError("repeated_column", column=str(cells.columns[place]))
    cells, rows = _only(cells, rows, _data_rows(cells, found, table))
    cells, rows = _only(cells, rows, _rows_of_instrument(cells, found, wanted, table))
    with rows_told(rows):
        decimal = reading.decimal or _decimal(cells, found, table)
        if not table.named:
            found = _ordered(cells, found, decimal)
        times = _times(cells, found, reading, table)
        figures = _figures(cells, found, decimal, times, table)
        if "adjusted" in found:
            adjusted = read_numbers(cells.iloc[:, found["adjusted"]], "adjusted", decimal, times)
            _adjust(figures, adjusted, reading.adjust, table)
        elif reading.adjust:
            known = ", ".join(str(name) for name in cells.columns)[:200]
            raise MarketError("nothing_to_adjust", known=known)
    frame = pd.DataFrame(figures, index=times)
    index = pd.DatetimeIndex(frame.index)
    empty = frame[list(PRICE_ROLES)].isna().all(axis=1).to_numpy()
    if empty.any() and not empty.all():
        table.tell("empty_rows", count=int(empty.sum()), first=index[int(empty.argmax())].isoformat())
        frame, rows = frame[~empty], rows[~empty]
    steps = np.diff(pd.DatetimeIndex(frame.index).asi8)
    if table.names and (steps < 0).any() and (steps > 0).any():
        raise PriceError("several_instruments", known=named(list(table.names)))  # one below the other
    if len(steps) and (steps <= 0).all() and (steps < 0).any():
        table.tell("newest_first", rows=len(frame))
        frame, rows = frame.iloc[::-1], rows[::-1]
    frame.index = _in_zone(pd.DatetimeIndex(frame.index), reading.time_zone)
    if narrow := int(narrow_bars({name: frame[name].to_numpy() for name in PRICE_ROLES}).sum()):
        table.tell("widened_bars", count=narrow)
    return frame, rows


def _only(
    cells: pd.DataFrame, rows: NDArray[np.int64], keep: NDArray[np.bool_]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The rows that are kept; thousands of columns are not copied for nothing."""
    return (cells, rows) if keep.all() else (cells[keep], rows[keep])


@contextmanager
def rows_told(rows: NDArray[np.int64]) -> Iterator[None]:
    """Errors name rows of the table as it came, whatever was left out or turned round since.

    Args:
        rows: of each bar, from 0.
    """
    try:
        yield
    except (PriceError, MarketError) as error:
        if not isinstance(row := error.fields.get("row"), int):
            raise
        fields = {**error.fields, "row": int(rows[row - 1]) + 1}
        raise type(error)(error.code, **fields) from error


def _simple(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that are texts, numbers or times; whatever else stood in JSON or Parquet, as text."""
    mixed = [place for place, kind in enumerate(cells.dtypes) if pd.api.types.is_object_dtype(kind)]
    if not mixed:
        return cells
    columns = [cells.iloc[:, place] for place in range(cells.shape[1])]
    for place in mixed:
        columns[place] = pd.Series([_simple_cell(cell) for cell in columns[place]], index=cells.index)
    return pd.concat(columns, axis=1).set_axis(cells.columns, axis=1)


def _simple_cell(cell: Any) -> Any:
    if isinstance(cell, np.number | np.bool_):
        cell = cell.item()
    if cell is None or isinstance(cell, bool | float | date | Exact):
        return cell
    if isinstance(cell, int):
        return cell if -_LARGEST_WHOLE < cell < _LARGEST_WHOLE else shown(cell)
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode()
    return None if cell is pd.NaT or cell is pd.NA else shown(cell)


def _times_into_columns(cells: pd.DataFrame) -> pd.DataFrame:
    """Times that stand in the index as a column like any."""
    if isinstance(cells.index, pd.RangeIndex) and cells.index.name is None:
        return cells
    if isinstance(cells.index, pd.DatetimeIndex):
        return cells
    if cells.index.name is not None or not any(
        plain(name) in columns.NAMES["time"] for name in cells.columns
    ):
        return cells.reset_index(names=str(cells.index.name or "time"))
    return cells


def _numbered_roles(cells: pd.DataFrame) -> dict[str, int]:
    """Roles by place, for rows without names: perhaps an instrument, times, four prices, volume.

    Raises:
        MarketError: `unnamed_columns`.
    """
    first = [str(cell) for cell in cells.iloc[0]]
    found: dict[str, int] = {}
    place = 0
    if not is_figure(first[0]) and not is_date(first[0]) and is_date(first[1]):
        found["symbol"], place = 0, 1
    found["time"], place = place, place + 1
    if ":" in first[place]:
        found |= {"date": place - 1, "clock": place}
        place += 1
    behind = place + len(PRICE_ROLES)
    if behind > len(first) or not all(is_figure(cell) for cell in first[place:behind]):
        raise MarketError("unnamed_columns", first=", ".join(first)[:80])
    found |= {role: place + offset for offset, role in enumerate(PRICE_ROLES)}
    if behind < len(first) and is_figure(first[behind]):
        found["volume"] = behind
    return found


def _ordered(cells: pd.DataFrame, found: dict[str, int], decimal: Decimal) -> dict[str, int]:
    """The same with the prices in the order that makes possible bars.

    Raises:
        MarketError: `unnamed_columns`.
        PriceError: `not_a_number`.
    """
    places = [found[role] for role in PRICE_ROLES]
    order = order_of(np.column_stack([read_numbers(cells.iloc[:, one], "open", decimal) for one in places]))
    if order is None:
        raise MarketError("unnamed_columns", first=", ".join(str(cell) for cell in cells.iloc[0])[:80])
    return {**found, **dict(zip(order, places, strict=True))}


def _data_rows(cells: pd.DataFrame, found: dict[str, int], table: Table) -> NDArray[np.bool_]:
    """Rows of data: without headers that are repeated, and words at the end."""
    keep = np.ones(len(cells), dtype=bool)
    column = cells.iloc[:, found["open"]]
    if pd.api.types.is_numeric_dtype(column) or not len(cells):
        return keep
    if table.named and plain_numbers(column) is None:
        text = column.astype("string").str.strip()
        name = plain(cells.columns[found["open"]])
        suspects = np.flatnonzero(text.str.match(r"[^\d.,+-]").fillna(False).to_numpy(dtype=bool))
        headers = np.array([row for row in suspects if plain(text.iloc[row]) == name], dtype=np.int64)
        if headers.size:
            keep[headers] = False
            table.tell(
                "repeated_header",
                rows=", ".join(str(row + 1) for row in headers[:_LISTED]),
                count=int(headers.size),
            )
    last = len(cells)
    while last > 1 and table.separator and _is_words(cells.iloc[last - 1]):
        last -= 1
    if last < len(cells):
        line = " ".join(str(one) for one in cells.iloc[last] if str(one).strip())
        table.tell("skipped_end", count=len(cells) - last, first=line[:60])
        keep[last:] = False
    return keep


def _is_words(row: pd.Series) -> bool:
    """Whether a line of a text file is a remark: words in its first cell, nothing in the others."""
    text = [str(one).strip() for one in row]
    return bool(text[0]) and not text[0][0].isdigit() and all(one.lower() in BLANKS for one in text[1:])


def _rows_of_instrument(
    cells: pd.DataFrame, found: dict[str, int], wanted: str | None, table: Table
) -> NDArray[np.bool_]:
    """Rows of the instrument that is meant, where a column names one a row.

    Raises:
        PriceError: `several_instruments`, `unknown_instrument`.
    """
    every = np.ones(len(cells), dtype=bool)
    if "symbol" not in found:
        return every
    column = cells.iloc[:, found["symbol"]].astype("string").str.strip()
    symbols = [str(one) for one in pd.unique(column.dropna()) if str(one)]
    if len(symbols) < 2:
        table.symbol = symbols[0] if symbols else table.symbol
        return every
    stamps = [
        cells.iloc[:, found[role]].astype("string") for role in ("date", "clock", "time") if role in found
    ]
    if isinstance(cells.index, pd.DatetimeIndex):
        stamps = [pd.Series(cells.index.astype(str))]
    stacked = bool(pd.concat(stamps, axis=1).duplicated().any()) if stamps else True
    if not stacked and wanted is None:
        # Contracts that follow one another, for example: every time stands once.
        table.tell("several_names", column=str(cells.columns[found["symbol"]]), count=len(symbols))
        table.names = tuple(symbols)
        return every
    try:
        table.symbol = choose(symbols, wanted)
    except PriceError:
        if not stacked:
            return every
        raise
    kept: NDArray[np.bool_] = (column == table.symbol).fillna(False).to_numpy(dtype=bool)
    table.tell("chosen_instrument", symbol=table.symbol, count=len(symbols))
    return kept


def _decimal(cells: pd.DataFrame, found: dict[str, int], table: Table) -> Decimal:
    """The decimal mark of a table's text.

    Raises:
        MarketError: `unclear_decimal`.
    """
    texts = [cells.iloc[:, found[role]] for role in PRICE_ROLES]
    texts = [one for one in texts if not pd.api.types.is_numeric_dtype(one)]
    if not texts or not len(cells):
        return "."
    if "volume" in found and not any(one.astype(str).str.contains("[.,]").any() for one in texts):
        volume = cells.iloc[:, found["volume"]]
        texts = texts if pd.api.types.is_numeric_dtype(volume) else [volume]
    # Where cells are set apart by commas the mark is a dot; MetaTrader and HistData know no other.
    date = str(cells.iloc[0, found.get("date", found.get("time", 0))])
    doubtful = table.separator not in ("", ",") and not re.match(r"\d{4}\.\d{2}\.\d{2}|\d{8}\b", date)
    mark = decimal_mark(texts, doubtful=doubtful)
    if mark == ",":
        table.tell("decimal_comma", value=str(texts[0].iloc[0]).strip())
    return mark


def _times(cells: pd.DataFrame, found: dict[str, int], reading: Reading, table: Table) -> pd.DatetimeIndex:
    """Times of the rows.

    Raises:
        PriceError: `missing_time`, and what the layouts refuse.
    """
    if isinstance(cells.index, pd.DatetimeIndex):
        return cells.index
    if "date" in found:
        text = joined(cells.iloc[:, found["date"]], cells.iloc[:, found["clock"]])
        table.tell("date_and_clock", value=str(text.iloc[0]) if len(text) else "")
        return read_text_times(text, reading.time_format, table.notices)
    if "time" not in found:
        raise PriceError("missing_time", known=", ".join(TIME_NAMES))
    return read_text_times(cells.iloc[:, found["time"]], reading.time_format, table.notices)


def _figures(
    cells: pd.DataFrame, found: dict[str, int], decimal: Decimal, times: pd.DatetimeIndex, table: Table
) -> dict[str, NDArray[np.float64]]:
    """Prices and volume as numbers."""
    figures = {role: read_numbers(cells.iloc[:, found[role]], role, decimal, times) for role in PRICE_ROLES}
    names = [str(name) for name in cells.columns]
    told = [plain(name) for name in names]
    if table.named and FUNDING in told:
        rates = cells.iloc[:, told.index(FUNDING)]
        figures[FUNDING] = read_numbers(rates, FUNDING, decimal, times)
    place = found.get("volume")
    if table.named and (better := base_volume(names, table.symbol)) is not None:
        place = better
    if place is not None:
        figures["volume"] = read_numbers(cells.iloc[:, place], "volume", decimal, times)
    if "funding" in found:
        figures[FUNDING] = read_numbers(cells.iloc[:, found["funding"]], FUNDING, decimal, times)
    if "ticks" in found and ("volume" not in figures or not (figures["volume"] > 0).any()):
        figures["volume"] = read_numbers(cells.iloc[:, found["ticks"]], "volume", decimal, times)
        table.tell("tick_volume", column=names[found["ticks"]])
    elif place is not None and table.named and plain(names[place]) not in ("volume", "vol", "v"):
        table.tell("volume_column", column=names[place])
    return figures


def _adjust(
    figures: dict[str, NDArray[np.float64]], adjusted: NDArray[np.float64], wanted: bool, table: Table
) -> None:
    """Put prices on the footing of the adjusted close, or say that there is one.

    Raises:
        MarketError: `bad_adjustment`.
    """
    close = figures["close"]
    priced = ~np.isnan(close)
    if not wanted:
        differs = priced & ~(np.abs(adjusted - close) <= _EVEN * np.abs(close))
        if differs.any():
            table.tell("adjusted_close", count=int(differs.sum()))
        return
    bad = priced & ~((adjusted > 0.0) & np.isfinite(adjusted))
    if bad.any():
        raise MarketError("bad_adjustment", row=int(bad.argmax()) + 1)
    factor = adjusted / close
    for role in PRICE_ROLES[:3]:
        figures[role] = figures[role] * factor
    figures["close"] = np.where(priced, adjusted, close)
    table.tell("adjusted", first=float(factor[priced][0]), last=float(factor[priced][-1]))


def _in_zone(times: pd.DatetimeIndex, zone: str | None) -> pd.DatetimeIndex:
    """Times in the zone the caller knows.

    Raises:
        MarketError: `unknown_zone`, `unclear_hour`.
    """
    if zone is None:
        return times
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown, or no name at all
        raise MarketError("unknown_zone", name=zone) from None
    if times.tz is not None:
        return times.tz_convert(zone)
    try:
        return times.tz_localize(zone, ambiguous="infer")
    except ValueError as unclear:
        hours = ", ".join(_TIME.findall(str(unclear)))
        raise MarketError("unclear_hour", zone=zone, reason=hours) from unclear
