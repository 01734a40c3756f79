"""Which data folder a call from Python uses, and a word where another one lies in `./data`."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import cast, get_args

from prompts import Language, text
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
