"""How the process of one command starts and ends: without work that serves nobody."""

from __future__ import annotations

import atexit
import gc
import os

_ALGEBRA = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def lean_start() -> None:
    """Call first, before numpy is imported.

    Linear algebra keeps to the thread that asks, unless the user says otherwise: our products are small, and
    a library's threads wait for one another by spinning; divided among more of them the last digit changes.
    What imports make lives to the end, so it is not searched for garbage until `imported`, nor at the end.
    """
    for name in _ALGEBRA:
        os.environ.setdefault(name, "1")
    gc.disable()
    atexit.register(gc.freeze)


def imported() -> None:
    """Call when the modules of the command are there: from now on garbage is collected, theirs excepted."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
