"""What `optimize` is given as prices: one instrument, or several as files, a folder or tables by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from base.paths import typed_path
from threadx.arguments import check_kind
from vault.errors import MarketError
from vault.pools import Member, named
from vault.readers.prices import EXTENSIONS
from vault.registered import read_any

Given = pd.DataFrame | str | Path
Data = Given | Sequence[Given] | Mapping[str, Given]
Table = pd.DataFrame | pd.Series | str | Path
"""A table beside prices: itself, or where it is read."""
Instrument = tuple[str | None, pd.DataFrame | str]
"""Symbol and prices: a table, or a reference to some."""


def instruments_of(data: Data, *, several: bool = True) -> list[Instrument]:
    """Every instrument, as (symbol, table or reference); the symbol is None where the prices tell it.

    A folder stands for all price files that lie in it, in the order of their names.

    Args:
        data: as a person gives it.
        several: whether there may be more than one; else it is what it is, for its reader to judge.

    Raises:
        ThreadxError: `bad_argument` for what are no prices.
        MarketError: `no_prices_in_folder`; `too_small_pool` for none.
    """
    if not several:
        assert isinstance(data, Given), "looked at before"
        return [(None, _plain(data))]
    if isinstance(data, Mapping):
        return _told([(str(name), _plain(one)) for name, one in data.items()])
    if isinstance(data, pd.DataFrame | str) or not isinstance(data, Sequence):
        data = [data]
    found: list[Instrument] = []
    for one in data:
        told = _plain(one)
        if not isinstance(told, str):
            found.append((None, told))
        elif Path(told).is_dir():
            found += [(None, path) for path in _files(Path(told))]
        else:
            found.append(named(told))
    return _told(found)


def _told(found: list[Instrument]) -> list[Instrument]:
    if not found:
        raise MarketError("too_small_pool", count=0)
    return found


def _plain(one: Given) -> pd.DataFrame | str:
    check_kind("data", one)
    return one if isinstance(one, pd.DataFrame) else str(one)


def _files(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in EXTENSIONS)
    if not files:
        raise MarketError("no_prices_in_folder", path=str(folder), known=", ".join(EXTENSIONS))
    return [str(path) for path in files]


def reference_of(symbol: str | None, reference: str) -> str:
    """An instrument as the graph's input names it."""
    return reference if symbol is None else f"{symbol}={reference}"


def read_members(instruments: Sequence[Instrument], home: Path, **known: Any) -> list[Member]:
    """The prices of a pool of which some are tables.

    Args:
        instruments: as `instruments_of` gives them.
        home: the data folder.
        **known: `gaps`, `timeframe` and `reading`, as `read_any` takes them.

    Raises:
        BacktestError, MarketError: as `read_any`.
    """
    return [Member.of(*read_any(one, home, symbol=symbol, **known)) for symbol, one in instruments]


def tables_told(inputs: Mapping[str, Table]) -> tuple[dict[str, pd.DataFrame | pd.Series], dict[str, str]]:
    """Tables beside prices: those that are at hand, and where the others are read, from whatever folder.

    Args:
        inputs: by name, as a person gives them.

    Raises:
        ThreadxError: `bad_argument` for what is no table.
    """
    at_hand: dict[str, pd.DataFrame | pd.Series] = {}
    named: dict[str, str] = {}
    for name, one in inputs.items():
        if isinstance(one, pd.DataFrame | pd.Series):
            at_hand[name] = one
        else:
            check_kind("data", one)
            path = typed_path(str(one))
            named[name] = str(path.absolute()) if path.is_file() else str(one)
    return at_hand, named
