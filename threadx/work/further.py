"""Further tables and series of a command: `--with btc=BTC.parquet`, `--input btc.close=price,USDT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pandas as pd

from backtest import Input
from backtest.types import Known
<<<<<<< HEAD
from threadx.errors import ThreadxError
from vault.readers.prices import read_any_table

_DOTTED = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*|[A-Za-z_]\w*", re.ASCII)


class Further(NamedTuple):
    """What a command was given besides prices.

    Attributes:
        tables: by name.
        references: where each was read.
        declared: series by name, as they were described.
    """

    tables: dict[str, pd.DataFrame]
    references: dict[str, str]
    declared: dict[str, Input]

    def read_by(self, conditions: Iterable[str | None]) -> dict[str, Input]:
        """Declarations of the series that some conditions read.

        What was not described is a price or a volume if its column is called so, else of no kind.
        """
        known = dict(self.declared)
        for table, frame in self.tables.items():
            for column in map(column_name, frame.columns):
                kind = "price" if column in PRICES else "size" if column in COLUMNS else "none"
                known.setdefault(f"{table}.{column}", Input(kind=kind))
        words = {word.lower() for one in conditions if one for word in _DOTTED.findall(one)}
        return {name: one for name, one in known.items() if name in words or name in self.declared}
=======
from nodes.further import Further, read_further_table
from threadx.errors import ThreadxError
>>>>>>> caa89ce (forms have every setting, level and cost that the command takes, and the workbench further series: one description of settings)


def take_further(given: dict[str, Any], home: Path) -> Further:
    """Tables and declarations, taken out of what a command was given.

    Raises:
        ThreadxError: `bad_table`, `bad_input`, `repeated_table`.
        MarketError: a file cannot be read.
        StrategyError: `bad_field`, a kind that there is not.
    """
    tables, references = read_tables(given.pop("tables"), home)
    return Further(tables, references, dict(map(_declared, given.pop("declared"))))


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
<<<<<<< HEAD
        tables[name.lower()] = read_any_table(reference, home)
        references[name.lower()] = reference
    return tables, references
=======
        tables[name.lower()] = read_further_table(reference, home)
    return Further(tables, dict(map(_declared, given.pop("declared"))))
>>>>>>> caa89ce (forms have every setting, level and cost that the command takes, and the workbench further series: one description of settings)


def _declared(text: str) -> tuple[str, Input]:
    """`btc.close=price,USDT,close` as a name and its declaration."""
    name, equals, words = (part.strip() for part in text.partition("="))
    kind, *others = (part.strip() for part in words.split(","))
    fields = {"known" if one in get_args(Known) else "unit": one for one in others}
    if not (name and equals and kind) or len(fields) < len(others):
        raise ThreadxError("bad_input", pair=text)
    return name.lower(), Input.model_validate({"kind": kind, **fields})
