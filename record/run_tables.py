"""Tables of a run that are too long for an event: beside its log, in Parquet, one file a table.

`trials.parquet`: what the search is judged by, one row a configuration that was looked at, or a large search
of them; written before the holdout is opened, from development data and the ledger alone. Columns: see
`vault.ledger.Evidence.table`. `returns.parquet`: bar by bar, what champion and initial strategy earned;
written by the last judgement, after the holdout was opened. Columns: see `RETURN_COLUMNS`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from base.files import write_atomically
from base.own_tables import read_own_table, vouch
from base.reasons import ReasonError, because
from record.errors import ReportError

TRIALS = "trials.parquet"
RETURNS = "returns.parquet"

RETURN_COLUMNS = {
    "part": "`development` or `holdout`; bars of the embargo between them are not told",
    "market": "return of the close over the close before; 0 on the first bar of a part, which earns nothing",
    "champion": "the champion's return",
    "champion_excess": "the same over holding with its average exposure on that part",
    "champion_tests": "its walk-forward tests, refitted in each fold; not a number outside of them",
    "initial": "the return of the strategy that the run began with",
}


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    # Returns hardly repeat: a dictionary of them would only be added to them.
    write_atomically(path, lambda stream: table.to_parquet(stream, compression="zstd", use_dictionary=False))
    vouch(path)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """A table of a run.

    Args:
        folder: of the run.
        name: `TRIALS` or `RETURNS`.

    Raises:
        ReportError: `no_table`, as in a run of an earlier version; `unreadable_record`.
    """
    path = folder / name
    if not path.is_file():
        raise ReportError("no_table", run=folder.name, table=name)
    try:
        return read_own_table(path)
    except (OSError, ReasonError) as reason:
        raise ReportError("unreadable_record", path=str(path), reason=because(reason)) from reason


def table_or_none(folder: Path, name: str) -> pd.DataFrame | None:
    """The same; None in a run of an earlier version, which has none.

    Raises:
        ReportError: `unreadable_record`.
    """
    return read_table(folder, name) if (folder / name).is_file() else None


def table_hash(table: pd.DataFrame) -> str:
    """SHA-256 of names and values, column by column, whatever wrote the file; 16 hex digits.

    Numbers as 8 bytes little-endian, texts in UTF-8 with a zero behind each, lists of numbers as 4-byte
    floats behind their length (-1 for none).
    """
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(str(name).encode() + b"\0")
        if column.dtype.kind in "biuf":
            kind = "<f8" if column.dtype.kind == "f" else "<i8"
            digest.update(np.ascontiguousarray(column.to_numpy().astype(kind)).tobytes())
            continue
        for value in column:
            if isinstance(value, str):
                digest.update(value.encode() + b"\0")
            elif value is None:
                digest.update(np.int64(-1).tobytes())
            else:
                digest.update(np.int64(len(value)).tobytes() + np.asarray(value, dtype="<f4").tobytes())
    return digest.hexdigest()[:16]
