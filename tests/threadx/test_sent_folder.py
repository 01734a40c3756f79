"""The command and the pages started from inside a folder that somebody sent: nothing of that folder runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import click
import pytest

from base import bounded
from base.reasons import ReasonError
from nodes.context import OptimizationContext
from nodes.optimization.state import OptimizationInput
from prompts import Language, Words, text
from record.events import Noticed
from record.record import RunRecord
from tests.graphs.test_doors import commands, good
from tests.langgraph_server import PROJECT, clean_environment
from tests.laws import some
from tests.openai_server import openai_server
from tests.prices import made_up_prices
from threadx.command import build, main
from threadx.runner import start_run
from threadx.web import jobs, report_file
from threadx.web.errors import WebError

LURES = ("numpy", "pandas", "click", "pydantic", "json", "runpy", "multiprocessing", "threadx", "base")
TRAP = "import pathlib; pathlib.Path(r'{mark}').touch()\n"
SCRIPT = "import sys; sys.path[0] = sys.argv.pop(1); from threadx.command import main; main()"
"""As the `threadx` script starts: its own folder is first on the path, the working directory is not on it."""

WATCHED = "import atexit, sys; atexit.register(lambda: print('numba' in sys.modules)); "
NUMBA = ".numba_config.yaml"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands where code of the working directory ran."""
    folder = tmp_path / "sent"
    folder.mkdir()
    found = tmp_path / "ran"
    for name in LURES:
        (folder / f"{name}.py").write_text(TRAP.format(mark=found), encoding="utf-8")
    monkeypatch.chdir(folder)
    return found


def test_work_of_a_page_runs_nothing_of_the_folder(mark: Path, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    jobs.start(tmp_path / "home", "optimization", "one", ["optimize", "no-such-file.csv"], log)
    jobs._children[-1].wait()
    assert not mark.exists()
    assert "no-such-file.csv" in log.read_text(encoding="utf-8")


def test_a_report_of_a_page_runs_nothing_of_the_folder(mark: Path, tmp_path: Path) -> None:
    with pytest.raises(WebError, match="no_report") as told:
        report_file.pdf(tmp_path, RunRecord(tmp_path, "absent"), "en")
    assert not mark.exists()
    assert "absent" in str(told.value.fields["reason"])


def test_a_bounded_child_runs_nothing_of_the_folder(mark: Path) -> None:
    with pytest.raises(ReasonError):
        bounded.run("base.arrow_child", "absent", {}, limits=bounded.Limits(seconds=60, memory=2**31))
    assert not mark.exists()


SWEEP = ("sweep", "sample:sp500", "--grid=fast_period=3:6", "--engine=processes")
CALIBRATE = ("calibrate", "--null=2", "--planted=0", "--iterations=1", "--bars=300", "--workers=2")
"""Both start processes by the same executor; those of the second import the graphs too."""


@pytest.mark.parametrize("command", some([SWEEP, CALIBRATE], [SWEEP]), ids=lambda command: command[0])
def test_processes_of_the_command_run_nothing_of_the_folder(
    mark: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(PROJECT), *command, f"--home={tmp_path / 'home'}"],
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert not mark.exists()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", get_args(Language))
def test_every_command_refuses_a_folder_that_configures_numba(
    language: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THREADX_LANGUAGE", language)
    (tmp_path / NUMBA).write_text("cache_dir: nc\n", encoding="utf-8")
    said = Words(language)("command.error.numba_configured", name=NUMBA, folder=str(tmp_path))
    root = build(Words(language))
    found = list(commands(root, click.Context(root, info_name="threadx")))
    assert len(found) > 20
    for path, command in found:
        given = [*path]
        for one in command.params:
            if one.required:
                given += [*one.opts[:1]] * isinstance(one, click.Option)
                given += [good(one, tmp_path / NUMBA)] * abs(one.nargs)
        with pytest.raises(SystemExit) as left:
            main(given)
        assert left.value.code == 2, path
        assert capsys.readouterr().err == f"{said}\n", path
    for given in (["--help"], ["--version"], ["backtest", "--help"]):
        with pytest.raises(SystemExit) as left:
            main(given)
        assert left.value.code == 0
        assert capsys.readouterr().err == ""


def test_the_folder_is_refused_before_numba_reads_it(tmp_path: Path) -> None:
    (tmp_path / NUMBA).write_text("cache_dir: nc\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + SCRIPT, str(PROJECT), "backtest", "sample:sp500"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "False\n")


@pytest.mark.model
def test_a_run_in_a_folder_that_somebody_sent_asks_no_server_that_only_its_record_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prices, home = tmp_path / "prices.csv", tmp_path / "home"
    made_up_prices().to_csv(prices)
    settings = {"home": str(home), "analyst": "rules", "strategist": "rules", "max_iterations": 1}
    with openai_server() as own, openai_server() as senders:
        monkeypatch.setenv("OPENAI_BASE_URL", senders.url)
        context = OptimizationContext(validator="openai:m,rules", approve=True, **settings)
        start_run(OptimizationInput(data=str(prices), run="r"), context)
        asked = len(senders.requests)
        assert asked
        resume = ["runs", "resume", "r", "--accept", "all", "--home", str(home), "--language", "en"]
        monkeypatch.delenv("OPENAI_BASE_URL")
        with pytest.raises(SystemExit) as left:
            main(resume)
        assert left.value.code == 2
        assert text(
            "nodes.error.server_elsewhere",
            "en",
            run="r",
            count=1,
            servers=f"OPENAI_BASE_URL={senders.url}",
        ) in " ".join(capsys.readouterr().err.split())
        monkeypatch.setenv("OPENAI_BASE_URL", own.url)
        with pytest.raises(SystemExit) as left:
            main(resume)
        assert left.value.code in (0, None)
        assert len(own.requests) > 0
        assert len(senders.requests) == asked
    noticed = [event.data for event in RunRecord(home, "r").events() if isinstance(event.data, Noticed)]
    assert [(one.code, one.then, one.now) for one in noticed] == [("server", senders.url, own.url)]
    told = text("command.noticed.server", "en", name="OPENAI_BASE_URL", then=senders.url, now=own.url)
    assert told in " ".join(capsys.readouterr().err.split())
