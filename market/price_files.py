"""Price files: what is in them, unpacked and cut into a table, whatever program wrote them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa

from market.errors import MarketError
from market.json_tables import from_json, json_symbol
from market.price_tables import Table
from market.text_tables import read_text_table

TEXTS = (".csv", ".txt", ".tsv")
PRICE_EXTENSIONS = (*TEXTS, ".parquet", ".feather", ".json", ".jsonl", ".zip", ".gz")
"""Endings of price files that can be read."""

_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_LARGEST = 4 * 1024**3
"""Bytes that may come out of an archive."""


def price_table(path: Path) -> Table:
    """The cells of a price file.

    Raises:
        MarketError: `missing_file`, `unknown_extension`, `spreadsheet`, `unreadable_file`, `several_files`,
            `no_price_rows`, `ragged_rows`.
    """
    suffix = path.suffix.lower()
    if suffix in _WORKBOOKS:
        raise MarketError("spreadsheet", path=str(path))
    if suffix not in PRICE_EXTENSIONS:
        raise MarketError("unknown_extension", path=str(path), known=", ".join(PRICE_EXTENSIONS))
    if not path.is_file():
        raise MarketError("missing_file", path=str(path))
    try:
        if suffix == ".parquet":
            return Table(cells=pd.read_parquet(path))
        if suffix == ".feather":
            return Table(cells=pd.read_feather(path))
        content, name = _unpacked(path, suffix)
        return _parsed(content, name)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        zlib.error,
        zipfile.BadZipFile,
        pa.ArrowException,
    ) as reason:
        words = str(reason).strip()
        told = words.splitlines()[0][:200] if words else type(reason).__name__
        raise MarketError("unreadable_file", path=str(path), reason=told) from reason


def _unpacked(path: Path, suffix: str) -> tuple[bytes, str]:
    """The bytes of a file or of the one table in an archive, and its name.

    Raises:
        MarketError: `several_files`.
    """
    if suffix == ".gz":
        with gzip.open(path) as stream:
            content = stream.read(_LARGEST + 1)
        name = path.stem
    elif suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            tables = [
                one for one in archive.namelist() if PurePosixPath(one).suffix.lower() in PRICE_EXTENSIONS
            ]
            tables = [one for one in tables if not one.startswith("__MACOSX")]
            if len(tables) != 1:
                raise MarketError(
                    "several_files", path=str(path), count=len(tables), names=", ".join(tables[:5])
                )
            with archive.open(tables[0]) as stream:
                content, name = stream.read(_LARGEST + 1), tables[0]
    else:
        return path.read_bytes(), path.name
    if len(content) > _LARGEST:
        raise ValueError(f"more than {_LARGEST // 1024**3} GiB unpacked")
    return content, name


def _parsed(content: bytes, name: str) -> Table:
    """A table out of the bytes of one file."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".parquet":
        return Table(cells=pd.read_parquet(io.BytesIO(content)))
    if suffix in (".json", ".jsonl"):
        text = content.decode("utf-8-sig")
        told = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if suffix == ".jsonl"
            else json.loads(text)
        )
        cells = from_json(told)
        named = not isinstance(cells.columns, pd.RangeIndex)
        return Table(cells=cells, named=named, symbol=json_symbol(told))
    table = Table(cells=pd.DataFrame())
    read = read_text_table(content, table.notices)
    table.cells, table.named, table.separator = read.cells, read.named, read.separator
    return table
