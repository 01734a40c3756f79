"""Memory that was freed and that the process still holds."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return freed memory to the system.

    glibc keeps what every thread has freed in a heap of its own: a server whose runs come and go on many
    threads would hold a little more after each. Elsewhere allocators return it by themselves.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # another C library has none
        if trim is not None:
            trim(0)
