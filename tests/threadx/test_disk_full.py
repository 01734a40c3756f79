"""A disk that fills up in the middle of a run: one clear line, and with room again the same result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from record.record import RunRecord, comparable
from tests import damage
from tests.laws import some
from tests.prices import made_up_prices
from threadx.command import main

resource = pytest.importorskip("resource", reason="limits of a process, which Windows does not have")
pytestmark = pytest.mark.posix

START = ["optimize", "-s", "ma_crossover", "-p", "fast_period=5", "-p", "slow_period=20", *damage.RULES]
SIZES = (8_000, 30_000, 60_000, 100_000, 170_000, 300_000)
MORE = ["--max-iterations", "1", "--run", "one", "--language", "en"]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes of a file fails, as on a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def called(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = 0
    try:
        main(arguments)
    except SystemExit as left:
        code = int(left.code or 0)
    return code, capsys.readouterr().err


def told(home: Path) -> Any:
    result = RunRecord(home, "one").result()
    return comparable({**result, "settings": {**result["settings"], "home": ""}})


def test_a_run_whose_disk_fills_up_goes_on_to_the_same_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up_prices(rows=600, cycle=0.05).to_csv(tmp_path / "TEST_1h.csv")
    start = [*START[:1], str(tmp_path / "TEST_1h.csv"), *START[1:], *MORE]
    assert called([*start, "--home", str(tmp_path / "calm")], capsys)[0] == 0
    stopped = 0
    sizes = some(SIZES, SIZES[::3])
    for size in sizes:
        home = tmp_path / str(size)
        with files_no_larger_than(size):
            code, said = called([*start, "--home", str(home)], capsys)
        assert code in (1, 2), size
        assert "Traceback" not in said
        assert "resume" in said or not RunRecord(home, "one").exists(), said
        again = ["runs", "resume", "one", "--home", str(home), "--language", "en"]
        if RunRecord(home, "one").exists():
            stopped += 1
        else:
            again = [*start, "--home", str(home)]
        assert called(again, capsys)[0] == 0, size
        assert told(home) == told(tmp_path / "calm"), size
    assert stopped >= len(sizes) // 2
