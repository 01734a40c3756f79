"""Where a dataset is cut into development and holdout: decided once, moved by a person's own word alone.

The cut belongs to a market, not to a file or a name: the same prices registered again, with more rows or
fewer, under another symbol or as longer bars, meet the same boundary, and so do other prices whose returns
are those of the same market (`vault.kinship`): another ticker of the index, another vendor, a quote turned
round. Times are kept as UTC nanoseconds, so zones and resolutions cannot blur them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from base import private, shared
from base.aside import set_aside
from base.files import file_name, write_text_atomically
from base.own_tables import read_own_table
from base.plain_files import read_plain
from base.reasons import ReasonError
from vault.errors import MarketError
from vault.fingerprints import NO_MARKS, Agreement, Marks, nanoseconds
from vault.kinship import Course, correlation

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


class Alike(BaseModel):
    """Other prices of the same market.

    Attributes:
        family: of the cut under which they stand.
        symbol: instrument, as registered.
        timeframe: length of a bar, as registered.
        correlation: of their returns with those of the cut.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    symbol: str
    timeframe: str
    correlation: float


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
        alike: prices of the same market that are not the same prices: under this cut, or under another one
            that was made before anybody compared them.
        compared: whether it has been compared with the other cuts.
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
    alike: list[Alike] = []
    compared: bool = False

    @property
    def families(self) -> frozenset[str]:
        """Families whose openings saw this holdout: its own, and other cuts of the same market."""
        return frozenset({self.family, *(one.family for one in self.alike)})


class Cut(NamedTuple):
    """Where prices are to be cut, as `Split` has it (UTC ns).

    Attributes:
        development_end: rows before this time may be developed on.
        boundary: first time of the holdout.
    """

    development_end: int
    boundary: int


class Names(TypedDict):
    """Under which names prices are registered."""

    symbol: str
    timeframe: str


_SPLITS = TypeAdapter(list[Split])


@contextmanager
def locked_splits(folder: Path) -> Iterator[list[Split]]:
    """All cuts of a folder, held against other processes and written back when the block ends well.

    Raises:
        MarketError: `damaged_splits`: the file is not what this program wrote.
        OSError: the folder cannot be written.
    """
    private.make_folder(folder)
    with shared.lock(folder.parent, f"{folder.name}/splits.lock"):
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


class Found(NamedTuple):
    """The cut of some prices.

    Attributes:
        split: the cut.
        same: its prices are the same ones, and not only of the same market.
    """

    split: Split
    same: bool


def find_split(
    splits: list[Split], frame: pd.DataFrame, *, symbol: str, timeframe: str, folder: Path
) -> Found | None:
    """The cut under which these prices stand, or None.

    First that of the same prices: 95 % of the closes on common closing times agree (`vault.fingerprints`),
    before the boundary or behind it: a vendor's correction of a bar makes no new dataset, and neither does
    another symbol, another timeframe or another unit. Under the same symbol and timeframe, where there is
    nothing common to compare, overlap in time is enough: the doubt goes to the holdout. Else that of the same
    market, whose returns correlate (`alike`). Of several cuts the earliest counts.

    Raises:
        MarketError: `damaged_splits`: marks that cannot be read.
    """
    fresh = Marks.of(frame)
    matching = [
        split
        for split in _overlapping(splits, frame)
        if _same_prices(
            split,
            fresh,
            named_alike=(split.symbol.upper(), split.timeframe) == (symbol.upper(), timeframe),
            folder=folder,
        )
    ]
    same = bool(matching)
    matching = matching or [split for split, _ in alike(splits, frame, folder)]
    if not matching:
        return None
    return Found(min(matching, key=lambda split: split.boundary), same)


def alike(splits: list[Split], frame: pd.DataFrame, folder: Path) -> list[tuple[Split, float]]:
    """Cuts of the same market by the correlation of returns over the same time, and that correlation."""
    near = _overlapping(splits, frame)
    if not near:
        return []
    course, known, found = Course.of(frame), _registered(folder), []
    for split in near:
        rows = max(known.get(split.family, []), default=None)
        prices = None if rows is None else _prices(folder, rows)
        if prices is not None and (value := correlation(course, Course.of(prices))) is not None:
            found.append((split, value))
    return found


def note_alike(splits: list[Split], found: Found, frame: pd.DataFrame, names: Names, folder: Path) -> None:
    """Write down, once for each cut and each new file of its market, which others are of that market.

    Args:
        splits: all cuts.
        found: under which these prices stand.
        frame: the prices, before they are stored.
        names: their symbol and timeframe.
        folder: of the datasets.
    """
    split = found.split
    if found.same and split.compared:
        return
    for other, value in alike(splits, frame, folder):
        if other is not split:
            _add(split, Alike(family=other.family, **_names(other), correlation=round(value, 4)))
            _add(other, Alike(family=split.family, **_names(split), correlation=round(value, 4)))
        elif not found.same:
            _add(split, Alike(family=split.family, **names, correlation=round(value, 4)))
    split.compared = True


def _names(split: Split) -> Names:
    return {"symbol": split.symbol, "timeframe": split.timeframe}


def _add(split: Split, other: Alike) -> None:
    same = (other.family, other.symbol, other.timeframe)
    if same not in {(one.family, one.symbol, one.timeframe) for one in split.alike}:
        split.alike.append(other)


def _overlapping(splits: list[Split], frame: pd.DataFrame) -> list[Split]:
    times = nanoseconds(frame.index)
    return [split for split in splits if times[0] <= split.last and times[-1] >= split.first]


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
    for rows in _registered(folder).get(family, []):
        if (prices := _prices(folder, rows)) is not None:
            marks = Marks.of(prices)
            found = marks if found is None else found.joined(marks)
    return found


Rows = tuple[int, str, str]
"""How many rows a dataset has, and the hashes of its two parts."""


def _registered(folder: Path) -> dict[str, list[Rows]]:
    """Everything registered, by family, in the order of the names of its files."""
    found: dict[str, list[Rows]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(read_plain(path))
            if isinstance(told, dict):
                count = sum(int(told[f"{part}_rows"]) for part in ("development", "embargo", "holdout"))
                parts = (str(told["development_hash"]), str(told["holdout_hash"]))
                found.setdefault(str(told["family"]), []).append((count, *parts))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _prices(folder: Path, rows: Rows) -> pd.DataFrame | None:
    """The closes of a dataset; None where they cannot be read."""
    paths = [folder / f"{file_name(name)}.parquet" for name in rows[1:]]
    parts = [part for path in paths if (part := _closes(path)) is not None]
    return pd.concat(parts) if parts else None


def _closes(path: Path) -> pd.DataFrame | None:
    """The closes of registered rows; None where they cannot be read."""
    try:
        return read_own_table(path, ["close"])
    except (OSError, ReasonError):
        return None


def _agrees(parts: Agreement, least: int) -> bool:
    return any(bars >= least and agreeing >= _SAME_SHARE * bars for bars, agreeing in parts)


def _same_prices(split: Split, fresh: Marks, *, named_alike: bool, folder: Path) -> bool:
    known = read_marks(folder, split.family)
    parts = ((0, 0), (0, 0)) if known is None else fresh.agreement(known, split.development_end)
    # Under another name a few equal closes may be chance.
    if _agrees(parts, 1 if named_alike else ENOUGH_TO_COMPARE):
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
    frame: pd.DataFrame,
    *,
    symbol: str,
    timeframe: str,
    identify: Callable[[pd.DataFrame], str],
    cut: Cut | None = None,
) -> Split:
    """Cut prices for the first time: last 20 % of rows holdout, 1 % (1 to 500 rows) before them embargo.

    Args:
        frame: canonical prices.
        symbol: instrument.
        timeframe: length of a bar.
        identify: content hash of rows.
        cut: where to cut them instead: at the moment of a pool.

    Raises:
        MarketError: `too_few_rows`.
    """
    end, start = usual_cut(len(frame))
    times = nanoseconds(frame.index)
    if cut is None:
        cut = Cut(int(times[end]), int(times[start]))
    else:
        end = int(np.searchsorted(times, cut.development_end))
    return Split(
        family=identify(frame.iloc[:end]),
        symbol=symbol,
        timeframe=timeframe,
        development_end=cut.development_end,
        boundary=cut.boundary,
        first=int(times[0]),
        last=int(times[-1]),
        compared=True,
    )
