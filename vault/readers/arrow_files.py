"""Parquet and Feather files of others: looked at before they are read, and read in a child that may crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from base import bounded
from base.bounded import Limits
from base.own_tables import CHILD
from base.plain_files import opened_plain, require_plain
from vault.errors import MarketError
from vault.readers.sizes import check_columns, check_size

SUFFIXES = (".parquet", ".feather")

_FEATHER_1 = b"FEA1"
_SMALLEST_MEMORY = 512 * 1024**2
_TIMES = 4
"""A table stands in the child's memory, and beside it the stream that is made of it."""


def read_arrow(
    path: Path, content: bytes | None = None, suffix: str = "", *, called: Path | None = None
) -> pa.Table:
    """The table in a Parquet or Feather file.

    Args:
        path: of the file, or of the archive that it came out of.
        content: the bytes that came out of the archive.
        suffix: of the name in the archive.
        called: what a refusal calls the file, if not its path.

    Raises:
        MarketError: `old_feather`; `swells`, `too_many_columns`: refused before it is read.
        ReasonError: it cannot be read, or not within bounds (see `base.bounded.run`).
        OSError: the file cannot be read.
    """
    require_plain(path)
    size, called = path.stat().st_size, called or path
    parts = () if content is None else (content,)
    where = {} if content is not None else {"path": str(path)}
    if (suffix or path.suffix.lower()) == ".feather":
        _refuse_old(path, content, called)
        return _read("feather", where, parts, check_size(called, size, size))
    limits = Limits(seconds=60.0, memory=_SMALLEST_MEMORY)
    told: dict[str, int] = json.loads(bounded.run(CHILD, "shape", where, *parts, limits=limits))
    check_columns(called, told["columns"])
    check_size(called, size, told["bytes"])
    return _read("parquet", where, parts, told["bytes"])


def _refuse_old(path: Path, content: bytes | None, called: Path) -> None:
    """Refuse the first version of Feather, whose reader trusts every address in a file.

    Raises:
        MarketError: `old_feather`.
    """
    if content is None:
        with opened_plain(path) as stream:
            head = stream.read(len(_FEATHER_1))
    else:
        head = content[: len(_FEATHER_1)]
    if head == _FEATHER_1:
        raise MarketError("old_feather", path=str(called))


def _read(function: str, where: dict[str, Any], parts: tuple[bytes, ...], becomes: int) -> pa.Table:
    limits = Limits(
        seconds=60.0 + becomes / 10_000_000,
        memory=_SMALLEST_MEMORY + _TIMES * becomes,
    )
    stream = bounded.run(CHILD, function, where, *parts, limits=limits)
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()
