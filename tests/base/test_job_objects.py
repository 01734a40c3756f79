"""Limits of a process on Windows: Microsoft's layouts, and what Windows is asked for; run nowhere here."""

from __future__ import annotations

import ctypes
import struct

import pytest

from base import job_objects
from base.job_objects import BasicLimits, Counters, ExtendedLimits, NotHeldError

BASIC = (
    # JOBOBJECT_BASIC_LIMIT_INFORMATION of winnt.h, 64 bits: (member, offset, bytes)
    ("PerProcessUserTimeLimit", 0, 8),
    ("PerJobUserTimeLimit", 8, 8),
    ("LimitFlags", 16, 4),
    ("MinimumWorkingSetSize", 24, 8),
    ("MaximumWorkingSetSize", 32, 8),
    ("ActiveProcessLimit", 40, 4),
    ("Affinity", 48, 8),
    ("PriorityClass", 56, 4),
    ("SchedulingClass", 60, 4),
)
COUNTERS = tuple(
    (name, 8 * place, 8)
    for place, name in enumerate(
        (
            *("ReadOperationCount", "WriteOperationCount", "OtherOperationCount"),
            *("ReadTransferCount", "WriteTransferCount", "OtherTransferCount"),
        )
    )
)
EXTENDED = (
    ("BasicLimitInformation", 0, 64),
    ("IoInfo", 64, 48),
    ("ProcessMemoryLimit", 112, 8),
    ("JobMemoryLimit", 120, 8),
    ("PeakProcessMemoryUsed", 128, 8),
    ("PeakJobMemoryUsed", 136, 8),
)


@pytest.mark.skipif(struct.calcsize("P") != 8, reason="the layouts are those of 64 bits")
@pytest.mark.parametrize(
    ("structure", "size", "members"),
    [(BasicLimits, 64, BASIC), (Counters, 48, COUNTERS), (ExtendedLimits, 144, EXTENDED)],
    ids=["basic", "counters", "extended"],
)
def test_the_layouts_are_those_of_windows(structure, size, members):
    assert ctypes.sizeof(structure) == size
    fields = [getattr(structure, name) for name, *_ in structure._fields_]
    told = [(name, one.offset, one.size) for (name, *_), one in zip(structure._fields_, fields, strict=True)]
    assert told == list(members)


class Kernel32:
    """The four functions of Windows; it remembers what it was asked, and refuses the one named."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.asked: list[tuple] = []

    def _told(self, name: str, *given: object) -> int:
        self.asked.append((name, *given))
        return 0 if name == self.refused else 77

    def CreateJobObjectW(self, *given):
        return self._told("create", *given)

    def GetCurrentProcess(self):
        return -1

    def AssignProcessToJobObject(self, *given):
        return self._told("assign", *given)

    def SetInformationJobObject(self, job, kind, told, size):
        return self._told("set", job, kind, ctypes.string_at(told, size))


@pytest.fixture
def kernel32(monkeypatch):
    def play(refused=""):
        system = Kernel32(refused)
        monkeypatch.setattr(job_objects, "_kernel32", lambda: system)
        monkeypatch.setattr("time.process_time", lambda: 2.5)
        return system

    job_objects._job.cache_clear()
    yield play
    job_objects._job.cache_clear()


def test_a_process_is_put_into_one_job_and_bounded_anew_for_each_work(kernel32):
    system = kernel32()
    job_objects.hold(memory=2**31, processor=65.0)
    job_objects.hold(memory=None, processor=None)
    created, assigned, first, second = system.asked
    assert created == ("create", None, None)
    assert assigned == ("assign", 77, -1)
    assert (first[:3], second[:3]) == (("set", 77, 9), ("set", 77, 9))
    # Read by the documented offsets, as Windows reads it; flags by the values of winnt.h.
    told = struct.unpack_from("<qqI4xQQI4xQII48xQQQQ", first[3])
    assert told == (675_000_000, 0, 0x2 | 0x8 | 0x100 | 0x400 | 0x2000, 0, 0, 1, 0, 0, 0, 2**31, 0, 0, 0)
    flags = struct.unpack_from("<I", second[3], 16)[0]
    assert flags == 0x8 | 0x400 | 0x2000


@pytest.mark.parametrize("refused", ["create", "assign", "set"])
def test_what_windows_refuses_is_no_limit(kernel32, refused):
    kernel32(refused)
    with pytest.raises(NotHeldError):
        job_objects.hold(memory=1, processor=1.0)


@pytest.mark.posix
def test_where_there_are_no_job_objects_none_is_made(monkeypatch):
    for platform in ("linux", "win32"):  # the second: a Windows whose library lacks them
        monkeypatch.setattr("sys.platform", platform)
        with pytest.raises(NotHeldError):
            job_objects.require()
