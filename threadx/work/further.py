"""Further tables and series of a command: `--with btc=BTC.parquet`, `--input btc.close=price,USDT`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from backtest import Input, StrategyError
from backtest.types import Known
from nodes.further import Further
from threadx.errors import ThreadxError
from vault.readers.prices import read_any_table


def take_further(given: dict[str, Any], home: Path) -> Further:
    """Tables and declarations, taken out of what a command was given.

    Raises:
        ThreadxError: `bad_table`, `bad_input`, `repeated_table`.
        MarketError: a file cannot be read.
        StrategyError: `bad_field`, a kind that there is not; `repeated_name`.
    """
    tables, references = read_tables(given.pop("tables"), home)
    declared: dict[str, Input] = {}
    for name, one in map(_declared, given.pop("declared")):
        if name in declared:
            raise StrategyError("repeated_name", name=name)
        declared[name] = one
    return Further(tables, references, declared)


def read_tables(pairs: Iterable[str], home: Path) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """`btc=BTC.parquet` as a table by its name, and where it was read.

    Raises:
        ThreadxError: `bad_table`, `repeated_table`.
        MarketError: a file cannot be read.
    """
    tables: dict[str, pd.DataFrame] = {}
    references: dict[str, str] = {}
    for text in pairs:
        name, equals, reference = (part.strip() for part in text.partition("="))
        if not (name and equals and reference):
            raise ThreadxError("bad_table", pair=text)
        if name.lower() in tables:
            raise ThreadxError("repeated_table", name=name)
        tables[name.lower()] = read_any_table(reference, home)
        references[name.lower()] = reference
    return tables, references


def _declared(text: str) -> tuple[str, Input]:
    """`btc.close=price,USDT,close` as a name and its declaration."""
    name, equals, words = (part.strip() for part in text.partition("="))
    kind, *others = (part.strip() for part in words.split(","))
    fields = {"known" if one in get_args(Known) else "unit": one for one in others}
    if not (name and equals and kind) or len(fields) < len(others):
        raise ThreadxError("bad_input", pair=text)
    return name.lower(), Input.model_validate({"kind": kind, **fields})
