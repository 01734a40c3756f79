"""Published hours: whole or not there, earlier versions kept, interrupted ones finished, a full disk told."""

import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

import nodes.ensemble.operation.partition as partition
from base import files
from nodes.ensemble.errors import PublishError
from nodes.ensemble.operation.partition import hour_folder, published_hours, settle, write_hour
from prompts import text
from tests.langgraph_server import PROJECT

HOUR = datetime(2024, 3, 14, 15, tzinfo=UTC)


def names(home):
    return sorted(path.name for path in hour_folder(home, HOUR).iterdir() if not path.name.startswith("."))


def read(home, name):
    return json.loads((hour_folder(home, HOUR) / name).read_text(encoding="utf-8"))


def test_first_version_then_a_rerun_that_keeps_it(tmp_path):
    path = write_hour(tmp_path, HOUR, {"n": 1}, {"run": {}})
    assert path == tmp_path / "llm_summary/dt=2024031415/summary.json"
    assert names(tmp_path) == ["summary.json", "trace_raw.json"]
    write_hour(tmp_path, HOUR, {"n": 2}, {"run": {}})
    write_hour(tmp_path, HOUR, {"n": 3}, {"run": {}})
    found = [read(tmp_path, f"summary{number}.json")["n"] for number in (".1", ".2", "")]
    assert found == [1, 2, 3]
    assert [read(tmp_path, f"trace_raw{n}.json")["summary"]["n"] for n in (".1", ".2", "")] == [1, 2, 3]
    assert published_hours(tmp_path) == [HOUR]


def test_what_a_kill_left_half_built_is_swept_away_once_it_is_old(tmp_path):
    workshop = tmp_path / "llm_summary/.building"
    for name, age in (("dt=2024031413-old", 7200), ("dt=2024031414-young", 60)):
        (workshop / name).mkdir(parents=True)
        (workshop / name / "trace_raw.json").write_text("{", encoding="utf-8")
        since = time.time() - age
        os.utime(workshop / name, (since, since))
    write_hour(tmp_path, HOUR, {"n": 1}, {"run": {}})
    assert [path.name for path in workshop.iterdir()] == ["dt=2024031414-young"]
    assert published_hours(tmp_path) == [HOUR]


def failing_writes(monkeypatch, after):
    """The disk is full from the given write on."""
    count = 0
    inner = files.write_atomically

    def write(path, do):
        nonlocal count
        count += 1
        if count > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        inner(path, do)

    monkeypatch.setattr(
        partition, "write_text_atomically", lambda path, words: write(path, lambda s: s.write(words.encode()))
    )
    monkeypatch.setattr(partition, "write_atomically", write)  # what keeps a copy of the earlier version


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_nothing_of_a_first_version(tmp_path, monkeypatch, after):
    failing_writes(monkeypatch, after)
    with pytest.raises(PublishError) as caught:
        write_hour(tmp_path, HOUR, {"n": 1}, {})
    assert caught.value.code == "publish_failed"
    assert "le disque est plein" in text("ensemble.error.publish_failed", "fr", **caught.value.fields)
    assert published_hours(tmp_path) == []
    assert [path.name for path in (tmp_path / "llm_summary").glob("*dt=*")] == []


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_full_disk_leaves_the_earlier_version_or_a_whole_new_one(tmp_path, monkeypatch, after):
    write_hour(tmp_path, HOUR, {"n": 1}, {})
    failing_writes(monkeypatch, after)
    with pytest.raises(PublishError):
        write_hour(tmp_path, HOUR, {"n": 2}, {})
    assert read(tmp_path, "summary.json")["n"] == 1
    # Only the last write was missing: the trace knows the new summary, and it is finished when there is room.
    monkeypatch.undo()
    settle(hour_folder(tmp_path, HOUR))
    assert read(tmp_path, "summary.json")["n"] == (2 if after == 3 else 1)


KILLED_STATUS = 9 if sys.platform == "win32" else -9
KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
import nodes.ensemble.operation.partition as partition

kill_at, count = int(sys.argv[2]), 0

def counted(inner):
    def write(path, words):
        global count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), 9)
        inner(path, words)
    return write

partition.write_text_atomically = counted(partition.write_text_atomically)
partition.write_atomically = counted(partition.write_atomically)
partition.write_hour(Path(sys.argv[1]), datetime(2024, 3, 14, 15, tzinfo=UTC), {"n": 2}, {})
"""


def killed_at(home, number):
    done = subprocess.run([sys.executable, "-c", KILLED, str(home), str(number)], cwd=PROJECT, check=False)
    return done.returncode


def test_a_kill_in_each_step_leaves_one_whole_version(tmp_path):
    first = tmp_path / "first"
    for number in (1, 2):  # the trace and the summary of a first version
        assert killed_at(first, number) == KILLED_STATUS
        assert published_hours(first) == []
    write_hour(first, HOUR, {"n": 2}, {})
    assert read(first, "summary.json") == {"n": 2}
    for number in (1, 2, 3, 4):  # trace and summary of the earlier version, then of the new one
        home = tmp_path / str(number)
        write_hour(home, HOUR, {"n": 1}, {})
        assert killed_at(home, number) == KILLED_STATUS
        settle(hour_folder(home, HOUR))
        summary, trace = read(home, "summary.json"), read(home, "trace_raw.json")
        assert trace["summary"] == summary == {"n": 2 if number == 4 else 1}
        # The next run goes on from there, whatever was left half.
        write_hour(home, HOUR, {"n": 3}, {})
        assert read(home, "summary.json") == {"n": 3}
        assert {"n": 1} in [read(home, name) for name in names(home) if name.startswith("summary.")]


def test_what_another_program_wrote_is_left_alone(tmp_path):
    folder = hour_folder(tmp_path, HOUR)
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"theirs": true}', encoding="utf-8")
    (folder / "trace_raw.json").write_text('{"messages": [], "raw": []}', encoding="utf-8")
    settle(folder)
    assert read(tmp_path, "summary.json") == {"theirs": True}
    write_hour(tmp_path, HOUR, {"n": 1}, {})
    assert read(tmp_path, "summary.1.json") == {"theirs": True}
