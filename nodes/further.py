"""Tables and series that a strategy may read beside its prices: what there is, and what it reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from backtest import Input, StrategyError, StrategySpec
from backtest.data.inputs import Tables
from backtest.data.prices import column_name
from backtest.data.tables import COLUMNS, PRICES
from backtest.strategy import by_series_name

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

    @classmethod
    def of(cls, tables: Tables, declared: Mapping[str, Input]) -> Further:
        """What is at hand: a series of its own is a table with the column `value`.

        Raises:
            StrategyError: `input_name`, `reserved_input`, `repeated_name`: no name of a series.
        """
        frames = {
            name.lower(): one.to_frame("value") if isinstance(one, pd.Series) else one
            for name, one in tables.items()
        }
        return cls(frames, {}, by_series_name(declared))

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

    def offered_to(self, spec: StrategySpec) -> StrategySpec:
        """A strategy whose changes may read more than it declares itself.

        That is every series described, and every column of numbers of a table of which it reads nothing.

        Raises:
            StrategyError: `reserved_input`, `input_name`; `input_is_parameter`.
        """
        taken = {name.partition(".")[0] for name in spec.inputs}
        columns = {
            f"{table}.{column_name(column)}"
            for table, frame in self.tables.items()
            if table not in taken
            for column in frame.select_dtypes("number")
        }
        offered = {
            name: one
            for name, one in self.known().items()
            if name not in spec.inputs and (name in columns or name in self.declared)
        }
        found = spec.offering(offered)
        if hidden := sorted(offered.keys() - found.offered.keys()):
            raise StrategyError("input_is_parameter", name=hidden[0])
        return found

    def used_by(self, conditions: Iterable[str | None]) -> dict[str, Input]:
        """Declarations of the series that some conditions read."""
        words = {word.lower() for one in conditions if one for word in _DOTTED.findall(one)}
        return {name: one for name, one in self.known().items() if name in words}

    def read_by(self, conditions: Iterable[str | None]) -> dict[str, Input]:
        """The same with those that were described, so that one that no condition reads is refused."""
        return self.declared | self.used_by(conditions)


def on_offer(request: Mapping[str, Any]) -> dict[str, Input]:
    """The series that changes of a run may read though its first strategy reads none of them.

    Args:
        request: the run's input, as it stands in its record.
    """
    return {name: Input.model_validate(one) for name, one in request.get("offered", {}).items()}


NO_FURTHER = Further({}, {}, {})
