"""Marks of prices: enough to recognise the same prices again, whatever name they come under.

A mark is a hash of a bar's closing time with its close, or with the change of its close: nothing can be read
back from it, so marks may cover the holdout too. Closing times, not opening ones: the last half-hour bar of
four hours then has the mark of the four-hour bar.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from base.files import write_atomically
from base.plain_files import require_plain

Times = NDArray[np.int64]
Agreement = tuple[tuple[int, int], tuple[int, int]]
"""Bars in common and bars that agree, up to a time and behind it."""

NO_MARKS = (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error)
"""What reading a damaged file of marks raises."""

LARGEST = 512 * 1024**2
"""Bytes of marks that a file may become: those of twenty million bars."""

# Prices that differ by less are the same: vendors round.
_LEVEL_STEP = 1e-5
_CHANGE_STEP = 1e-5


def nanoseconds(index: pd.Index) -> Times:
    """A DatetimeIndex as UTC nanoseconds; times without a zone are taken as UTC."""
    return np.asarray(pd.DatetimeIndex(index).as_unit("ns").asi8, dtype=np.int64)


def _mixed(times: Times, values: Times) -> NDArray[np.uint64]:
    """A 64-bit hash of two columns: the finaliser of SplitMix64 (Steele, Lea & Flood 2014) over both."""
    with np.errstate(over="ignore"):
        found = times.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + values.view(np.uint64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
        mixed: NDArray[np.uint64] = found ^ (found >> np.uint64(31))
    return mixed


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Marks of n bars, sorted by closing time.

    Attributes:
        closing: closing times, UTC nanoseconds.
        levels: hashes of time and close.
        changes: hashes of time and change of the close since the bar before; 0 where there is none.
    """

    closing: Times
    levels: NDArray[np.uint64]
    changes: NDArray[np.uint64]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Marks:
        """Marks of canonical prices."""
        times = nanoseconds(frame.index)
        closing = times + bar_length(times)
        logs = np.log(frame["close"].to_numpy(dtype=np.float64))
        moved = np.rint(np.diff(logs, prepend=logs[:1]) / _CHANGE_STEP).astype(np.int64)
        changes = _mixed(closing, moved)
        changes[moved == 0] = 0
        return cls(
            closing=closing,
            levels=_mixed(closing, np.rint(logs / _LEVEL_STEP).astype(np.int64)),
            changes=changes,
        )

    @classmethod
    def read(cls, path: Path) -> Marks | None:
        """Marks as written by `write`, None where there are none.

        Raises:
            One of `NO_MARKS`: the file is not what `write` wrote.
        """
        if not path.exists():
            return None
        require_plain(path)
        with ZipFile(path) as archive:  # a small file may swell
            if sum(part.file_size for part in archive.infolist()) > LARGEST:
                raise ValueError("too large")
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("not an archive")
        with stored:
            return cls(closing=stored["closing"], levels=stored["levels"], changes=stored["changes"])

    def write(self, path: Path) -> None:
        """Write to an `.npz` file.

        Raises:
            OSError: the file cannot be written.
        """

        def save(stream: Any) -> None:
            np.savez_compressed(stream, closing=self.closing, levels=self.levels, changes=self.changes)

        write_atomically(path, save)

    def joined(self, other: Marks) -> Marks:
        """These marks, and those bars of `other` that are not here as they are there.

        A time may have several: of files of one market whose closes differ. None are added beyond `LARGEST`.
        """
        fresh = ~(np.isin(other.closing, self.closing) & np.isin(other.levels, self.levels))
        if 24 * (self.closing.size + int(fresh.sum())) > LARGEST:
            return self
        closing = np.concatenate([self.closing, other.closing[fresh]])
        order = np.argsort(closing, kind="stable")
        return Marks(
            closing=closing[order],
            levels=np.concatenate([self.levels, other.levels[fresh]])[order],
            changes=np.concatenate([self.changes, other.changes[fresh]])[order],
        )

    def agreement(self, other: Marks, before: int) -> Agreement:
        """(bars in common, bars that agree) up to the closing time `before`, and the same behind it.

        Bars agree by level or by change, whichever agrees more often: prices adjusted for splits, or quoted
        in another unit, move alike. A mark holds its time: `other` may have several a bar.
        """
        common = np.isin(self.closing, other.closing)
        closing = self.closing[common]
        level = np.isin(self.levels[common], other.levels)
        moving = np.isin(closing, other.closing[other.changes != 0])
        known = (self.changes[common] != 0) & moving
        change = known & np.isin(self.changes[common], other.changes)
        found = []
        for part in (closing <= before, closing > before):
            bars, moved = int(part.sum()), int((known & part).sum())
            # Few of the common bars move: they then tell nothing about changes.
            by_change = round((change & part).sum() / moved * bars) if 2 * moved > bars else 0
            found.append((bars, max(int((level & part).sum()), by_change)))
        return found[0], found[1]


def bar_length(times: Times) -> int:
    """The usual distance between bars in nanoseconds; 0 for a single one."""
    return int(np.median(np.diff(times))) if times.size > 1 else 0
