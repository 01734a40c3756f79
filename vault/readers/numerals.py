"""Figures written as text: which decimal mark they have, and their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backtest.data.times import refuse
from vault.errors import MarketError
from vault.readers.options import Decimal

BLANKS = frozenset({"", "nan", "null", "none", "n/a", "#n/a", "na", "nat", "-", "--", "–", "."})
"""What stands for no figure, in small letters."""

WHITE = "".join(chr(letter) for letter in range(0x3001) if chr(letter).isspace())
"""What `\\s` finds, letter by letter: with it, pandas looks through millions of cells in Python."""

_SPACES = f"[{WHITE}'’]"
_CURRENCY = r"^[$€£¥]|[$€£¥]$"
_GROUPED = {mark: rf"[+-]?\d{{1,3}}(?:\{mark}\d{{3}})+" for mark in ",."}
_FACTORS = {"K": 1e3, "M": 1e6, "B": 1e9}


def decimal_mark(columns: Sequence[pd.Series], *, doubtful: bool) -> Decimal:
    """The decimal mark of prices written as text.

    Args:
        columns: of prices.
        doubtful: whether `1.234` may be a thousand: the file has other European habits.

    Raises:
        MarketError: `unclear_decimal`: 1,234 everywhere may be a thousand or a little more than one.
    """
    if not doubtful and all(plain_numbers(column) is not None for column in columns):
        return "."
    cells = pd.concat([pd.Series(pd.unique(column)) for column in columns]).astype("string").str.strip()
    cells = _without(_without(cells, _SPACES), _CURRENCY)
    comma, dot = (cells.str.contains(mark, regex=False).fillna(False) for mark in ",.")
    both = cells[comma & dot]
    if len(both):
        commas_last = both.str.rfind(",") > both.str.rfind(".")
        if commas_last.all() or not commas_last.any():
            return "," if commas_last.all() else "."
        raise MarketError("unclear_decimal", value=str(both.iloc[0]), other=str(both[~commas_last].iloc[0]))
    grouped = {
        mark: bool(cells[has].str.fullmatch(_GROUPED[mark]).all()) for mark, has in ((",", comma), (".", dot))
    }
    if comma.any() and dot.any():
        if grouped[","] != grouped["."]:
            return "." if grouped[","] else ","
        raise MarketError("unclear_decimal", value=str(cells[comma].iloc[0]), other=str(cells[dot].iloc[0]))
    mark: Decimal = "," if comma.any() else "."
    other: Decimal = "." if comma.any() else ","
    held = cells[comma | dot]
    if held.empty or not grouped[mark]:
        return mark
    if (held.str.count(rf"\{mark}") > 1).any():
        return other
    if mark == "," or doubtful:
        raise MarketError("unclear_decimal", value=str(held.iloc[0]), other="")
    return mark


def read_numbers(
    column: pd.Series, name: str, decimal: Decimal, times: pd.DatetimeIndex | None = None
) -> NDArray[np.float64]:
    """Values of a column of figures, typed or written as text; NaN where there is none.

    Thousands may be set apart by a blank or by the other mark; a volume may end with K, M or B.

    Args:
        column: one cell a row.
        name: of its role, for the refusal.
        decimal: mark of figures written as text.
        times: of the rows, for the refusal.

    Raises:
        PriceError: `not_a_number`, naming the row.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
    text = column.astype("string")
    if decimal == "." and (figures := plain_numbers(text)) is not None:
        return figures
    text = text.str.strip()
    blank = text.isna() | text.str.lower().isin(BLANKS)
    text = text.mask(blank)
    if decimal == "." and (figures := plain_numbers(text)) is not None:
        return figures
    other = "," if decimal == "." else "."
    plain = _without(_without(text, _SPACES), _CURRENCY)
    factors = np.ones(len(plain))
    if name == "volume":
        suffix = plain.str.extract(r"(?<=[0-9])([KMBkmb])$", expand=False).str.upper()
        factors = np.array(suffix.map(_FACTORS).fillna(1.0), dtype=np.float64)
        plain = plain.str.replace(r"(?<=[0-9])[KMBkmb]$", "", regex=True)
    whole = rf"(?:[0-9]+|[0-9]{{1,3}}(?:\{other}[0-9]{{3}})+)"
    good = plain.str.fullmatch(rf"[+-]?(?:{whole}(?:\{decimal}[0-9]*)?|\{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?")
    good |= plain.str.fullmatch(r"[+-]?inf(?:inity)?", case=False)
    wrong = ~good.fillna(False) & ~blank
    if wrong.any():
        row = int(wrong.to_numpy(dtype=bool).argmax())
        refuse("not_a_number", row, times, column=name, value=str(column.iloc[row])[:40])
    plain = plain.str.replace(other, "", regex=False).str.replace(decimal, ".", regex=False)
    # The nearest float to what is written: 1.5M is 1500000, whatever 1.5 times a million rounds to.
    return np.asarray(_cast(plain) * factors)


def plain_numbers(column: pd.Series) -> NDArray[np.float64] | None:
    """Values of text that holds nothing but figures as programs write them; None of any other."""
    try:
        return _cast(column.astype("string"))
    except pa.ArrowInvalid:
        return None


def _without(cells: pd.Series, pattern: str) -> pd.Series:
    """Cells without what a pattern finds; most files have none of it."""
    found = cells.str.contains(pattern).fillna(False)
    return cells.str.replace(pattern, "", regex=True) if found.any() else cells


def _cast(text: pd.Series) -> NDArray[np.float64]:
    """Correctly rounded values; NaN for missing ones."""
    cells = pa.array(text, from_pandas=True, type=pa.string())
    return np.array(pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
