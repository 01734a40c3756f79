"""Partitions as builders write them: whole, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from base import private
from base.files import take_name, write_atomically, write_text_atomically
from base.leftovers import ENDING, beginning, sweep
from base.reasons import because
from vault.errors import MarketError

Watch = Callable[[str, RuntimeError | None], None]
"""Told what is done, or what is left out with the typed error that says why."""

Content = pd.DataFrame | Mapping[str, Any]


def write_partition(folder: Path, files: Mapping[str, Content]) -> None:
    """Write the files of one partition.

    A new partition is filled beside its place and takes its name in one step. In one that stands, each file
    is replaced in one step, in the order given: what readers look for first belongs last.

    Args:
        folder: `…/dt=YYYYMMDDHH`.
        files: name → a table (Parquet) or a mapping (JSON).

    Raises:
        MarketError: `unwritable_folder`: no right, no space; nothing new is left behind.
    """
    try:
        if folder.exists():
            sweep(folder)
            for name, content in files.items():
                _write(folder / name, content)
            return
        private.make_folder(folder.parent)
        sweep(folder.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=beginning(folder.name), suffix=ENDING))
        try:
            for name, content in files.items():
                _write(temporary / name, content)
            take_name(temporary, folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise MarketError("unwritable_folder", path=str(folder), reason=because(error)) from error


def _write(path: Path, content: Content) -> None:
    if isinstance(content, pd.DataFrame):
        table = content
        write_atomically(path, lambda stream: table.to_parquet(stream, index=False))
    else:
        text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
        write_text_atomically(path, text + "\n")
