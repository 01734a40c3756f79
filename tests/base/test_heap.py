"""A long-lived process holds no memory that it has freed."""

from __future__ import annotations

import platform

import psutil
import pytest

from base.heap import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators return memory by themselves")
def test_freed_memory_below_a_living_object_goes_back():
    process, mib = psutil.Process(), 1024**2
    blocks = [bytes(1_000) for _ in range(100_000)]
    last = bytes(1_000)
    full = process.memory_info().rss
    blocks.clear()
    give_back()
    assert full - process.memory_info().rss > 60 * mib
    assert len(last) == 1_000
