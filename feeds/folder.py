"""A data folder that other programs fill, opened once and read as of any hour.

Listings and parsed files are kept as long as the disk says that they have not changed, so that a back-run
over years reads each file once, while a process that runs for months still sees what is written today.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from base.plain_files import read_plain_text
from base.reasons import ReasonError, because, plain
from feeds.partitions import Partition, Problem, partition_start
from vault.errors import MarketError
from vault.readers.arrow_files import read_arrow

Parsed = TypeVar("Parsed")

_SETTLED_NS = 2_000_000_000
"""A change within the clock's own resolution cannot be told by a time stamp: what is younger is not kept."""

_Stamp = tuple[tuple[int, int, int], ...]


class DataFolder:
    """The partitions below one folder. Threads may share it.

    Args:
        root: the folder that holds `forecast/`, `macro/`, `news/`, `quality/`.
        daily_delay: how long after the start of its day a partition (or row) that names only a day is taken
            as known. None in daily use: what lies there is known. A back-run over partitions of a day that
            were written at its end must give 24 hours, or each morning sees its evening.
    """

    def __init__(self, root: Path, *, daily_delay: timedelta = timedelta()) -> None:
        self.root = root
        self.daily_delay = daily_delay
        self.lock = RLock()
        self._listings: dict[Path, tuple[tuple[int, int], list[Partition], list[datetime]]] = {}
        self._files: dict[Path, tuple[tuple[int, int], tuple[Path, ...]]] = {}
        self._parsed: dict[str, OrderedDict[tuple[Path, ...], tuple[_Stamp, Any]]] = {}

    def partitions(self, below: str, as_of: datetime) -> Iterator[Partition]:
        """Partitions of a subfolder that were known at an hour, newest first.

        Time orders them, not spelling: `dt=20181231` is newer than `dt=2018-12-30`, and an hourly one newer
        than its day's.

        Raises:
            MarketError: `unreadable_file`: the folder may not be read.
        """
        found, starts = self._partitions(self.root / below)
        for place in range(bisect_right(starts, as_of) - 1, -1, -1):
            partition = found[place]
            if partition.hourly or partition.start + self.daily_delay <= as_of:
                yield partition

    def files(self, folder: Path) -> tuple[Path, ...]:
        """What a folder holds, sorted by name; empty when there is none.

        Raises:
            MarketError: `unreadable_file`: the folder may not be read.
        """
        if (key := self._key(folder)) is None:
            return ()
        if (known := self._files.get(folder)) is not None and known[0] == key:
            return known[1]
        files = tuple(sorted(self._entries(folder), key=lambda path: path.name))
        if _settled(key[0]):
            self._files[folder] = (key, files)
        return files

    def parsed(
        self, kind: str, paths: tuple[Path, ...], parse: Callable[[], Parsed], *, keep: int | None = None
    ) -> Parsed:
        """What `parse` makes of files, from memory while none of them has changed.

        Args:
            kind: shelf where it is kept.
            paths: the files it is made of; a missing one counts as such.
            parse: reads them; its result must not depend on the hour asked for.
            keep: most results kept on this shelf, the latest used; all when None (see `forget_others`).
        """
        stamp = tuple(_stamp(path) for path in paths)
        shelf = self._parsed.setdefault(kind, OrderedDict())
        if (known := shelf.get(paths)) is not None and known[0] == stamp:
            shelf.move_to_end(paths)
            found: Parsed = known[1]
            return found
        found = parse()
        if all(_settled(changed) for changed, _, _ in stamp):
            shelf[paths] = (stamp, found)
            shelf.move_to_end(paths)
            while keep is not None and len(shelf) > keep:
                shelf.popitem(last=False)
        return found

    def forget_others(self, kind: str, used: Collection[tuple[Path, ...]]) -> None:
        """Drop from a shelf what was not used, so that memory stays flat over years."""
        shelf = self._parsed.get(kind)
        if shelf is not None and len(shelf) > len(used):
            for paths in [paths for paths in shelf if paths not in used]:
                del shelf[paths]

    def forget_files(self, used: Collection[Path]) -> None:
        """Drop the listings of folders that were not used."""
        if len(self._files) > len(used):
            for folder in [folder for folder in self._files if folder not in used]:
                del self._files[folder]

    def relative(self, path: Path) -> str:
        """The path below the data folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def rows(self, path: Path, problems: list[Problem], needs: Collection[str] = ()) -> list[dict[str, Any]]:
        """Rows of a Parquet file; what cannot be used is noted, it must not stop the others.

        Args:
            path: the file; an index that pandas wrote is a column like any other.
            problems: receives `unreadable_file`, `empty_file` or `missing_column`.
            needs: columns without which no row means anything.

        Returns:
            Rows as dictionaries in plain Python, None for missing cells and NaN; empty with a problem noted.
        """
        file = self.relative(path)
        try:
            table = read_arrow(path, called=Path(file))
        except (OSError, ValueError, MarketError, ReasonError) as reason:
            problems.append(Problem(code="unreadable_file", file=file, reason=plain(because(reason))))
            return []
        if missing := [name for name in needs if name not in table.column_names]:
            problems.append(Problem(code="missing_column", file=file, reason=", ".join(missing)))
            return []
        if table.num_rows == 0:
            problems.append(Problem(code="empty_file", file=file, reason="0"))
        rows: list[dict[str, Any]] = table.to_pylist()
        return [{name: None if value != value else value for name, value in row.items()} for row in rows]

    def json_object(self, path: Path, problems: list[Problem]) -> dict[str, Any]:
        """A JSON object from an optional file: empty when there is none, or with a problem noted."""
        try:
            content = json.loads(read_plain_text(path, "utf-8-sig"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as reason:
            told = (str(reason).replace(str(self.root), "") or type(reason).__name__)[:160]
            problems.append(Problem(code="unreadable_file", file=self.relative(path), reason=told))
            return {}
        if not isinstance(content, dict):
            problems.append(
                Problem(
                    code="unreadable_file", file=self.relative(path), reason=plain(ReasonError("no_object"))
                )
            )
            return {}
        return content

    def _partitions(self, folder: Path) -> tuple[list[Partition], list[datetime]]:
        if (key := self._key(folder)) is None:
            return [], []
        if (known := self._listings.get(folder)) is not None and known[0] == key:
            return known[1], known[2]
        found = sorted(
            (
                Partition(path=path, start=parsed[0], hourly=parsed[1])
                for path in self._entries(folder)
                if (parsed := partition_start(path.name)) is not None and path.is_dir()
            ),
            key=lambda part: (part.start, part.hourly, part.path.name),
        )
        starts = [part.start for part in found]
        if _settled(key[0]):
            self._listings[folder] = (key, found, starts)
        return found, starts

    def _key(self, folder: Path) -> tuple[int, int] | None:
        try:
            status = folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_mtime_ns, status.st_ino

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as reason:
            raise MarketError("unreadable_file", path=str(folder), reason=because(reason)) from None


@lru_cache(maxsize=8)
def open_folder(root: Path, daily_delay: timedelta = timedelta()) -> DataFolder:
    """The data folder of this process for a path, so that runs of one process share what they have read.

    Args:
        root: absolute path.
        daily_delay: as in `DataFolder`.
    """
    return DataFolder(root, daily_delay=daily_delay)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _settled(changed_ns: int) -> bool:
    return time.time_ns() - changed_ns > _SETTLED_NS
