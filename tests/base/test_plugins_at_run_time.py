"""A plugin that fails at work, is missing where it was used, or was asked for in vain: one sentence each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import threadx
from tests.langgraph_server import PROJECT, clean_environment
from tests.laws import some
from tests.prices import made_up_prices

TOLD = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
CODES = {
    match[1]: code
    for code in re.findall(r"```python\n(.*?)```", TOLD, re.DOTALL)
    if (match := re.match(r'"""(\w+\.py)', code))
}
MIDPRICE, SECTOR, SAVED, BOTH, HALVES = (
    CODES[f"{name}.py"] for name in ("midprice", "sector", "saved", "both_sides", "halves")
)
WALK = """
import json, sys
import numpy as np
from backtest import StrategySpec, run_backtest
from backtest.validation.stress import StressCase, stress_tests
from base.errors import TypedError
from graphs.ensemble import graph
from nodes.ensemble.context import EnsembleContext
from nodes.optimization.changes import CHANGE, describe_change, apply_change
from nodes.model_settings import provider_settings
from nodes.context import Context
from providers.health import check
from providers.opening import open_model
from providers import parse_reference
from tests.prices import made_up_prices

home = sys.argv[1]
prices = made_up_prices(300, cycle=0.05)
mine = lambda name: StrategySpec(name="mine", entry_long=f"{name}(5) > 1", exit_long="close < 1")
crossover = StrategySpec.preset("ma_crossover")
change = CHANGE.validate_python({"kind": "both_sides"})
case = StressCase.open(prices, crossover, generator=np.random.default_rng(1))
settings = provider_settings(Context(home=home))
tried = {
    "raising": lambda: run_backtest(prices, mine("raising")),
    "short": lambda: run_backtest(prices, mine("short")),
    "nothing": lambda: run_backtest(prices, mine("nothing")),
    "halves": lambda: stress_tests(case),
    "both_sides": lambda: apply_change(crossover, change),
    "described": lambda: describe_change(change, crossover, "en"),
    "saved": lambda: open_model(parse_reference("saved:x"), None, settings),
}
told = {}
for name, call in tried.items():
    try:
        call()
    except TypedError as error:
        told[name] = [error.code, error.sentence("en"), error.sentence("fr")]
    except Exception as error:
        told[name] = [repr(error)] * 3
health = check("saved:x", settings)
told["health"] = [health.ok, health.code]
state = graph.invoke({"data": "sample"}, context=EnsembleContext(home=home, language="en", models=["rules"]))
told["turns"] = {name: [turn["status"], turn["code"]] for name, turn in state["agents"].items()}
told["limits"] = state["summary"]["limits"]
print(json.dumps(told))
"""


def _run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=PROJECT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def _threadx(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return _run("-m", "threadx", *arguments, "--language", "en", **environment)


def _with(code: str, before: str, statement: str) -> str:
    """The code with a statement put in before one of its lines."""
    indent = re.search(rf"^( *){re.escape(before)}", code, re.MULTILINE)
    assert indent is not None
    return code.replace(f"{indent[1]}{before}", f"{indent[1]}{statement}\n{indent[1]}{before}", 1)


def _agent(name: str, code: str) -> str:
    return code.replace("sector", name).replace("breadth", f"{name}_breadth")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    sorry = "raise KeyError('sorry')"
    texts = {
        "midprice.py": MIDPRICE,
        "raising.py": _with(MIDPRICE, "high = ", sorry).replace("midprice", "raising"),
        "short.py": MIDPRICE.replace("(high + low) / 2.0", "(high + low)[1:]").replace("midprice", "short"),
        "nothing_given.py": _with(MIDPRICE, "high = ", "return None").replace("midprice", "nothing"),
        "halves.py": _with(HALVES, "excess = ", sorry),
        "both_sides.py": _with(_with(BOTH, "return spec.both", sorry), 'return words("changes', sorry),
        "saved.py": _with(SAVED, "path = ", sorry),
        "no_rows.py": _agent("no_rows", _with(SECTOR, "ways = ", sorry)),
        "no_cover.py": _agent("no_cover", SECTOR.replace("float(bool(inputs.forecasts.rows))", "1 / 0")),
        "no_policy.py": _agent("no_policy", _with(SECTOR, "words, row = ", sorry)),
        "import.py": "GROUP = 1 / 0",
        "broken.py": "GROUP = (",
        "defines_nothing.py": "x = 1",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def told(files: Path) -> dict[str, Any]:
    names = (
        "raising",
        "short",
        "nothing_given",
        "halves",
        "both_sides",
        "saved",
        "no_rows",
        "no_cover",
        "no_policy",
    )
    given = os.pathsep.join(str(files / f"{name}.py") for name in names)
    done = _run("-c", WALK, files / "home", THREADX_PLUGINS=given, OLLAMA_HOST="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("name", "file", "entry"),
    [
        ("raising", "raising.py", "raising"),
        ("halves", "halves.py", "halves"),
        ("both_sides", "both_sides.py", "both_sides"),
        ("described", "both_sides.py", "both_sides"),
        ("saved", "saved.py", "saved"),
    ],
)
def test_one_that_raises_is_told_by_plugin_entry_class_and_line(
    told: dict[str, Any], files: Path, name: str, file: str, entry: str
) -> None:
    code, english, french = told[name]
    lines = (files / file).read_text(encoding="utf-8").splitlines()
    raising = [place for place, line in enumerate(lines, 1) if "KeyError('sorry')" in line]
    line = raising[-1] if name == "described" else raising[0]
    assert code == "plugin_raised"
    for sentence in (english, french):
        assert file in sentence
        assert entry in sentence
        assert "KeyError" in sentence
        assert f" {line} " in sentence.replace("\u00a0", " ").replace(",", " ").replace(":", " ")
    assert "THREADX_PLUGINS" in english


@pytest.mark.parametrize(("name", "given"), [("short", "(299,)"), ("nothing", "NoneType")])
def test_an_indicator_that_gives_no_value_a_bar_is_told(told: dict[str, Any], name: str, given: str) -> None:
    code, english, french = told[name]
    assert code == "plugin_wrong_values"
    assert all(given in one and "300" in one and name in one for one in (english, french))


def test_health_tells_of_a_provider_that_raises(told: dict[str, Any]) -> None:
    assert told["health"] == [False, "plugin_raised"]


def test_an_agent_that_raises_abstains_by_name_and_the_others_go_on(told: dict[str, Any]) -> None:
    assert {name: turn[0] for name, turn in told["turns"].items() if not name.startswith("no_")} == {
        "technical": "answered",
        "macro": "answered",
        "sentiment": "answered",
        "quality": "answered",
    }
    for name, kind in (("no_rows", "KeyError"), ("no_cover", "ZeroDivisionError"), ("no_policy", "KeyError")):
        assert told["turns"][name] == ["abstained", "plugin_raised"]
        (limit,) = [one for one in told["limits"] if f"{name}.py" in one]
        assert limit.startswith(f"The {name} agent abstains")
        assert kind in limit


def test_the_command_ends_with_the_sentence(files: Path, tmp_path: Path) -> None:
    strategy = ("backtest", "sample:sp500", "--entry-long", "raising(14) > 1", "--home", tmp_path)
    done = _threadx("--plugin", files / "raising.py", *strategy)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = [one for one in done.stderr.splitlines() if "KeyError" in one]
    assert "--plugin" in line
    assert "THREADX_PLUGINS" not in line


UNUSABLE = ("missing.py", "broken.py", "defines_nothing.py", "import.py")


@pytest.mark.parametrize("name", some(UNUSABLE, UNUSABLE[::3]))
def test_one_that_the_command_names_and_cannot_use_ends_it(files: Path, tmp_path: Path, name: str) -> None:
    told = tmp_path / "result.json"
    asked = _threadx("--plugin", files / name, "backtest", "sample:sp500", "--home", tmp_path, "--json", told)
    assert asked.returncode == 2
    assert asked.stderr.count(f"The plugin {name} is not used") == 1
    assert "THREADX_PLUGINS" not in asked.stderr
    assert not told.exists()


def test_those_that_the_variable_names_and_nobody_can_use_are_told_once_and_end_nothing(
    files: Path, tmp_path: Path
) -> None:
    given = os.pathsep.join(str(files / name) for name in UNUSABLE)
    found = _threadx("backtest", "sample:sp500", "--home", tmp_path, THREADX_PLUGINS=given)
    assert found.returncode == 0, found.stderr
    for name in UNUSABLE:
        assert found.stderr.count(f"The plugin {name} is not used") == 1


def test_a_run_goes_on_with_the_plugins_that_it_was_made_with_alone(files: Path, tmp_path: Path) -> None:
    """Ended at the judgement by a stress test, resumed without it, with another, and with it."""
    flag, plugin = tmp_path / "flag", tmp_path / "halves.py"
    flag.touch()
    text = _with(
        HALVES, "excess = ", f"if __import__('os').path.exists({str(flag)!r}): raise KeyError('sorry')"
    )
    plugin.write_text(text, encoding="utf-8")
    home = ("--home", tmp_path / "home")
    rules = [part for role in ("analyst", "strategist", "validator") for part in (f"--{role}", "rules")]
    prices = tmp_path / "TEST_1d.csv"
    made_up_prices(400, frequency="1D", cycle=0.05).to_csv(prices)
    short = ("--max-iterations", "1", "--no-debate", "--search", "single")
    begun = _threadx("--plugin", plugin, "optimize", prices, *rules, *short, *home)
    assert begun.returncode == 2
    assert "KeyError" in begun.stderr
    assert "Traceback" not in begun.stderr
    (folder,) = (tmp_path / "home" / "runs").iterdir()
    flag.unlink()
    resume = ("runs", "resume", folder.name, *home)

    code, _, said = threadx(*resume, "--language", "en")  # this process knows nothing of it
    assert code == 2
    assert "halves.py" in said
    assert "--plugin" in said
    assert not (folder / "result.json").exists()

    plugin.write_text(text + "\n", encoding="utf-8")
    assert _threadx("--plugin", plugin, *resume).returncode == 2
    assert not (folder / "result.json").exists()

    plugin.write_text(text, encoding="utf-8")
    resumed = _threadx("--plugin", plugin, *resume)
    assert resumed.returncode == 0, resumed.stderr
    assert "halves" in (folder / "result.json").read_text(encoding="utf-8")

    plugin.write_text(text + "\n", encoding="utf-8")
    other = _threadx("--plugin", plugin, "runs", "replay", folder.name, *home)
    assert re.search(r"reproduced byte for byte, although .*halves\.py", " ".join(other.stdout.split()))
