"""What a command does at its start and end for the sake of time alone."""

from __future__ import annotations

import subprocess
import sys

from base.children import bare_environment

_COMMAND = """
import gc, os, weakref
from base.start import imported, lean_start

lean_start()
class Made: pass
made = Made(); made.own = made      # what imports make is full of cycles
gone = weakref.ref(made)
imported()
del made
class Kept: pass
kept = Kept(); weakref.finalize(kept, print, "closed")
used = Kept(); used.own = used; used = weakref.ref(used)
gc.collect()
print(gone() is not None, used() is None, os.environ["OPENBLAS_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""


def test_a_command_collects_its_own_garbage_and_closes_what_is_open_at_its_end() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _COMMAND],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=bare_environment() | {"OPENBLAS_NUM_THREADS": "3"},
    )
    # The user's own number of threads stands; one where there was none.
    assert told.stdout.split() == ["True", "True", "3", "1", "closed"]
