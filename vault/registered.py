"""Prices that are registered already, named by `dataset:HASH`: what was read once is not read again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from backtest import GapPolicy
from vault.datasets import (
    DATASET_PREFIX,
    Dataset,
    find_dataset,
    load_development,
    open_holdout,
    register,
    undivided,
)
from vault.errors import MarketError
from vault.pools import registered_anew
from vault.readers.options import Reading
from vault.readers.prices import PriceSource, read_frame, read_prices, source_of
from vault.readers.window import moment, window
from vault.splits import read_splits

AS_FOUND = Reading()


def read_any(
    data: pd.DataFrame | str,
    home: Path,
    *,
    gaps: GapPolicy = "accept",
    timeframe: str | None = None,
    symbol: str | None = None,
    reading: Reading = AS_FOUND,
) -> tuple[pd.DataFrame, PriceSource]:
    """Prices of whatever names some: a table, a file, a sample, or the development rows of `dataset:HASH`.

    Nothing is registered. Arguments, and errors but those of `find_registered` and `seen`, are those of
    `vault.readers.prices.read_prices`.
    """
    if isinstance(data, pd.DataFrame):
        return read_frame(data, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
    if not data.startswith(DATASET_PREFIX):
        return read_prices(data, home, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
    dataset = find_registered(
        data, home, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading.whole
    )
    prices = seen(dataset, load_development(dataset, home), reading, home)
    return prices, source_of(data, dataset.symbol, prices, dataset.notices)


def seen(
    dataset: Dataset, development: pd.DataFrame, reading: Reading, home: Path, reader: str | None = None
) -> pd.DataFrame:
    """The rows asked for, of those that may be seen.

    Args:
        dataset: which prices.
        development: their development rows.
        reading: which bars are wanted.
        home: the data folder.
        reader: opens the holdout too; the opening is logged under this name. None: development rows only.

    Raises:
        MarketError: `window_in_holdout`, and what `window` and `open_holdout` refuse.
    """
    if reader is not None:
        return window(open_holdout(dataset, home, reader=reader)[0], reading)
    index = pd.DatetimeIndex(development.index)
    if reading.start is not None and index[-1] < moment(reading.start, index) <= pd.Timestamp(dataset.last):
        raise MarketError("window_in_holdout", start=reading.start, boundary=dataset.boundary)
    return window(development, reading)


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

    Where the boundary of its prices has been moved since, it is registered anew under today's.

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
        dataset = _under_todays_boundary(find_dataset(reference.removeprefix(DATASET_PREFIX), home), home)
        asked |= {"symbol"} if symbol and symbol.casefold() != dataset.symbol.casefold() else set()
        asked |= {"timeframe"} if timeframe and timeframe != dataset.timeframe else set()
        if not asked:
            return dataset
    raise MarketError("reading_of_registered", data=reference, option=min(asked).replace("_", "-"))


def _under_todays_boundary(dataset: Dataset, home: Path) -> Dataset:
    """The same prices as anybody would register them now.

    Where the boundary has been moved since, what was their holdout has been developed on.
    """
    if dataset.instruments:
        members = [_under_todays_boundary(one, home) for one in dataset.instruments]
        return registered_anew(dataset, members, home)
    splits = {split.family: split for split in read_splits(home / "datasets")}
    split = splits.get(dataset.family)
    if split is None or tuple(split.advances) == dataset.advances:
        return dataset
    return register(
        undivided(dataset, home),
        symbol=dataset.symbol,
        timeframe=dataset.timeframe,
        home=home,
        notices=dataset.notices,
    )
