"""The data folder: one a user, wherever a process stands, so that a file has one ledger and one vault."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

HOME_VARIABLE = "THREADX_HOME"
_FORMER = "data"
"""Where earlier versions kept everything: in the folder in which a command was given."""
_KEPT = ("ledger.sqlite", "datasets/splits.json")


def platform_home() -> Path:
    """The user's data folder on this platform."""
    return user_data_path("threadx", appauthor=False)


def default_home() -> str:
    """`THREADX_HOME`, else the user's data folder on this platform."""
    return os.environ.get(HOME_VARIABLE) or str(platform_home())


def left_behind(home: str | Path | None = None) -> Path | None:
    """A ledger or vault in `./data` that a run without a word on its data folder would not see.

    Args:
        home: the data folder as somebody chose it; None for nobody.

    Returns:
        That folder; None where there is none, where it is the data folder, and where somebody chose one.
    """
    if home is not None or os.environ.get(HOME_VARIABLE):
        return None
    former, used = Path(_FORMER).absolute(), Path(default_home())
    if not any((former / name).is_file() for name in _KEPT) or (used.exists() and former.samefile(used)):
        return None
    return former
