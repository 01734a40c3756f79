"""Price files: what is in them, unpacked and cut into a table, whatever program wrote them."""

from __future__ import annotations

import errno
import gzip
import zipfile
from pathlib import Path, PurePosixPath

import pandas as pd

from base.plain_files import require_plain
from base.reasons import because
from vault.errors import MarketError
from vault.readers import arrow_files
from vault.readers.arrow_files import read_arrow
from vault.readers.json_tables import from_json, json_symbol, read_json
from vault.readers.price_tables import Table
from vault.readers.sizes import allowed, check_size
from vault.readers.text_tables import read_text_table

TEXTS = (".csv", ".txt", ".tsv")
PRICE_EXTENSIONS = (*TEXTS, ".parquet", ".feather", ".json", ".jsonl", ".zip", ".gz")
"""Endings of price files that can be read."""

_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_WHITE = 4096
"""Bytes in which a file without a letter is looked for."""
_SHOWN = 200
"""Letters of a path that the system refuses, as they are told."""


def price_table(path: Path) -> Table:
    """The cells of a price file.

    Raises:
        MarketError: `missing_file`, `unknown_extension`, `spreadsheet`, `unreadable_file`, `several_files`,
            `no_price_rows`, `ragged_rows`, `folder_given`, `no_plain_file`, `empty_file`, `old_feather`,
            `swells`, `too_many_columns`, `too_many_values`, `too_long_line`.
    """
    _look_at(path)
    suffix = path.suffix.lower()
    if suffix in _WORKBOOKS:
        raise MarketError("spreadsheet", path=str(path))
    if suffix not in PRICE_EXTENSIONS:
        raise MarketError("unknown_extension", path=str(path), known=", ".join(PRICE_EXTENSIONS))
    if not path.exists():
        raise MarketError("missing_file", path=str(path))
    try:
        if path.stat().st_size == 0:
            raise MarketError("empty_file", path=str(path))
        if suffix in arrow_files.SUFFIXES:
            return Table(cells=read_arrow(path).to_pandas())
        content, name = _unpacked(path, suffix)
        if len(content) <= _WHITE and not content.strip():
            raise MarketError("empty_file", path=str(path))
        return _parsed(content, name, path)
    except MarketError:
        raise
    except Exception as reason:  # of what parsers raise on foreign bytes there is no list
        raise MarketError("unreadable_file", path=str(path), reason=because(reason)) from reason


def _look_at(path: Path) -> None:
    """Refuse what is there and no file, before its name is judged.

    Raises:
        MarketError: `folder_given`, `no_plain_file`, or `missing_file` for a path that ends nowhere;
            `unreadable_file` where the system refuses to look.
    """
    try:
        require_plain(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except IsADirectoryError:
        raise MarketError("folder_given", path=str(path)) from None
    except OSError as reason:
        if reason.errno == errno.ESPIPE:
            raise MarketError("no_plain_file", path=str(path)) from None
        raise MarketError("unreadable_file", path=str(path)[:_SHOWN], reason=because(reason)) from reason


def _unpacked(path: Path, suffix: str) -> tuple[bytes, str]:
    """The bytes of a file or of the one table in an archive, and its name.

    Raises:
        MarketError: `several_files`, `swells`.
    """
    size = path.stat().st_size
    most = allowed(size)
    if suffix == ".gz":
        with gzip.open(path) as stream:
            content = stream.read(most + 1)
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
                content, name = stream.read(most + 1), tables[0]
    else:
        check_size(path, size, size)
        return path.read_bytes(), path.name
    check_size(path, size, len(content))
    return content, name


def _parsed(content: bytes, name: str, path: Path) -> Table:
    """A table out of the bytes of one file; `path` is what it is called to the reader."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in arrow_files.SUFFIXES:
        return Table(cells=read_arrow(path, content, suffix).to_pandas())
    if suffix in (".json", ".jsonl"):
        told = read_json(content, path, lines=suffix == ".jsonl")
        cells = from_json(told)
        named = not isinstance(cells.columns, pd.RangeIndex)
        return Table(cells=cells, named=named, symbol=json_symbol(told))
    table = Table(cells=pd.DataFrame())
    read = read_text_table(content, table.notices, path)
    table.cells, table.named, table.separator = read.cells, read.named, read.separator
    return table
