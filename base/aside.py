"""Damaged files are put aside under a name of their own, never deleted; who asked for the work is told.

`checkpoints.sqlite` becomes `checkpoints.sqlite.damaged-1`, and what belongs to the database goes along; the
half last line of `events.jsonl` goes to `events.jsonl.torn-1`. Faces ask with `taken` what was put aside.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from base import private

Damage = Literal["damaged", "torn"]

BESIDE = ("-wal", "-shm", "-journal")
"""Endings of what SQLite keeps beside a database."""


@dataclass(frozen=True, kw_only=True)
class Aside:
    """One thing that was put aside.

    Attributes:
        damage: `damaged` for a whole file, `torn` for the half last line of one.
        path: where it was.
        kept: where it is.
    """

    damage: Damage
    path: str
    kept: str


_untold: list[Aside] = []
_guard = threading.Lock()


def taken() -> list[Aside]:
    """What this process has put aside since the last call."""
    with _guard:
        found = _untold[:]
        _untold.clear()
    return found


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder, and what SQLite keeps beside it.

    Returns:
        Its new name.

    Raises:
        OSError: it cannot be renamed.
    """
    kept = _free(path, "damaged")
    path.rename(kept)
    for ending in BESIDE:
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    _tell(Aside(damage="damaged", path=str(path), kept=str(kept)))
    return kept


def cut_tail(path: Path, size: int) -> Path:
    """Cut a file off after `size` bytes, and keep what stood behind them.

    Whoever calls makes sure that nobody writes to the file meanwhile.

    Returns:
        Where the tail is kept.

    Raises:
        OSError: the file or its folder cannot be written.
    """
    kept = _free(path, "torn")
    with open(path, "r+b", opener=private.opener) as stream:
        stream.seek(size)
        with open(kept, "wb", opener=private.opener) as tail:
            tail.write(stream.read())
            tail.flush()
            os.fsync(tail.fileno())
        stream.truncate(size)
    _tell(Aside(damage="torn", path=str(path), kept=str(kept)))
    return kept


def _free(path: Path, damage: Damage) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.{damage}-{number}")).exists():
        number += 1
    return kept


def _tell(one: Aside) -> None:
    with _guard:
        _untold.append(one)
