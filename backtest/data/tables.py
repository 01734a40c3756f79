"""Which columns of a table hold what, where one table may hold several instruments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.errors import PriceError

PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")
TIME_NAMES = ("timestamp", "time", "date", "datetime", "open_time")
SYMBOL_NAMES = ("symbol", "ticker", "tic", "instrument", "contract", "asset", "pair", "isin", "name", "code")
"""Columns that may name the instrument of each row."""

_LISTED = 20


def plain_name(name: object) -> str:
    """A column's name as it is compared: `Open time` is `open_time`."""
    return str(name).strip().lower().replace(" ", "_")


def named(symbols: list[str]) -> str:
    """Instruments as an error tells them, the first twenty."""
    more = f" … ({len(symbols)})" if len(symbols) > _LISTED else ""
    return ", ".join(symbols[:_LISTED]) + more


def choose(symbols: list[str], wanted: str | None) -> str:
    """The one instrument that is meant.

    Args:
        symbols: those there are.
        wanted: the one asked for; case and punctuation do not matter.

    Raises:
        PriceError: `several_instruments`, `unknown_instrument`.
    """
    if wanted is None:
        if len(symbols) > 1:
            raise PriceError("several_instruments", known=named(symbols))
        return symbols[0]
    for same in (str, _bare):
        for one in symbols:
            if same(one) == same(wanted):
                return one
    raise PriceError("unknown_instrument", name=wanted, known=named(symbols))


def _bare(symbol: str) -> str:
    return "".join(letter for letter in symbol.lower() if letter.isalnum())


def one_instrument(df: pd.DataFrame, wanted: str | None = None) -> tuple[pd.DataFrame, str | None]:
    """A table with one level of columns and of rows, as prices of one instrument have them.

    Args:
        df: as it came; columns of two levels hold fields of several instruments, either level first, as
            yfinance makes them; rows of two levels are times and instruments.
        wanted: the instrument asked for.

    Returns:
        The table, and the instrument that its columns name.

    Raises:
        PriceError: `several_instruments`, `unknown_instrument`.
    """
    symbol = None
    if isinstance(df.columns, pd.MultiIndex):
        levels = [df.columns.get_level_values(level) for level in range(df.columns.nlevels)]
        fields = max(levels, key=lambda level: sum(plain_name(one) in COLUMNS for one in level))
        others = [level for level in levels if level is not fields]
        owners = [
            " ".join(str(one) for one in parts if str(one).strip()) for parts in zip(*others, strict=True)
        ]
        prices = np.array([plain_name(one) in PRICES for one in fields])
        found = list(dict.fromkeys(np.array(owners, dtype=object)[prices].tolist()))
        if found:
            many = len(found) > 1
            symbol = choose(found, wanted if many else None)
            # Columns that stand apart from all instruments, a date for example, belong to each.
            kept = [owner == symbol or owner not in found for owner in owners]
            df = df.loc[:, kept].set_axis(
                [str(one) for one, kept_one in zip(fields, kept, strict=True) if kept_one], axis=1
            )
    if isinstance(df.index, pd.MultiIndex):
        df = df.reset_index()
    return df, symbol or None


def symbol_column(df: pd.DataFrame) -> int | None:
    """Position of the column that names the instrument of each row, if there is one."""
    names = [plain_name(name) for name in df.columns]
    for name in SYMBOL_NAMES:
        if name in names:
            return names.index(name)
    return None


def symbols_of(df: pd.DataFrame) -> list[str]:
    """The instruments that a column names, in order of appearance; none without such a column."""
    place = symbol_column(df)
    if place is None:
        return []
    return [str(one) for one in pd.unique(df.iloc[:, place].dropna())]
