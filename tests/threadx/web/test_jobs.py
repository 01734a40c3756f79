"""Work that a page starts: one at a time, outliving the server, stopped politely and then less so."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from threadx.web import jobs
from threadx.web.errors import WebError

WAITS = "import sys, time; print('at work', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {WAITS}"
FAILS = "import sys; print('nothing to do'); sys.exit(2)"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A `threadx` whose work is whatever the file says."""
    package = tmp_path / "path" / "threadx"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()  # without it the installed package would be found first
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.chdir(tmp_path)
    yield package / "__main__.py"
    for child in jobs._children:
        child.kill()
        child.wait()


def until_said(home: Path, log: Path, line: str) -> None:
    while line not in jobs.said(log):
        at_work = jobs.at_work(home, "optimization")
        assert at_work is not None or line in jobs.said(log), jobs.said(log)
        time.sleep(0.01)  # a step of waiting for another process, not a time to wait for


def started(home: Path, command: Path, work: str, name: str = "one") -> jobs.Job:
    command.write_text(work, encoding="utf-8")
    return jobs.start(home, "optimization", name, ["optimize"], home / "runs" / name / "job.log")


def test_second_start_is_refused_and_another_kind_is_not(tmp_path: Path, command: Path) -> None:
    job = started(tmp_path, command, WAITS)
    assert jobs.at_work(tmp_path, "optimization") == job
    with pytest.raises(WebError, match="busy") as refused:
        started(tmp_path, command, WAITS, "two")
    assert refused.value.fields == {"name": "one"}
    assert not (tmp_path / "runs" / "two").exists()
    assert jobs.at_work(tmp_path, "ensemble") is None
    jobs.start(tmp_path, "ensemble", "ensemble", ["ensemble", "run"], tmp_path / "log")
    assert jobs.at_work(tmp_path, "ensemble") is not None


def test_work_goes_on_without_the_server_and_another_server_sees_and_stops_it(
    tmp_path: Path, command: Path
) -> None:
    command.write_text(WAITS, encoding="utf-8")
    log = tmp_path / "job.log"
    server = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from threadx.web import jobs; home = Path(sys.argv[1]);"
        "jobs.start(home, 'optimization', 'one', [], home / 'job.log')"
    )
    project = str(Path(jobs.__file__).parents[2])
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", server, str(tmp_path), project]) == 0
    until_said(tmp_path, log, "at work")
    job = jobs.at_work(tmp_path, "optimization")
    assert job is not None
    assert job.name == "one"
    jobs.stop(tmp_path, "optimization", "one")
    assert jobs.at_work(tmp_path, "optimization") is None
    assert "KeyboardInterrupt" in jobs.said(log)[-1]


def test_work_that_does_not_listen_is_killed(
    tmp_path: Path, command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    job = started(tmp_path, command, DEAF)
    until_said(tmp_path, Path(job.log), "at work")
    (child,) = jobs._children
    jobs.stop(tmp_path, "optimization", "one")
    assert child.wait() == (-signal.SIGKILL if sys.platform != "win32" else 15)


def test_only_what_is_meant_is_stopped(tmp_path: Path, command: Path) -> None:
    with pytest.raises(WebError, match="not_at_work"):
        jobs.stop(tmp_path, "optimization", "one")
    job = started(tmp_path, command, WAITS)
    with pytest.raises(WebError, match="not_at_work"):
        jobs.stop(tmp_path, "optimization", "another")
    assert jobs.at_work(tmp_path, "optimization") == job


def test_ended_work_leaves_its_words_and_the_slot(tmp_path: Path, command: Path) -> None:
    job = started(tmp_path, command, FAILS)
    (child,) = jobs._children
    assert child.wait() == 2
    assert jobs.said(Path(job.log)) == ["nothing to do"]
    assert jobs.at_work(tmp_path, "optimization") is None
    again = started(tmp_path, command, WAITS)
    assert jobs.at_work(tmp_path, "optimization") == again


def test_nothing_is_at_work_in_a_folder_that_nobody_used(tmp_path: Path) -> None:
    assert jobs.at_work(tmp_path, "ensemble") is None
    assert list(tmp_path.iterdir()) == []
    assert jobs.said(tmp_path / "none.log") == []
