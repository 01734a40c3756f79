"""Limits of a process on Windows: a job object, which the process puts itself into and cannot leave.

    hold(memory=2**31, processor=65.0)

The layouts are those of 64-bit Windows, as Microsoft documents them (JOBOBJECT_BASIC_LIMIT_INFORMATION,
JOBOBJECT_EXTENDED_LIMIT_INFORMATION). What a job object cannot bound is which files and connections a process
opens.
"""

from __future__ import annotations

import ctypes
import sys
import time
from functools import cache
from typing import Any

EXTENDED_LIMITS = 9
"""JobObjectExtendedLimitInformation: which kind of information is set."""

PROCESS_TIME = 0x0002
ACTIVE_PROCESS = 0x0008
PROCESS_MEMORY = 0x0100
DIE_ON_UNHANDLED_EXCEPTION = 0x0400
KILL_ON_JOB_CLOSE = 0x2000
ALWAYS = ACTIVE_PROCESS | DIE_ON_UNHANDLED_EXCEPTION | KILL_ON_JOB_CLOSE

_TICKS = 10_000_000
"""Windows counts processor time in units of 100 ns."""


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class Counters(ctypes.Structure):
    """IO_COUNTERS."""

    _fields_ = tuple(
        (f"{what}{of}Count", ctypes.c_uint64)
        for of in ("Operation", "Transfer")
        for what in ("Read", "Write", "Other")
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("BasicLimitInformation", BasicLimits),
        ("IoInfo", Counters),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class NotHeldError(Exception):
    """The system sets no limits to this process."""


def require() -> None:
    """Refuse where there are no job objects.

    Raises:
        NotHeldError: there are none.
    """
    _kernel32()


def hold(*, memory: int | None, processor: float | None) -> None:
    """Bound this process for good: it starts no other one, and dies at a limit. Again, it is bounded anew.

    Args:
        memory: bytes it may commit; None for any.
        processor: seconds of processor time from now on; None for any.

    Raises:
        NotHeldError: Windows refuses, or this is not Windows.
    """
    limits = ExtendedLimits()
    basic = limits.BasicLimitInformation
    basic.LimitFlags = ALWAYS
    basic.ActiveProcessLimit = 1
    if processor is not None:
        basic.LimitFlags |= PROCESS_TIME
        basic.PerProcessUserTimeLimit = int((time.process_time() + processor) * _TICKS)
    if memory is not None:
        basic.LimitFlags |= PROCESS_MEMORY
        limits.ProcessMemoryLimit = memory
    job, size = _job(), ctypes.sizeof(limits)
    if not _kernel32().SetInformationJobObject(job, EXTENDED_LIMITS, ctypes.byref(limits), size):
        raise NotHeldError


@cache
def _job() -> Any:
    """The job object of this process, which is in it. It stays open: who closes it ends the process."""
    system = _kernel32()
    job = system.CreateJobObjectW(None, None)
    if not job or not system.AssignProcessToJobObject(job, system.GetCurrentProcess()):
        raise NotHeldError
    return job


@cache
def _kernel32() -> Any:
    """Windows itself, its functions typed: handles are as wide as addresses."""
    handle, whole, yes = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int32
    functions: dict[str, tuple[tuple[Any, ...], Any]] = {
        "CreateJobObjectW": ((handle, ctypes.c_wchar_p), handle),
        "SetInformationJobObject": ((handle, ctypes.c_int32, handle, whole), yes),
        "AssignProcessToJobObject": ((handle, handle), yes),
        "GetCurrentProcess": ((), handle),
    }
    if sys.platform == "win32":
        try:
            system = ctypes.WinDLL("kernel32", use_last_error=True)
            for name, (given, returned) in functions.items():
                function = getattr(system, name)
                function.argtypes, function.restype = given, returned
        except (AttributeError, OSError):
            raise NotHeldError from None
        return system
    raise NotHeldError
