"""Making a data folder ready to be written in."""

from __future__ import annotations

from pathlib import Path

from filelock import Timeout

from base import locks, private
from base.leftovers import sweep
from base.reasons import because
from threadx.errors import ThreadxError


def writable(home: Path) -> Path:
    """The data folder, made if need be, and without what killed processes have left in it.

    Raises:
        ThreadxError: `unwritable_home`.
    """
    try:
        private.make_folder(home)
        with locks.lock(home / ".writable.lock", timeout=10):
            for folder in written_folders(home):
                sweep(folder)
    except (OSError, Timeout) as error:
        raise ThreadxError("unwritable_home", home=str(home), reason=because(error)) from None
    return home


def written_folders(home: Path) -> list[Path]:
    """Folders of a home into which files are written whole, those of hours left out: their writers sweep."""
    found = [home, *(home / name for name in ("datasets", "sweeps", "jobs", "logs", "ensemble"))]
    return [*found, *sorted((home / "ensemble").glob("*/")), *sorted((home / "runs").glob("*/"))]
