"""Strategies whose signals are written down bar by bar, and their trades as rows to compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backtest import BacktestResult, StrategySpec

# Signals travel in the volume column, as a sum. Every bar without a signal is so a bar without volume.
PLACES = {"entry_long": 1, "exit_long": 2, "entry_short": 4, "exit_short": 8}
Row = tuple[str, int, float, int, float, str, int]


def condition(bit: int) -> str:
    return " or ".join(f"volume == {code}" for code in range(16) if code & bit)


CONDITIONS = {place: condition(bit) for place, bit in PLACES.items()}


def frame(
    bars: Sequence[tuple[float, ...]], signals: Sequence[int], made_up: Collection[int] = ()
) -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=len(bars), freq="h", tz="UTC")
    table = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=index, dtype=float)
    table["volume"] = np.array(signals, dtype=float)
    if made_up:
        table["made_up"] = [place in made_up for place in range(len(bars))]
    return table


def scripted(
    risk: Mapping[str, Any] | None = None, sizing: Mapping[str, Any] | None = None, **others: Any
) -> StrategySpec:
    return StrategySpec(name="scripted", risk=risk or {}, sizing=sizing or {}, **{**CONDITIONS, **others})


def with_orders(
    table: pd.DataFrame, levels: Mapping[str, Sequence[float]], calls: Sequence[int]
) -> dict[str, Any]:
    """Columns that carry levels of orders and what calls them off (1 longs, 2 shorts); what reads them."""
    if not levels:
        return {}
    read: dict[str, Any] = {"inputs": {"calls": {}}}
    table["calls"] = np.array(calls, dtype=float)
    for name, values in levels.items():
        column = name.replace(" ", "_")
        table[column] = np.array(values, dtype=float)
        read["inputs"][column] = {"kind": "price"}
        read[column if column.startswith("exit") else f"entry_{column}"] = column
    for side, bit in (("long", 1), ("short", 2)):
        if any(name in (f"limit {side}", f"stop {side}") for name in levels):
            read[f"cancel_{side}"] = f"calls == {bit} or calls == 3"
    if "cancel_long" not in read and "cancel_short" not in read:
        del read["inputs"]["calls"]
    return read


def shown(result: BacktestResult) -> list[Row]:
    """Side, entry bar and price, exit bar and price, reason and bars held of each trade."""
    places = {time: place for place, time in enumerate(result.all_times)}
    return [
        (row.side, places[row.entry_time], row.entry_price, places[row.exit_time], row.exit_price,
         row.exit_reason, row.bars)
        for row in result.trades.itertuples()
    ]  # fmt: skip
