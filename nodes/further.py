"""Tables and series that a strategy may read beside its prices: what there is, and what it reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from backtest import Input, RequestError, StrategyError, StrategySpec
from backtest.data.inputs import Tables, by_table
from backtest.data.prices import column_name
from backtest.data.tables import COLUMNS, PRICES, SYMBOL_NAMES, TIME_NAMES
from backtest.data.together import by_name
from backtest.strategy import by_series_name, is_series_name

Declared = Input | Mapping[str, str]
"""What a further series is, as `Input` or by its fields."""
MOST_OFFERED = 100
"""Further series on offer at most: each is a line of every prompt."""
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
    def of(cls, tables: Tables, declared: Mapping[str, Declared]) -> Further:
        """What is at hand: a series of its own is a table with the column `value`.

        Raises:
            RequestError: `not_by_name`.
            StrategyError: `repeated_name`, and as `declarations`.
        """
        frames = {
            name: one.to_frame("value") if isinstance(one, pd.Series) else one
            for name, one in by_table(tables).items()
        }
        return cls(frames, {}, declarations(declared))

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

        That is every series described, and of a table of which it reads nothing every column of numbers that
        conditions can write.

        Raises:
            RequestError: `table_without_numbers`, `too_many_on_offer`.
            StrategyError: `reserved_input`, `input_name`; `input_is_parameter`.
        """
        taken = {name.partition(".")[0] for name in spec.inputs}
        columns = set[str]()
        for table, frame in self.tables.items():
            if table in taken:
                continue
            kept = series_of(table, frame)
            if not kept and not any(one.startswith(f"{table}.") for one in self.declared):
                known = ", ".join(map(str, frame.columns))
                raise RequestError("table_without_numbers", name=table, known=known)
            columns.update(kept)
        offered = {
            name: one
            for name, one in self.known().items()
            if name not in spec.inputs and (name in columns or name in self.declared)
        }
        if len(offered) > MOST_OFFERED:
            raise RequestError("too_many_on_offer", count=len(offered), most=MOST_OFFERED)
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


def series_of(table: str, frame: pd.DataFrame) -> list[str]:
    """What conditions can read of a table: its columns of numbers, but times, whose names they can write."""
    named = [
        f"{table}.{column}"
        for column in map(column_name, frame.select_dtypes("number"))
        if column not in (*TIME_NAMES, *SYMBOL_NAMES)
    ]
    # A table whose own name cannot be written is refused by it.
    return [one for one in named if is_series_name(one) or not is_series_name(table)]


def declarations(given: Mapping[str, Declared]) -> dict[str, Input]:
    """What further series are, by names that conditions can write.

    Raises:
        RequestError: `not_by_name`.
        StrategyError: `bad_field` …: no declaration; `input_name`, `reserved_input`, `repeated_name`.
    """
    return by_series_name({name: Input.model_validate(one) for name, one in by_name(given, "offered")})


def on_offer(request: Mapping[str, Any]) -> dict[str, Input]:
    """The series that changes of a run may read though its first strategy reads none of them.

    Args:
        request: the run's input, as it stands in its record.
    """
    return declarations(request.get("offered", {}))


NO_FURTHER = Further({}, {}, {})
