"""Registered price data: a development part that everybody may read and a holdout that is opened once.

Under `<home>/datasets/`: `<hash>.parquet` (content-addressed rows), `<development hash>.json` (the Dataset),
`splits.json` and `<family>.marks.npz` (`vault.splits`), `holdout_openings.jsonl` (`vault.openings`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from backtest.data.gaps import MADE_UP
from backtest.data.prices import FUNDING
from base.aside import set_aside
from base.files import file_name, write_atomically, write_text_atomically
from base.own_tables import holds, read_own_table, vouch
from base.plain_files import read_plain
from base.reasons import ReasonError
from vault.errors import MarketError
from vault.fingerprints import Marks, bar_length, nanoseconds
from vault.openings import Openings, add_opening, in_utc, read_openings
from vault.readers.options import Notice
from vault.readers.prices import infer_timeframe
from vault.splits import (
    Advance,
    Cut,
    Names,
    Split,
    find_split,
    locked_splits,
    marks_path,
    new_split,
    note_alike,
    read_marks,
    read_splits,
)

COLUMNS = ("open", "high", "low", "close", "volume")
"""What every dataset stores; and `MADE_UP` where bars were made up, and the series of other tables."""

DATASET_PREFIX = "dataset:"
"""Before the hash of a development part it names registered prices, where a file could stand too."""

_HASH = "[0-9a-f]{16}"

__all__ = [
    "DATASET_PREFIX",
    "Dataset",
    "content_hash",
    "find_dataset",
    "infer_timeframe",
    "load_development",
    "open_holdout",
    "openings",
    "register",
    "restore",
]


Hash = Annotated[str, Field(pattern=f"^{_HASH}$")]
"""Of content; files are named by it, so that nothing else may stand there."""


class Dataset(BaseModel):
    """Prices of one instrument, split by time. Plain JSON: this is what a graph's state carries.

    Attributes:
        family: identity of the split, shared by all files that stand under it.
        symbol: instrument.
        timeframe: length of a bar (`1d`, `30m`).
        development_hash: content of the development rows; the dataset's identity before the judgement.
        holdout_hash: content of the vault: embargo rows, then holdout rows; empty without holdout rows.
        development_rows: rows that may be developed on.
        embargo_rows: rows between them and the holdout, used by nobody but as warm-up of the judgement.
        holdout_rows: rows of the holdout; 0 when this file ends before the boundary.
        boundary: ISO time at which the holdout begins.
        first: ISO time of the first development row.
        development_last: ISO time of the last development row.
        last: ISO time of the last row of all.
        zone: time zone of the times, empty when they have none; the stored file may have another one.
        advances: when and how far the boundary was moved before these prices were registered.
        notices: what the reader of these prices assumed, left out or mended.
        instruments: of a pool (`vault.pools`) its instruments, all with this boundary; rows and times are
            then those of their common clock. Empty for the prices of one instrument.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Hash
    symbol: str
    timeframe: str
    development_hash: Hash
    holdout_hash: Hash | Literal[""]
    development_rows: int
    embargo_rows: int
    holdout_rows: int
    boundary: str
    first: str
    development_last: str
    last: str
    zone: str
    advances: tuple[Advance, ...] = ()
    notices: tuple[Notice, ...] = ()
    instruments: tuple[Dataset, ...] = ()

    @property
    def members(self) -> tuple[Dataset, ...]:
        """The prices that stand behind it, one instrument each: itself, or those of the pool."""
        return self.instruments or (self,)

    @property
    def held_back(self) -> str | None:
        """Time from which on bars are kept for the verdict; None where there is none."""
        return self.boundary if self.holdout_rows else None

    @property
    def also(self) -> tuple[str, ...]:
        """Families of a pool's instruments: what was tried on one of them counts for the pool."""
        return tuple(sorted(one.family for one in self.instruments))

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plain fields; of a boundary never moved, of nothing assumed and of no pool nothing is said."""
        found: dict[str, Any] = handler(self)
        for name in ("advances", "notices", "instruments"):
            if not getattr(self, name):
                del found[name]
        return found


def content_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of times (UTC ns, int64) and the columns (float64, row by row), 16 hex digits.

    The columns are the five of prices, the funding rates where there are any, and series of other tables,
    whose names are hashed too: the same prices with other rates or series are other data, under the same
    split. Marks of bars that were made up follow, one bit a bar, where there are any.
    """
    digest = hashlib.sha256(nanoseconds(frame.index).astype("<i8").tobytes())
    if further := _further(frame):
        digest.update(json.dumps(further).encode())
    values = np.ascontiguousarray(frame[_columns(frame)].to_numpy(dtype="<f8", na_value=np.nan))
    digest.update(np.where(np.isnan(values), np.nan, values).tobytes())  # one NaN, whatever its bits
    if MADE_UP in frame and (made_up := frame[MADE_UP].to_numpy(dtype=np.bool_)).any():
        digest.update(np.packbits(made_up).tobytes())
    return digest.hexdigest()[:16]


def register(
    frame: pd.DataFrame,
    *,
    symbol: str,
    timeframe: str,
    home: Path,
    notices: tuple[Notice, ...] = (),
    cut: Cut | None = None,
) -> Dataset:
    """Store prices and split them; the same prices always meet the same boundary, whatever their name.

    The first registration fixes the boundary (`vault.splits.new_split`). A later one that overlaps it in
    time with the same prices, or with prices of the same market (`vault.kinship`), keeps it: new rows after
    the boundary lengthen the holdout, and no row from the embargo on ever becomes development.

    Args:
        frame: canonical prices (`vault.readers.prices.read_prices`, `backtest.validate_prices`), n rows.
        symbol: instrument; case does not matter when cuts are compared.
        timeframe: length of a bar.
        home: the data folder.
        notices: what the reader of the prices assumed, kept for whoever takes them up later.
        cut: of a pool: prices without a cut get this one, and of others no row behind its development end is
            developed on, none before its boundary is holdout.

    Raises:
        MarketError: `too_few_rows`, `no_development_rows`, `damaged_dataset`, `damaged_splits`.
        OSError: the data folder cannot be written.
    """
    if len(frame) == 0:
        raise MarketError("too_few_rows", rows=0, minimum=1)
    folder = _folder(home)
    times = nanoseconds(frame.index)
    with locked_splits(folder) as splits:
        names: Names = {"symbol": symbol, "timeframe": timeframe}
        known = find_split(splits, frame, **names, folder=folder)
        split = known.split if known else new_split(frame, **names, identify=content_hash, cut=cut)
        if known:
            note_alike(splits, known, frame, names, folder)
        own = Cut(split.development_end, split.boundary)
        if cut is not None:
            own = Cut(min(own.development_end, cut.development_end), max(own.boundary, cut.boundary))
        development_rows = int(np.searchsorted(times, own.development_end))
        # Longer bars than those the cut was made on may begin before it and end behind the boundary.
        closed = int(np.searchsorted(times + bar_length(times), own.boundary, side="right"))
        development_rows = min(development_rows, closed)
        holdout_start = int(np.searchsorted(times, own.boundary))
        boundary = pd.Timestamp(own.boundary, tz="UTC")
        if development_rows == 0:
            raise MarketError("no_development_rows", symbol=symbol, boundary=boundary.isoformat())
        development, vault = frame.iloc[:development_rows], frame.iloc[development_rows:]
        dataset = Dataset(
            family=split.family,
            symbol=symbol,
            timeframe=timeframe,
            development_hash=content_hash(development),
            holdout_hash=content_hash(vault) if holdout_start < len(frame) else "",
            development_rows=development_rows,
            embargo_rows=holdout_start - development_rows,
            holdout_rows=len(frame) - holdout_start,
            boundary=_in_zone_of(boundary, frame).isoformat(),
            first=frame.index[0].isoformat(),
            development_last=development.index[-1].isoformat(),
            last=frame.index[-1].isoformat(),
            zone="" if (zone := pd.DatetimeIndex(frame.index).tz) is None else str(zone),
            advances=tuple(split.advances),
            notices=notices,
        )
        _store(folder, dataset.development_hash, development)
        if dataset.holdout_hash:
            _store(folder, dataset.holdout_hash, vault)
        write_text_atomically(
            folder / f"{dataset.development_hash}.json", dataset.model_dump_json(indent=1) + "\n"
        )
        if known is None:
            splits.append(split)
        split.first, split.last = min(split.first, int(times[0])), max(split.last, int(times[-1]))
        marks, stored = Marks.of(frame), read_marks(folder, split.family)
        (stored.joined(marks) if stored else marks).write(marks_path(folder, split.family))
    return dataset


def restore(prices: pd.DataFrame, dataset: Dataset, home: Path, *, holdout: bool) -> bool:
    """Store the rows of a dataset whose split is known, out of prices that may go on behind them.

    Args:
        prices: canonical prices.
        dataset: which rows; nothing is registered, no split is made.
        home: the data folder.
        holdout: store the vault as well.

    Returns:
        Whether the prices hold those very rows; nothing is stored where they do not.

    Raises:
        OSError: the data folder cannot be written.
    """
    rows = dataset.development_rows
    parts = {dataset.development_hash: prices.iloc[:rows]}
    if holdout and dataset.holdout_hash:
        parts[dataset.holdout_hash] = prices.iloc[rows : rows + dataset.embargo_rows + dataset.holdout_rows]
    if any(content_hash(part) != name for name, part in parts.items()):
        return False
    for name, part in parts.items():
        _store(_folder(home), name, part)
    return True


def load_development(dataset: Dataset, home: Path) -> pd.DataFrame:
    """The development rows, exactly as registered, of one instrument; `vault.pools` has those of several.

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`; `one_instrument_only` for a pool.
    """
    if dataset.instruments:
        raise MarketError("one_instrument_only", symbol=dataset.symbol)
    return _in_zone(_load(_folder(home), dataset.development_hash), dataset.zone)


def open_holdout(dataset: Dataset, home: Path, *, reader: str) -> tuple[pd.DataFrame, int, int]:
    """Open the vault: the ONLY function that shows holdout rows. Each opening is written down first.

    Args:
        dataset: whose.
        home: the data folder.
        reader: who looks (a run, a command and its strategy): the same one looking again learns nothing new.

    Returns:
        (prices, start, number): all rows in order, development and embargo as warm-up, then the holdout,
        whose first row is at position `start`; and which opening this is, see `openings`.

    Raises:
        MarketError: `no_holdout`, `missing_dataset`, `damaged_dataset`.
        OSError: the log of openings cannot be written; the holdout is then not read.
    """
    if not dataset.holdout_hash:
        raise MarketError("no_holdout", symbol=dataset.symbol, boundary=dataset.boundary)
    folder = _folder(home)
    development = load_development(dataset, home)
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "family": dataset.family,
        "holdout_hash": dataset.holdout_hash,
        "development_hash": dataset.development_hash,
        "symbol": dataset.symbol,
        "timeframe": dataset.timeframe,
        "reader": reader,
        "seen_to": in_utc(dataset.last),
    }
    readers = add_opening(folder, line).readers(one_market(dataset.family, home), dataset.boundary)
    number = readers.index(reader) + 1 if reader in readers else len(readers) + 1
    return _whole(development, dataset, home), dataset.development_rows + dataset.embargo_rows, number


def undivided(dataset: Dataset, home: Path) -> pd.DataFrame:
    """Every row, for who divides them anew and shows none.

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`.
    """
    return _whole(load_development(dataset, home), dataset, home)


def _whole(prices: pd.DataFrame, dataset: Dataset, home: Path) -> pd.DataFrame:
    """The development rows with those of the vault behind them."""
    if dataset.holdout_hash:
        vault = _in_zone(_load(_folder(home), dataset.holdout_hash), dataset.zone)
        prices = pd.concat([prices, vault])
    if MADE_UP in prices:
        prices[MADE_UP] = prices[MADE_UP].eq(True)  # a part without such bars has no marks
    return prices


def openings(family: str, home: Path, since: str | None = None) -> int:
    """How many readers have looked into a family's holdout so far. The n-th sees n chances to be lucky.

    Args:
        family: of the dataset.
        home: the data folder.
        since: ISO time of today's boundary: who saw only rows before it, because it was moved, has seen
            nothing of today's holdout. None: everybody.
    """
    return len(opening_log(home).readers(one_market(family, home), since))


def families_of(dataset: Dataset, home: Path) -> frozenset[str]:
    """The families whose openings saw a row of this holdout; of a pool those of each of its instruments."""
    return frozenset({dataset.family}.union(*(one_market(one.family, home) for one in dataset.members)))


def readers_of(dataset: Dataset, home: Path) -> int:
    """How many readers have looked into this holdout, or into that of one instrument of the pool."""
    return len(opening_log(home).readers(families_of(dataset, home), dataset.boundary))


class Earlier(BaseModel):
    """Openings that count against whoever opens a holdout next, of one name of its market.

    Attributes:
        symbol: of the prices with which it was opened; empty where the log no longer says.
        timeframe: of them, likewise; lines of earlier versions have none.
        readers: how many looked.
        correlation: of their returns with those of this holdout; None where they are the same prices.
        like: the name that they correlate with; empty where they are the same prices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    timeframe: str
    readers: int
    correlation: float | None
    like: str


def earlier_openings(dataset: Dataset, home: Path) -> list[Earlier]:
    """Which earlier openings count and why, the first look first; their readers sum to `readers_of`.

    Raises:
        OSError: the folder cannot be written.
        MarketError: `damaged_splits`.
    """
    split = _split(dataset.family, home)
    looks = opening_log(home).looks(families_of(dataset, home), dataset.boundary)
    counted = Counter((one.family, one.symbol, one.timeframe) for one in looks)
    others = {(one.family, one.symbol): one for one in split.alike} if split else {}
    own = others.get((dataset.family, dataset.symbol))
    found = []
    for (family, symbol, timeframe), readers in counted.items():
        other, like = others.get((family, symbol)), split.symbol if split else ""
        if symbol == dataset.symbol or not family:
            other = None
        elif other is None and own is not None:  # these prices are those of the market that came later
            other, like = own, dataset.symbol
        found.append(
            Earlier(
                symbol=symbol,
                timeframe=timeframe,
                readers=readers,
                correlation=other.correlation if other else None,
                like=like if other else "",
            )
        )
    return found


def _split(family: str, home: Path) -> Split | None:
    return next((one for one in read_splits(_folder(home)) if one.family == family), None)


def one_market(family: str, home: Path) -> frozenset[str]:
    """The families whose openings saw this one's holdout."""
    split = _split(family, home)
    return split.families if split else frozenset({family})


def opening_log(home: Path) -> Openings:
    """The log of openings of a data folder.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = _folder(home)
    return read_openings(folder) if folder.is_dir() else Openings(lines=(), hashes=(), broken=0)


MOST_LOST = 100
"""Lines that are written down at most for openings that a run's record witnesses."""


def lost_openings(dataset: Dataset, home: Path, *, present: int, witnessed: int, source: str) -> None:
    """Write down openings that a run's record witnesses and the log no longer holds, a line a reader.

    Args:
        dataset: whose holdout was opened.
        home: the data folder.
        present: readers whom the log names.
        witnessed: readers whom it named once.
        source: the run that found it.

    Raises:
        OSError: the folder cannot be written.
    """
    # A hundred openings leave no verdict to spend: more lines would only take hours.
    for number in range(present + 1, min(witnessed, present + MOST_LOST) + 1):
        add_opening(
            _folder(home),
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "family": dataset.family,
                "reader": f"lost {number} of {witnessed}, found by {source}",
            },
        )


def find_dataset(development_hash: str, home: Path) -> Dataset:
    """The registered dataset with this development part (the one registered last, where holdouts differ).

    Raises:
        MarketError: `missing_dataset`, `damaged_dataset`.
    """
    path = _folder(home) / f"{file_name(development_hash)}.json"
    if not re.fullmatch(_HASH, development_hash) or not path.exists():
        raise MarketError("missing_dataset", hash=development_hash, path=str(path))
    try:
        return Dataset.model_validate_json(read_plain(path))
    except (OSError, ValidationError) as reason:
        raise MarketError("damaged_dataset", hash=development_hash, path=str(path)) from reason


def _folder(home: Path) -> Path:
    return home / "datasets"


def _store(folder: Path, name: str, rows: pd.DataFrame) -> None:
    path = folder / f"{name}.parquet"
    made_up = [MADE_UP] if MADE_UP in rows and rows[MADE_UP].any() else []
    kept = rows[[*_columns(rows), *made_up]]
    if path.exists() and not (path.is_file() and (holds(path, kept) or _is_intact(path))):
        set_aside(path)  # the rows are at hand: they are written anew
    if not path.exists():
        write_atomically(path, kept.to_parquet)
        vouch(path)


def _is_intact(path: Path) -> bool:
    """Whether a file that another version wrote holds the rows that its name says."""
    try:
        return content_hash(read_own_table(path)) == path.stem
    except (OSError, KeyError, ValueError, ReasonError):
        return False


def _columns(frame: pd.DataFrame) -> list[str]:
    return [*COLUMNS, *([FUNDING] if FUNDING in frame else []), *_further(frame)]


def _further(frame: pd.DataFrame) -> list[str]:
    """Series of other tables, as `backtest.data.inputs.with_inputs` has joined them."""
    return sorted(str(name) for name in frame.columns if name not in (*COLUMNS, FUNDING, MADE_UP))


def _load(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise MarketError("missing_dataset", hash=name, path=str(path))
    try:
        rows = read_own_table(path)
        intact = content_hash(rows) == name
    except (OSError, ValueError, KeyError, ReasonError) as reason:
        raise MarketError("damaged_dataset", hash=name, path=str(path)) from reason
    if not intact:
        raise MarketError("damaged_dataset", hash=name, path=str(path))
    return rows


def _in_zone(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    """The rows with the zone they were registered with; the hash sees UTC only."""
    index = pd.DatetimeIndex(rows.index)
    if zone:
        index = (index.tz_localize("UTC") if index.tz is None else index).tz_convert(zone)
    elif index.tz is not None:
        index = index.tz_convert(None)
    return rows.set_axis(index)


def _in_zone_of(moment: pd.Timestamp, frame: pd.DataFrame) -> pd.Timestamp:
    zone = pd.DatetimeIndex(frame.index).tz
    return moment.tz_localize(None) if zone is None else moment.tz_convert(zone)
