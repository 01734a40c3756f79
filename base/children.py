"""How a Python process of our own is started: nothing of the folder it works in is imported.

Python looks for modules in the working directory first, and that may be a folder that somebody sent: a
`numpy.py` in it would run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SAFE_PATH = "PYTHONSAFEPATH"


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module in a child."""
    return [sys.executable, "-P", "-m", module, *arguments]


def bare_environment() -> dict[str, str]:
    """What a child needs that is to know nothing of ours: where this code is, and on Windows the system."""
    kept = ("SYSTEMROOT",) if sys.platform == "win32" else ()
    place = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    return place | {name: os.environ[name] for name in kept if name in os.environ}


@contextmanager
def safe_path() -> Iterator[None]:
    """The same for the children that a library starts meanwhile, such as those of `multiprocessing`."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
