"""Tables in text files: encoding, separator, lines before the data and rows of names are found out."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vault.errors import MarketError
from vault.readers.columns import PRICE_ROLES, plain, roles
from vault.readers.numerals import BLANKS
from vault.readers.options import Notice
from vault.readers.sizes import check_columns, check_lines

_HEAD = 300
"""Lines that are looked at to find the layout."""

_SEPARATORS = ("\t", ";", "|", ",")
_LONG = 1 << 20
"""Letters of a text that is parsed piece by piece."""
_WIDTH = 5
"""Least number of columns: a time and four prices."""

_FIGURE = re.compile(r"[+-]?[$€£¥]?(?:\d[\d\s.,'’\u00a0\u202f]*|[.,]\d+)(?:[eE][+-]?\d+)?\s?[%KMBkmb$€£¥]?")
_DATE = re.compile(
    r"\d{1,4}[-./ ]{1,2}[^\W_]{1,9}\.?[-./ ,]+\d{2,4}\b.*|[^\W\d_]{3,9}\.? \d{1,2},? \d{4}\b.*|\d{8} \d{4,6}"
)
_TITLES = frozenset({"price", "ticker", "date", "datetime", ""})
"""First cells of the three rows of names that yfinance writes."""


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Cells as they stand.

    Attributes:
        cells: text, a row a line of data; columns named, of two levels where names stand in several rows, or
            numbered where there are no names.
        named: whether there are names.
        separator: between cells.
    """

    cells: pd.DataFrame
    named: bool
    separator: str


def read_text_table(content: bytes, notices: list[Notice], path: Path) -> TextTable:
    """A table out of the bytes of a text file.

    Args:
        content: UTF-8 or UTF-16 with or without mark, or Windows' western code page.
        notices: is added what was assumed.
        path: for the reader.

    Raises:
        MarketError: `no_price_rows`, `ragged_rows`, `too_long_line`, `too_many_columns`.
    """
    text = decoded(content)
    lines = text.split("\n", _HEAD)[:_HEAD]
    check_lines(path, lines)
    skipped = 0
    if lines and (told := re.fullmatch(r"sep=(.)\s*", lines[0])):  # what Excel reads first, if it is there
        lines, skipped = ["", *lines[1:]], 1
    separator, rows = _layout(lines, told[1] if skipped and told else None)
    first = next(number for number, row in enumerate(rows) if _is_data(row))
    width = max(len(row) for row in rows[first:])
    check_columns(path, width)
    before = [row for row in rows[:first] if any(cell.strip() for cell in row)]
    header = [row for row in before if len(row) >= min(_WIDTH, width - 1) or _title_row(row)]
    if preamble := [row for row in before if row not in header]:
        told_line = separator.join(preamble[0]).strip()[:60]
        notices.append(Notice(code="skipped_lines", fields={"count": len(preamble), "first": told_line}))
    cells = _cells(text, separator, first, width)
    if not header:
        return TextTable(cells=cells, named=False, separator=separator)
    cells.columns = _names(header, width, cells, notices)
    return TextTable(cells=cells, named=True, separator=separator)


def decoded(content: bytes) -> str:
    """Text out of bytes, whatever program of whatever country wrote them."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", errors="replace")
    elif content[1:200:2].count(0) > len(content[1:200:2]) // 2:
        text = content.decode("utf-16-le", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_figure(cell: str) -> bool:
    """Whether a cell looks like a number, of whatever country."""
    return _FIGURE.fullmatch(cell.strip()) is not None


def is_date(cell: str) -> bool:
    """Whether a cell looks like a date or a time."""
    return _DATE.fullmatch(cell.strip()) is not None


def _is_data(row: list[str]) -> bool:
    """Whether a row holds a time and four prices, or a time and nothing."""
    if len(row) < _WIDTH:
        return False
    figures = sum(is_figure(cell) for cell in row)
    dates = sum(is_date(cell) for cell in row)
    if figures >= _WIDTH or (figures >= len(PRICE_ROLES) and dates):
        return True
    blank = sum(cell.strip().lower() in BLANKS for cell in row)
    return dates >= 1 and dates + figures + blank >= len(row) - 1 and blank < len(row) - 1


def _layout(lines: list[str], separator: str | None) -> tuple[str, list[list[str]]]:
    """The separator that makes the most rows of data, and the first rows as it cuts them.

    Raises:
        MarketError: `no_price_rows`.
    """
    best, found = 0, None
    for one in (separator,) if separator else (*_SEPARATORS, " "):
        try:
            rows = list(csv.reader(lines, delimiter=one, skipinitialspace=True))
        except csv.Error:  # one cell of more than 131,072 letters: cut otherwise, or no table
            continue
        data = [len(row) for row in rows if _is_data(row)]
        alike = max((data.count(width) for width in set(data)), default=0)
        if alike > best:
            best, found = alike, (one, rows)
    if found is None:
        shown = next((line.strip() for line in lines if line.strip()), "")
        raise MarketError("no_price_rows", first=shown[:80])
    return found


def _cells(text: str, separator: str, first: int, width: int) -> pd.DataFrame:
    """Every cell as text, from line `first` (from 0) on.

    Raises:
        MarketError: `ragged_rows`.
    """
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=list(range(width)),
            index_col=False,
            skiprows=first,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skipinitialspace=True,
            on_bad_lines="error",
            low_memory=len(text) > _LONG,  # pieces are joined column by column
        )
    except pd.errors.ParserError as reason:
        line = next(iter(re.findall(r"line (\d+)", str(reason))), "?")
        raise MarketError("ragged_rows", line=line) from reason


def _title_row(row: list[str]) -> bool:
    """Whether a short row is one of the rows of names, its empty cells left out by the program."""
    return plain(row[0]) in ("ticker", "date", "datetime") and all(not cell.strip() for cell in row[2:])


def _names(header: list[list[str]], width: int, cells: pd.DataFrame, notices: list[Notice]) -> pd.Index:
    """Names of the columns: those of the row with names of prices, and instruments above or below it."""
    padded = [_padded(row, width, cells) for row in header]
    count = [sum(plain(cell) in PRICE_ROLES for cell in row) for row in padded]
    best = max(range(len(padded)), key=lambda place: (count[place], len(set(roles(padded[place]))), place))
    fields = padded[best]
    others = [row for place, row in enumerate(padded) if place != best and plain(row[0]) in _TITLES]
    owners = next((row for row in others if any(cell.strip() for cell in row[1:])), None)
    if owners is None or not count[best]:
        return pd.Index(fields)
    notices.append(Notice(code="header_rows", fields={"count": len(header)}))
    names = [owner if plain(field) else "" for field, owner in zip(fields, owners, strict=True)]
    # The first column is of no instrument: it holds the times, whatever stands above it.
    return pd.MultiIndex.from_arrays([["Date", *fields[1:]], ["", *names[1:]]])


def _padded(row: list[str], width: int, cells: pd.DataFrame) -> list[str]:
    """A row of names as wide as the data: a nameless first column of times, or nameless ones at the end."""
    named = [cell.strip() for cell in row][:width]
    lacking = width - len(named)
    if lacking == 1 and "time" not in roles(named) and (cells[width - 1] != "").any():
        named = ["time", *named]
    if plain(named[0]) in ("", "unnamed_0") and "time" not in roles(named):
        named[0] = "time"  # what pandas makes of an index without a name
    return named + [""] * (width - len(named))
