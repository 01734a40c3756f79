"""The command where disks are full, outputs closed, places odd: one clear line, and nothing is replaced."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.langgraph_server import PROJECT, clean_environment

pytestmark = [pytest.mark.posix, pytest.mark.long]  # the weather is made of forks, limits and devices


@pytest.fixture
def outdoors() -> Iterator[Path]:
    """A folder that another user may look into; pytest's own are for the user alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_the_command_in_bad_weather_says_one_clear_line(outdoors: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.weather", str(outdoors)],
        cwd=PROJECT,
        env=clean_environment(),
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(seen) > 60
    assert [line for line in seen if line["wrong"]] == []
