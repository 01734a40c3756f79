"""The largest resident memory of this process, on every system. It imports nothing of ThreadX."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import psutil
else:
    import resource


def peak_mib() -> float:
    """MiB of the largest resident memory that this process has had so far."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 2**20
    try:
        # On Linux a child's `ru_maxrss` begins with what its parent had.
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 2**10
    except FileNotFoundError:  # macOS tells bytes, others KiB
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (2**20 if sys.platform == "darwin" else 2**10)
