"""Where a dataset is cut into development and holdout: decided once, kept for ever.

The cut belongs to an instrument and timeframe, not to a file: the same prices registered again, with more
rows or fewer, meet the same boundary. Times are kept as UTC nanoseconds, so zones and resolutions cannot blur
them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from backtest.files import write_text_atomically
from market.errors import MarketError

HOLDOUT_SHARE = 0.2
EMBARGO_SHARE = 0.01
EMBARGO_ROWS_AT_MOST = 500
MINIMUM_ROWS = 50
"""Fewer rows than this are not split: 10 holdout bars prove nothing as it is."""

_SAME_PRICE = 1e-6
_SAME_SHARE = 0.95


class Split(BaseModel):
    """One cut.

    Attributes:
        symbol: instrument, as registered first.
        timeframe: length of a bar.
        development_end: rows before this time (UTC ns) may be developed on; then comes the embargo.
        boundary: first time (UTC ns) of the holdout.
        first: earliest time registered under this cut (UTC ns).
        last: latest time registered under this cut (UTC ns).
        developments: hashes of the development parts that later registrations are compared with.
    """

    model_config = ConfigDict(extra="forbid")

    symbol: str
    timeframe: str
    development_end: int
    boundary: int
    first: int
    last: int
    developments: list[str]


_SPLITS = TypeAdapter(list[Split])

Closes = Callable[[str], pd.Series]
"""Closes of a stored development part by its hash, on UTC nanoseconds."""


def nanoseconds(index: pd.Index) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A DatetimeIndex as UTC nanoseconds; times without a zone are taken as UTC."""
    return np.asarray(pd.DatetimeIndex(index).as_unit("ns").asi8, dtype=np.int64)


@contextmanager
def locked_splits(folder: Path) -> Iterator[list[Split]]:
    """All cuts of a folder, held against other processes and written back when the block ends well.

    Raises:
        MarketError: `damaged_splits`: the file is not what this program wrote.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "splits.json"
    with FileLock(folder / "splits.lock"):
        before = path.read_text(encoding="utf-8") if path.exists() else "[]\n"
        try:
            splits = _SPLITS.validate_json(before)
        except ValidationError as reason:
            raise MarketError("damaged_splits", path=str(path), problems=reason.error_count()) from reason
        yield splits
        after = json.dumps([split.model_dump() for split in splits], indent=1) + "\n"
        if after != before:
            write_text_atomically(path, after)


def find_split(
    splits: list[Split], frame: pd.DataFrame, *, symbol: str, timeframe: str, closes: Closes
) -> Split | None:
    """The cut under which these prices already stand, or None.

    Prices are the same when 95 % of the closes on common development times agree within one part in a million
    (a vendor's correction of a bar makes no new dataset). Where there is nothing common to compare, overlap
    in time is enough: the doubt goes to the holdout. Of several cuts the earliest counts.
    """
    times = nanoseconds(frame.index)
    fresh = pd.Series(frame["close"].to_numpy(), index=times)
    matching = [
        split
        for split in splits
        if (split.symbol.upper(), split.timeframe) == (symbol.upper(), timeframe)
        and times[0] <= split.last
        and times[-1] >= split.first
        and _same_prices(split, fresh, closes)
    ]
    return min(matching, key=lambda split: split.boundary, default=None)


def _same_prices(split: Split, fresh: pd.Series, closes: Closes) -> bool:
    compared = agreeing = 0
    for name in split.developments:
        known = closes(name)
        common = known.index.intersection(fresh.index)
        ratio = np.abs(fresh.loc[common].to_numpy() / known.loc[common].to_numpy() - 1.0)
        compared += len(common)
        agreeing += int((ratio <= _SAME_PRICE).sum())
    return compared == 0 or agreeing >= _SAME_SHARE * compared


def new_split(frame: pd.DataFrame, *, symbol: str, timeframe: str) -> Split:
    """Cut prices for the first time: last 20 % of rows holdout, 1 % (1 to 500 rows) before them embargo.

    Raises:
        MarketError: `too_few_rows`.
    """
    rows = len(frame)
    if rows < MINIMUM_ROWS:
        raise MarketError("too_few_rows", rows=rows, minimum=MINIMUM_ROWS)
    times = nanoseconds(frame.index)
    start = rows - math.floor(rows * HOLDOUT_SHARE)
    embargo = min(max(math.ceil(rows * EMBARGO_SHARE), 1), EMBARGO_ROWS_AT_MOST)
    return Split(
        symbol=symbol,
        timeframe=timeframe,
        development_end=int(times[start - embargo]),
        boundary=int(times[start]),
        first=int(times[0]),
        last=int(times[-1]),
        developments=[],
    )
