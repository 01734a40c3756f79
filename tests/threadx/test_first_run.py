"""What somebody sees the first time: while it installs, while it runs, and what to do next."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numba import njit

import threadx
from prompts import Words
from tests.laws import some
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.command import main
from threadx.commands import local

PROJECT = Path(__file__).resolve().parents[2]
RULES = {role: [model] for role, model in ALL_RULES.items()}


@pytest.mark.parametrize("uv", ["", "uv"])
def test_each_step_of_the_installation_is_told_before_it_is_taken(tmp_path, uv):
    told = subprocess.run(
        ["make", "-n", "install", f"UV={uv}", f"VENV={tmp_path / 'venv'}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout.splitlines()
    steps = [place for place, line in enumerate(told) if line.startswith("echo")]
    assert [re.search(r"step (\d) of 4", told[place])[1] for place in steps] == ["1", "2", "3", "4"]
    assert all(re.search(r"[ /](venv|pip install|threadx optimize) ", told[place + 1]) for place in steps)


@pytest.mark.parametrize(("asked", "told"), [(None, False), (False, False), (True, True)])
def test_a_run_from_python_tells_how_it_goes_where_it_is_asked_to(tmp_path, capsys, asked, told):
    """Here standard error is no terminal: by default nothing is told."""
    watched = []
    given = {"home": tmp_path, "max_iterations": 1, "language": "en", **RULES}
    result = threadx.optimize(made_up_prices(400), progress=asked, watch=watched.append, **given)
    said = capsys.readouterr()
    assert said.out == ""
    assert (result.run in said.err) is told
    assert watched, "whoever watches sees every event all the same"


@pytest.mark.parametrize("asked", some([True, False], [True]))
def test_the_orchestrator_and_a_review_tell_how_they_go_where_they_are_asked_to(tmp_path, capsys, asked):
    cycle = threadx.OptimizationOrchestrator(config={"max_iterations": 1, "home": tmp_path, "models": RULES})
    result = cycle.optimize("ma_crossover", {}, made_up_prices(400), progress=asked)
    said = capsys.readouterr()
    assert (result.run in said.err, said.out) == (asked, "")
    read = threadx.review(made_up_prices(400), home=tmp_path, progress=asked, **RULES)
    said = capsys.readouterr()
    assert (read.run in said.err, said.out) == (asked, "")


def test_the_end_of_a_run_says_what_to_do_next(tmp_path, capsys):
    path = tmp_path / "A_1h.csv"
    made_up_prices(400).to_csv(path)
    roles = [f"--{role}={model}" for role, model in ALL_RULES.items()]
    with pytest.raises(SystemExit):
        main(["optimize", str(path), *roles, "--max-iterations=1", "--home", str(tmp_path), "--language=en"])
    told, _, last = capsys.readouterr().out.partition("Next steps")
    (run,) = (tmp_path / "runs").iterdir()
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert ("Nothing was adopted" in last) is (not result["applied_changes"])
    if not result["applied_changes"]:
        tried = [one for entry in result["history"] for one in entry["trials"] if one["backtests"]]
        became = told.partition("None: no variant")[2].partition("To replace the champion")[0]
        counts = re.findall(r"^• .*: (\d+)$", became, re.MULTILINE)
        assert sum(map(int, counts)) == len(tried) > 0
    assert f"threadx runs report {run.name} --format pdf" in last
    assert "threadx ui" in last


class Screen(io.StringIO):
    """A terminal, as far as anybody can ask."""

    def isatty(self):
        return True


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_minutes_of_the_first_start_are_announced_on_a_terminal_alone(tmp_path, monkeypatch, language):
    announced = Words(language)("command.progress.first_start")

    def told(screen):
        monkeypatch.setattr("sys.stderr", screen)
        with pytest.raises(SystemExit):
            main(["runs", "list", "--home", str(tmp_path), "--language", language])
        return screen.getvalue()

    monkeypatch.setattr(local, "compiled_engine", lambda: tmp_path)
    assert told(Screen()).startswith(announced)
    assert announced not in told(io.StringIO())
    (tmp_path / "simulation.nbi").touch()
    assert announced not in told(Screen())
    monkeypatch.undo()
    assert (local.compiled_engine().parent / "simulation.py").is_file()


def test_the_demo_adopts_something_and_judges_it(tmp_path, capsys):
    """What `make optimize` and the README's first command run, while no model answers."""
    readme, makefile = ((PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    demo = re.search(r"uv run threadx (optimize \S+)\n", readme)[1]
    assert f"$(BIN)/threadx {demo}\n" in makefile
    rules = [f"--{role}={model}" for role, model in ALL_RULES.items()]
    with pytest.raises(SystemExit) as ended:
        main([*demo.split(), f"--home={tmp_path}", f"--json={tmp_path / 'result.json'}", *rules])
    assert ended.value.code == 0
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    capsys.readouterr()
    assert result["final_score"] > result["initial_score"]
    assert result["applied_changes"]
    assert result["verdict"]["value"] in ("real", "promising", "unproven", "overfit")


@pytest.mark.parametrize(("module", "told"), [("backtest.kernels.made_up", 1), ("somebodys_plugin", 0)])
def test_a_first_compilation_is_told_once_and_a_plugins_is_not(monkeypatch, capsys, module, told):
    def computed(words, **given):
        for step in (1, 2):
            name = {"__name__": module}
            exec(f"def added(value):\n    return value + {step}", name)  # a function that no cache can know
            assert njit(name["added"])(1) == 1 + step

    monkeypatch.setattr("threadx.work.backtest.backtest", computed)
    for at_a_terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda at_a_terminal=at_a_terminal: at_a_terminal)
        with pytest.raises(SystemExit):
            main(["backtest", "sample:sp500", "--language", "fr"])
        told_now = capsys.readouterr().err.count("Compilation du moteur de calcul, une seule fois")
        assert told_now == (told if at_a_terminal else 0)
