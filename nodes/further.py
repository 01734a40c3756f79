"""Tables and series that a strategy may read beside its prices: what there is, and what it reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from backtest import Input
from backtest.data.prices import column_name
from backtest.data.tables import COLUMNS, PRICES

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

    def known(self) -> dict[str, Input]:
        """Declarations of every series.

        What was not described is a price or a volume if its column is called so, else of no kind.
        """
        known = dict(self.declared)
        for table, frame in self.tables.items():
            for column in map(column_name, frame.columns):
                kind = "price" if column in PRICES else "size" if column in COLUMNS else "none"
                known.setdefault(f"{table}.{column}", Input(kind=kind))
        return known

    def used_by(self, conditions: Iterable[str | None]) -> dict[str, Input]:
        """Declarations of the series that some conditions read."""
        words = {word.lower() for one in conditions if one for word in _DOTTED.findall(one)}
        return {name: one for name, one in self.known().items() if name in words}

    def read_by(self, conditions: Iterable[str | None]) -> dict[str, Input]:
        """The same with those that were described, so that one that no condition reads is refused."""
        return self.declared | self.used_by(conditions)


NO_FURTHER = Further({}, {}, {})
