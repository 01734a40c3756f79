"""The library of indicators: what is added is used, shown, exported and removed; what is refused says why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import threadx
from backtest import StrategySpec, run_backtest, validate_prices
from backtest.engine import adopted
from backtest.errors import BacktestError
from backtest.language.functions import FUNCTIONS, reference, reserved
from nodes.optimization.changes import CHANGE, apply_change
from record.errors import ReportError
from record.record import RunRecord
from record.versions import check_plugins
from tests.caged import HONEST, valued
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.command import main
from vault import adding, indicators
from vault.errors import MarketError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
SOURCE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]

pytestmark = pytest.mark.posix  # a cage is needed to add one


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder whose library holds the function of the page, and the file it came from."""
    home = tmp_path_factory.mktemp("library")
    kept = adding.add(SOURCE, home, author="ollama:a-model", evidence={"run": "r1", "gain": 0.5})
    yield home, kept
    adopted.dismiss(kept.name)


@pytest.fixture
def told(filled, capsys):
    """Run a command on that folder: its exit code, what it said, and what it complained of."""

    def run(*arguments, home=filled[0]):
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--home", str(home), "--language", "en"])
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def test_a_condition_names_it_and_gets_what_the_source_computes(filled):
    prices = validate_prices(made_up_prices(400, cycle=0.05, frequency="1D"))
    spec = StrategySpec(
        name="push",
        params={"n": 30},
        entry_long="volume_push(n) < -1",
        exit_long="volume_push(period=n) > 1 or volume_push() > 3",
    )
    names = {"np": np}
    exec(SOURCE, names)
    close, volume = prices["close"].to_numpy(), prices["volume"].to_numpy()
    values = names["volume_push"](close, volume, 30)
    usual = names["volume_push"](close, volume, 50)
    with np.errstate(invalid="ignore"):
        entries, exits = values < -1, (values > 1) | (usual > 3)
    expected, inside = [], False
    for bar in range(len(close) - 1):
        if not inside and entries[bar]:
            expected.append(prices.index[bar + 1])
            inside = True
        elif inside and exits[bar]:
            inside = False
    trades = run_backtest(prices, spec).trades
    assert len(expected) > 3
    assert trades["entry_time"].tolist() == expected


def test_the_language_knows_it_as_its_own(filled):
    assert "volume_push" in reserved()
    assert "volume_push(period=50)".replace("period=", "") in reference("en").replace("period=", "")
    assert FUNCTIONS["volume_push"].bars(40) == 40
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", entry_long="volume_push(500) > 0")
    assert caught.value.code == "bad_period"
    change = {"kind": "add_filter", "side": "long", "condition": "volume_push(20) > 0"}
    changed = apply_change(StrategySpec.preset("ma_crossover"), CHANGE.validate_python(change))
    assert "volume_push(20) > 0" in changed.entry_long


def test_list_show_and_export_tell_what_is_there(told, tmp_path):
    code, said, _ = told("indicators", "list")
    head, row = said.splitlines()[:2]
    assert (code, head.count("\t")) == (0, 2)
    assert row.split("\t") == ["volume_push(period=50)", indicators_about(), "ollama:a-model"]
    code, said, _ = told("indicators", "show", "volume_push")
    assert code == 0
    for part in ("ollama:a-model", "Does not depend on the level of prices", "run: r1", "def volume_push"):
        assert part in said
    code, said, _ = told("indicators", "show", "volume_push", "--json", "-")
    found = json.loads(said)
    assert found["parameters"] == [{"name": "period", "low": 5, "high": 300, "default": 50, "whole": True}]
    path = tmp_path / "out.py"
    assert told("indicators", "export", "volume_push", "--out", str(path))[0] == 0
    code, said, _ = told("indicators", "add", str(path), "--json", "-", home=tmp_path / "elsewhere")
    assert code == 0
    assert json.loads(said)["hash"] == found["hash"]


def indicators_about():
    return "Change of the close in percent, times its volume as a multiple of the usual one."


def test_a_backtest_of_the_command_uses_it(told):
    arguments = ("--entry-long", "volume_push(50) < -2", "--exit-long", "volume_push(50) > 2")
    code, said, _ = told("backtest", "sample:sp500", *arguments, "--json", "-")
    assert code == 0
    assert json.loads(said)["metrics"]["n_trades"] > 0


def test_a_run_on_it_says_so_and_is_repeated_byte_for_byte(filled):
    home, kept = filled
    spec = StrategySpec(name="push", entry_long="volume_push(30) < -1", exit_long="volume_push(30) > 1")
    prices = made_up_prices(500, cycle=0.05, frequency="1D")
    threadx.optimize(
        prices, spec, run="r", home=home, max_iterations=1, use_debate=False, search="single", **ALL_RULES
    )
    told = RunRecord(home, "r").about()["versions"]
    assert told["indicator volume_push"] == f"ollama:a-model; {kept.hash}"
    assert threadx.replay("r", home=home).same
    check_plugins("r", told)
    with pytest.raises(ReportError) as caught:
        check_plugins("r", {**told, "indicator volume_push": "ollama:a-model; 0123456789abcdef"})
    assert (caught.value.code, caught.value.fields["names"]) == ("indicators_differ", "volume_push")


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (valued("np.mean(close)"), "knows its future"),
        ("import os\n", "Line 1: nothing is imported"),
        (valued("close[t] - close[t - 100000]"), "outside an array"),
        (HONEST[0], "williams_r(20) under another name"),
    ],
)
def test_what_is_refused_says_why_in_one_line(told, tmp_path, source, part):
    path = tmp_path / "bad.py"
    path.write_text(source, encoding="utf-8")
    code, said, complaint = told("indicators", "add", str(path))
    assert (code, said) == (2, "")
    assert part in complaint
    assert complaint.count("\n") == 1


def test_what_is_removed_is_known_no_more(told, tmp_path, filled):
    home = tmp_path / "h"
    indicators.keep(filled[1], home)
    assert told("indicators", "remove", "volume_push", home=home)[0] == 0
    assert told("indicators", "list", home=home)[1].startswith("The library is empty")
    code, _, complaint = told("indicators", "show", "volume_pusj", home=home)
    assert code == 2
    assert "no indicator volume_pusj" in complaint
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", entry_long="volume_push(50) > 0")
    assert caught.value.code == "unknown_name"
    adding.use(filled[0])
    StrategySpec(name="x", entry_long="volume_push(50) > 0")


@pytest.mark.parametrize("damage", ["source", "author", "name", "nothing", "import"])
def test_a_file_that_was_changed_is_refused_by_its_name(filled, tmp_path, damage):
    home = tmp_path
    indicators.keep(filled[1], home)
    path = home / "indicators" / "volume_push.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    match damage:
        case "source":
            content["indicator"]["source"] = content["indicator"]["source"].replace("100.0", "50.0")
        case "author":
            content["indicator"]["author"] = "somebody else"
        case "name":
            path = path.rename(path.with_name("sma.json"))
        case "nothing":
            content = []
        case _:
            content["indicator"]["source"] = "import os\n"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        adding.use(home)
    assert (caught.value.code, caught.value.fields["path"]) == ("damaged_indicator", str(path))


def test_one_name_is_one_function(filled, tmp_path):
    with pytest.raises(BacktestError) as caught:
        adding.add(SOURCE.replace("usual > 0.0", "usual > 1.0"), tmp_path, author="person")
    assert caught.value.code == "indicator_name_taken"
    assert not indicators.library(tmp_path)
