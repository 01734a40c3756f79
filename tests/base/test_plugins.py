"""Indicators that others add: used like ours, named where they fail, on record where they take part."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import talib

from tests.langgraph_server import PROJECT, clean_environment
from tests.prices import made_up_prices

TOLD = (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8")
MIDPRICE = re.findall(r"```python\n(.*?)```", TOLD, re.DOTALL)[0]
HALF = MIDPRICE.replace("            range=PRICE_RANGE,\n", "").replace("midprice", "halfprice")
WALK = """
import contextlib, io, json, sys
from base.plugins import plugins
from backtest import StrategySpec, run_backtest
from backtest.data.clock import Clock
from backtest.data.prices import read_prices
from backtest.engine.bank import IndicatorBank
from backtest.language.tree import Call, Number
from record.versions import changed_versions, versions
from tests.prices import made_up_prices
from threadx.command import main

prices = made_up_prices(300, cycle=0.05)
spec = StrategySpec(name="mine", entry_long="midprice(5) > midprice(20)", exit_long="close < midprice(5)")
arrays, index = read_prices(prices)
now = versions()
told = {
    "trades": run_backtest(prices, spec).metrics.n_trades,
    "short": spec.both_sides().entry_short,
    "values": IndicatorBank(arrays, Clock(index)).varying(Call("midprice", (Number(14.0),))).tolist(),
    "versions": now,
    "changed": changed_versions({**now, "plugin midprice.py": "another"}),
    "errors": {one.name: None if one.error is None else one.error.sentence("en") for one in plugins()},
}
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main(["doctor", "--home", sys.argv[1], "--language", "en"])
told["doctor"] = out.getvalue()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("plugins")
    texts = {
        "midprice.py": MIDPRICE,
        "half.py": HALF,
        "raises.py": "GROUP = 1 / 0",
        "taken.py": MIDPRICE.replace("midprice", "sma"),
        "without_rule.py": MIDPRICE.replace("midprice", "other").replace("RULES = {", "RULES = {} and {"),
        "nothing.py": "x = 1",
        "broken.py": "GROUP = (",
        "another.txt": MIDPRICE.replace("midprice", "another_price"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _install(folder / "site", "packaged_price", "whole", MIDPRICE.replace("midprice", "packaged_price"))
    _install(folder / "site", "raising_package", "whole", "raise KeyError('on import')")
    _install(folder / "site", "absent_package", "elsewhere.module", None)
    return {name: folder / name for name in [*texts, "missing.py"]}


def _install(site: Path, name: str, module: str, text: str | None) -> None:
    """A package as an installer leaves it: its code, and what it says of itself."""
    about = site / f"{name}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n", encoding="utf-8")
    offered = f"{name}.{module}" if text is not None else module
    (about / "entry_points.txt").write_text(f"[threadx.indicators]\n{name} = {offered}\n", encoding="utf-8")
    if text is not None:
        (site / name).mkdir()
        (site / name / "__init__.py").touch()
        (site / name / f"{module}.py").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def told(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", WALK, str(tmp_path_factory.mktemp("home"))],
        cwd=PROJECT,
        env=clean_environment(
            THREADX_PLUGINS=os.pathsep.join(map(str, files.values())),
            PYTHONPATH=str(files["midprice.py"].parent / "site"),
        ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_plugin_s_indicator_is_one_like_ours(told: dict[str, object]) -> None:
    prices = made_up_prices(300, cycle=0.05)
    high, low = (prices[name].to_numpy(dtype=np.float64) for name in ("high", "low"))
    np.testing.assert_allclose(np.array(told["values"], dtype=float), talib.MIDPRICE(high, low, 14))
    assert told["trades"] > 0
    assert told["short"] == "midprice(5) < midprice(20)"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half.py", "halfprice: range not said"),
        ("raises.py", "division by zero"),
        ("taken.py", "sma: there are two entries of this name"),
        ("without_rule.py", "other: an entry or a rule is missing"),
        ("nothing.py", "it defines none of GROUP"),
        ("broken.py", "was never closed"),
        ("missing.py", "there is no such file"),
        ("raising_package", "KeyError: 'on import'"),
        ("absent_package", "No module named 'elsewhere'"),
    ],
)
def test_one_that_fails_is_named_with_its_reason_and_stops_nothing(
    told: dict[str, object], name: str, reason: str
) -> None:
    assert told["errors"]["midprice.py"] is None
    assert reason in told["errors"][name]
    shown = " ".join(told["doctor"].split())
    assert f"The plugin {name} is not used" in shown
    assert told["versions"][f"plugin {name}"] == "failed"


def test_a_package_and_a_file_of_any_ending_are_used_too(told: dict[str, object]) -> None:
    assert (told["errors"]["packaged_price"], told["errors"]["another.txt"]) == (None, None)
    assert re.fullmatch(r"1\.2 [0-9a-f]{12}", told["versions"]["plugin packaged_price"])


def test_a_run_records_which_took_part_and_a_replay_notices_another(told: dict[str, object]) -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", told["versions"]["plugin midprice.py"])
    assert ["plugin midprice.py", "another", told["versions"]["plugin midprice.py"]] in told["changed"]


def test_the_command_takes_a_file(files: dict[str, Path], tmp_path: Path) -> None:
    command = ["--plugin", files["midprice.py"], "backtest", "sample:sp500"]
    command += ["--entry-long", "midprice(14) > midprice(50)", "--language", "en", "--home", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "threadx", *command],
        cwd=PROJECT,
        env=clean_environment(THREADX_PLUGINS=str(files["raises.py"])),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "midprice(14) > midprice(50)" in " ".join(done.stdout.split())
    assert done.stderr.count("The plugin raises.py is not used") == 1
