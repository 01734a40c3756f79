"""Series of other tables beside prices: read from files, and joined so that they stand with the prices.

They are joined before prices are registered: what is stored as development holds what was known then, and
the holdout is cut at the same moment for prices and series alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from backtest import StrategySpec
from backtest.data.arrays import check_share
from backtest.data.inputs import Tables, by_table, ended, with_inputs
from backtest.data.prices import column_name, read_further
from backtest.data.tables import TIME_NAMES
from vault.readers.options import Notice
from vault.readers.prices import read_any_table


class Joined(NamedTuple):
    """Prices with the series of other tables.

    Attributes:
        prices: with a column for each series that the strategy declares.
        notices: of columns that are not on offer, and of series that end long before the prices do.
    """

    prices: pd.DataFrame
    notices: tuple[Notice, ...]


def further_tables(references: Mapping[str, str], home: Path) -> dict[str, pd.DataFrame]:
    """Tables by name, from files or samples.

    Args:
        references: as `vault.readers.prices.read_any_table` takes them.
        home: the data folder.

    Raises:
        MarketError: a file cannot be read.
    """
    return {name: read_any_table(reference, home) for name, reference in references.items()}


def join(prices: pd.DataFrame, tables: Tables, spec: StrategySpec) -> Joined:
    """Prices with every series that a strategy declares, and those that its changes may read.

    Args:
        prices: canonical.
        tables: by name; where there are none, the prices have the series already.
        spec: the strategy.

    Raises:
        RequestError: `missing_input`, `share_out_of_range`, and as `backtest.data.inputs.with_inputs`.
    """
    joined = with_inputs(prices, tables, spec)
    for name, one in spec.readable.items():
        values = read_further(joined, name)
        if one.kind == "share":  # of the holdout too: at the end of a run it would be too late
            check_share(name, values)
    return Joined(joined, (*_not_offered(tables, spec), *ended_notices(prices, tables, spec)))


def _not_offered(tables: Tables, spec: StrategySpec) -> tuple[Notice, ...]:
    """What to tell of columns that changes cannot read, though they may read others of their table."""
    offered = {name.partition(".")[0] for name in spec.offered}
    names = [
        name
        for table, one in by_table(tables).items()
        if table in offered and isinstance(one, pd.DataFrame)
        for name in (f"{table}.{column_name(column)}" for column in one.columns)
        if name not in spec.readable and name.partition(".")[2] not in TIME_NAMES
    ]
    return (Notice(code="not_offered", fields={"names": ", ".join(names)}),) if names else ()


def ended_notices(prices: pd.DataFrame, tables: Tables, spec: StrategySpec) -> tuple[Notice, ...]:
    """What to tell of tables that end long before the prices."""
    return tuple(
        Notice(code="input_ended", fields={"name": one.name, "last": _told(one.last), "count": one.bars})
        for one in ended(prices, tables, spec)
    )


def _told(time: pd.Timestamp) -> str:
    """The day, and the hour where rows are shorter."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"
