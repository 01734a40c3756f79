"""The data folder: which one a call from Python uses, and making it ready to be written in."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import cast, get_args

from filelock import Timeout

from base import locks, private
from base.leftovers import sweep
from base.reasons import because
from prompts import Language, text
from threadx.errors import ThreadxError
from vault.home import default_home, left_behind


def left_behind_line(home: str | Path | None, language: Language) -> str | None:
    """One line about a ledger in `./data` that is not used, and how to use it; None where there is none."""
    folder = left_behind(home)
    if folder is None:
        return None
    return text("command.left_behind", language, folder=str(folder), home=default_home())


def chosen_home(home: str | Path | None, language: str | None = None) -> str:
    """The data folder of a call from Python.

    Warns (UserWarning) where nobody chose one and `./data` holds a ledger that will not be used.

    Args:
        home: as the caller gave it.
        language: of the warning; THREADX_LANGUAGE or French if left out.
    """
    told = language or os.environ.get("THREADX_LANGUAGE", "fr")
    line = left_behind_line(home, cast(Language, told) if told in get_args(Language) else "fr")
    if line is not None:
        warnings.warn(line, UserWarning, stacklevel=4)
    return default_home() if home is None else str(home)


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
