"""The data folder: one a user, wherever a process stands, so that a file has one ledger and one vault."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from platformdirs import user_data_path

from base.paths import typed_path
from base.reasons import because
from vault.errors import MarketError

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


def home_folder(told: str | Path) -> Path:
    """The data folder as an absolute path; it may not be there yet.

    Args:
        told: as somebody chose it.

    Raises:
        PathError: it names no path.
        MarketError: `unusable_home`: something else is there, or nobody may look into it.
    """
    home = typed_path(told).absolute()
    try:
        found = home.stat().st_mode
        if not stat.S_ISDIR(found):
            raise NotADirectoryError(errno.ENOTDIR, "", str(home))
        if not os.access(home, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "", str(home))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise MarketError("unusable_home", home=str(home), reason=because(error)) from None
    return home


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
