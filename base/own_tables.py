"""Tables that ThreadX keeps in a data folder, read as what they are: files that somebody may have sent.

A hash in the file's name is of its content, and whoever sends a file sends a name that fits. So a file is
read in a child first (`base.bounded`), which may crash on it; only what this process has written, or has seen
a child read whole, is read here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from base import bounded
from base.bounded import Limits
from base.plain_files import require_plain
from base.reasons import ReasonError, because

CHILD = "base.arrow_child"

LARGEST = 1024**3
"""Bytes that a table becomes."""

_SMALLEST_MEMORY = 512 * 1024**2
_TIMES = 4
"""A table stands in the child's memory, and beside it the stream that is made of it."""

_vouched: dict[Path, tuple[int, int, int]] = {}


def vouch(path: Path) -> None:
    """Say that this process has written the file."""
    _vouched[path] = _stamp(path)


def holds(path: Path, table: pd.DataFrame) -> bool:
    """Whether the file is, to the byte, what would be written of the table; it is not parsed."""
    written = io.BytesIO()
    table.to_parquet(written)
    told = written.getvalue()
    same = path.is_file() and path.stat().st_size == len(told) and path.read_bytes() == told
    if same:
        vouch(path)
    return same


def read_own_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The table in a Parquet file of a data folder.

    Args:
        path: of the file.
        columns: those wanted; None for all.

    Raises:
        ReasonError: it cannot be read, or not within bounds.
        OSError: there is no such file, or no child can be started.
    """
    stamp = _stamp(path)
    try:
        if _vouched.get(path) == stamp:
            return pd.read_parquet(path, columns=None if columns is None else [*columns])
        table: pd.DataFrame = _in_a_child(path).to_pandas()
        _vouched[path] = stamp
        return table if columns is None else table[[*columns]]
    except (ValueError, KeyError, pa.ArrowException) as error:
        raise because(error) from error


def _in_a_child(path: Path) -> pa.Table:
    where = {"path": str(path)}
    limits = Limits(seconds=60.0, memory=_SMALLEST_MEMORY)
    becomes: int = json.loads(bounded.run(CHILD, "shape", where, limits=limits))["bytes"]
    if becomes > LARGEST:
        raise ReasonError("larger_than", limit=LARGEST // 1024**2)
    limits = Limits(seconds=60.0 + becomes / 10_000_000, memory=_SMALLEST_MEMORY + _TIMES * becomes)
    with pa.ipc.open_stream(bounded.run(CHILD, "parquet", where, limits=limits)) as reader:
        return reader.read_all()


def _stamp(path: Path) -> tuple[int, int, int]:
    require_plain(path)
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
