"""Cores of a process that was pinned to some of them."""

import os
import subprocess
import sys

import pytest

from base.cores import usable_cores


def test_at_least_one_core_can_be_used():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are pinned by Linux's call")
def test_a_pinned_process_counts_its_own_cores():
    program = (
        "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]);"
        "from base.cores import usable_cores; print(usable_cores())"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="ascii", check=True)
    assert told.stdout.strip() == "1"
