"""Where a dataset is cut into development and holdout: decided once, moved by a person's own word alone.

The cut belongs to prices, not to a file or a name: the same prices registered again, with more rows or fewer,
under another symbol or as longer bars, meet the same boundary. Times are kept as UTC nanoseconds, so zones
and resolutions cannot blur them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from base import locks, private
from base.aside import set_aside
from base.files import file_name, write_text_atomically
from base.own_tables import read_own_table
from base.plain_files import read_plain
from base.reasons import ReasonError
from vault.errors import MarketError
from vault.fingerprints import NO_MARKS, Marks, nanoseconds

HOLDOUT_SHARE = 0.2
EMBARGO_SHARE = 0.01
EMBARGO_ROWS_AT_MOST = 500
MINIMUM_ROWS = 50
"""Fewer rows than this are not split: 10 holdout bars prove nothing as it is."""

_SAME_SHARE = 0.95
ENOUGH_TO_COMPARE = 20
"""Closes in common before prices under another name may be called the same."""


class Advance(BaseModel):
    """One move of a boundary forward: what was holdout before it became development.

    Attributes:
        time: when it was moved, ISO, UTC.
        before: ISO time at which the holdout began until then, UTC.
        after: ISO time at which it begins from then on, UTC.
        openings: how many had read the old holdout by then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str
    before: str
    after: str
    openings: int


class Split(BaseModel):
    """One cut.

    Attributes:
        family: identity of the cut, and so of everything that stands under it: what is counted is counted by
            family. The content hash of the development part registered first.
        symbol: instrument, as registered first.
        timeframe: length of a bar, as registered first.
        development_end: rows before this time (UTC ns) may be developed on; then comes the embargo.
        boundary: first time (UTC ns) of the holdout.
        first: earliest time registered under this cut (UTC ns).
        last: latest time registered under this cut (UTC ns).
        advances: when and how far its boundary was moved, in order.
    """

    model_config = ConfigDict(extra="forbid")

    family: str
    symbol: str
    timeframe: str
    development_end: int
    boundary: int
    first: int
    last: int
    advances: list[Advance] = []


_SPLITS = TypeAdapter(list[Split])


@contextmanager
def locked_splits(folder: Path) -> Iterator[list[Split]]:
    """All cuts of a folder, held against other processes and written back when the block ends well.

    Raises:
        MarketError: `damaged_splits`: the file is not what this program wrote.
        OSError: the folder cannot be written.
    """
    private.make_folder(folder)
    with locks.lock(folder / "splits.lock"):
        splits = read_splits(folder)
        before = _as_text(splits)
        yield splits
        if _as_text(splits) != before:
            write_splits(folder, splits)


def read_splits(folder: Path) -> list[Split]:
    """All cuts of a folder; none where nothing is registered yet.

    Raises:
        MarketError: `damaged_splits`.
    """
    path = folder / "splits.json"
    if not path.exists():
        return []
    try:
        return _SPLITS.validate_json(read_plain(path))
    except ValidationError as reason:
        raise MarketError("damaged_splits", path=str(path), problems=reason.error_count()) from reason
    except OSError as reason:  # a folder in its place
        raise MarketError("damaged_splits", path=str(path), problems=1) from reason


def write_splits(folder: Path, splits: list[Split]) -> None:
    """Write them all.

    Raises:
        OSError: the folder cannot be written.
    """
    write_text_atomically(folder / "splits.json", _as_text(splits))


def _as_text(splits: list[Split]) -> str:
    return json.dumps([split.model_dump() for split in splits], indent=1) + "\n"


def marks_path(folder: Path, family: str) -> Path:
    """Where the marks of everything registered under a cut are kept."""
    return folder / f"{family}.marks.npz"


def find_split(
    splits: list[Split], frame: pd.DataFrame, *, symbol: str, timeframe: str, folder: Path
) -> Split | None:
    """The cut under which these prices already stand, or None.

    Prices are the same when 95 % of the closes on common closing times agree (`vault.fingerprints`), before
    the boundary or behind it: a vendor's correction of a bar makes no new dataset, and neither does another
    symbol, another timeframe or another unit. Under the same symbol and timeframe, where there is nothing
    common to compare, overlap in time is enough: the doubt goes to the holdout. Of several cuts the earliest
    counts.

    Raises:
        MarketError: `damaged_splits`: marks that cannot be read.
    """
    fresh = Marks.of(frame)
    times = nanoseconds(frame.index)
    matching = [
        split
        for split in splits
        if times[0] <= split.last
        and times[-1] >= split.first
        and _same_prices(
            split,
            fresh,
            named_alike=(split.symbol.upper(), split.timeframe) == (symbol.upper(), timeframe),
            folder=folder,
        )
    ]
    return min(matching, key=lambda split: split.boundary, default=None)


def read_marks(folder: Path, family: str) -> Marks | None:
    """Marks of what was registered under a cut; a damaged file is put aside, and made anew from the prices.

    None where there are none, and no prices to make them from.

    Raises:
        OSError: the folder cannot be written.
    """
    path = marks_path(folder, family)
    if path.exists():
        try:
            return Marks.read(path)
        except NO_MARKS:
            set_aside(path)
    found = _marks_again(folder, family)
    if found is not None:
        found.write(path)
    return found


def _marks_again(folder: Path, family: str) -> Marks | None:
    """Marks of all prices registered under a cut that can be read."""
    found: Marks | None = None
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(read_plain(path))
            if not isinstance(told, dict) or told.get("family") != family:
                continue
            names = [told["development_hash"], told["holdout_hash"]]
        except (OSError, ValueError, KeyError):
            continue
        paths = [folder / f"{file_name(str(name))}.parquet" for name in names]
        parts = [part for path in paths if (part := _closes(path)) is not None]
        if parts:
            marks = Marks.of(pd.concat(parts))
            found = marks if found is None else found.joined(marks)
    return found


def _closes(path: Path) -> pd.DataFrame | None:
    """The closes of registered rows; None where they cannot be read."""
    try:
        return read_own_table(path, ["close"])
    except (OSError, ReasonError):
        return None


def _same_prices(split: Split, fresh: Marks, *, named_alike: bool, folder: Path) -> bool:
    known = read_marks(folder, split.family)
    parts = ((0, 0), (0, 0)) if known is None else fresh.agreement(known, split.development_end)
    # Under another name a few equal closes may be chance.
    least = 1 if named_alike else ENOUGH_TO_COMPARE
    if any(bars >= least and agreeing >= _SAME_SHARE * bars for bars, agreeing in parts):
        return True
    return named_alike and parts[0][0] == 0 and parts[1][0] == 0


def embargo_rows(rows: int) -> int:
    """Rows between development and holdout of so many rows: 1 %, 1 to 500."""
    return min(max(math.ceil(rows * EMBARGO_SHARE), 1), EMBARGO_ROWS_AT_MOST)


def usual_cut(rows: int) -> tuple[int, int]:
    """How many of so many rows are development, and the position at which the holdout begins.

    Raises:
        MarketError: `too_few_rows`.
    """
    if rows < MINIMUM_ROWS:
        raise MarketError("too_few_rows", rows=rows, minimum=MINIMUM_ROWS)
    start = rows - math.floor(rows * HOLDOUT_SHARE)
    return start - embargo_rows(rows), start


def new_split(
    frame: pd.DataFrame, *, symbol: str, timeframe: str, identify: Callable[[pd.DataFrame], str]
) -> Split:
    """Cut prices for the first time: last 20 % of rows holdout, 1 % (1 to 500 rows) before them embargo.

    Args:
        frame: canonical prices.
        symbol: instrument.
        timeframe: length of a bar.
        identify: content hash of rows.

    Raises:
        MarketError: `too_few_rows`.
    """
    end, start = usual_cut(len(frame))
    times = nanoseconds(frame.index)
    return Split(
        family=identify(frame.iloc[:end]),
        symbol=symbol,
        timeframe=timeframe,
        development_end=int(times[end]),
        boundary=int(times[start]),
        first=int(times[0]),
        last=int(times[-1]),
    )
