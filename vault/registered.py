"""Prices that are registered already, named by `dataset:HASH`: what was read once is not read again."""

from __future__ import annotations

from pathlib import Path

from backtest import GapPolicy
from vault.datasets import DATASET_PREFIX, Dataset, find_dataset
from vault.errors import MarketError
from vault.readers.options import Reading


def find_registered(
    reference: str,
    home: Path,
    *,
    gaps: GapPolicy = "accept",
    timeframe: str | None = None,
    symbol: str | None = None,
    reading: Reading,
) -> Dataset:
    """The dataset that a reference names, where nothing is asked of it that only a reader of files can do.

    Args:
        reference: `dataset:HASH`.
        home: the data folder.
        gaps: only `accept`: bars that are missing were filled or refused when the prices were registered.
        timeframe: that of the prices, or None.
        symbol: that of the prices in any case, or None.
        reading: as it is by default.

    Raises:
        MarketError: `reading_of_registered`, naming the first setting that would not count;
            `missing_dataset`, `damaged_dataset`.
    """
    asked = {name for name, value in reading if value != Reading.model_fields[name].default}
    asked |= {"gaps"} if gaps != "accept" else set()
    if not asked:
        dataset = find_dataset(reference.removeprefix(DATASET_PREFIX), home)
        asked |= {"symbol"} if symbol and symbol.casefold() != dataset.symbol.casefold() else set()
        asked |= {"timeframe"} if timeframe and timeframe != dataset.timeframe else set()
        if not asked:
            return dataset
    raise MarketError("reading_of_registered", data=reference, option=min(asked).replace("_", "-"))
