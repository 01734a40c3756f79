"""One home a user: whatever the door, the folder and the path, a file has one ledger and one vault."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import threadx
from prompts import Words
from reports.belief import reason_lines
from tests.laws import cases
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.command import main
from vault.boundaries import advance
from vault.datasets import load_development, open_holdout, openings, register
from vault.errors import MarketError
from vault.home import default_home, left_behind

pytestmark = pytest.mark.long

PROJECT = Path(__file__).resolve().parents[2]
RULES = {role: [model] for role, model in ALL_RULES.items()}
DOORS = {
    "command": """
import sys
from threadx.command import main
main(["backtest", sys.argv[1], "--all", "-p", "fast_period=4"])
""",
    "python": """
import sys, threadx
threadx.backtest(sys.argv[1], params={"fast_period": 6}, whole=True)
""",
    "graph": f"""
import sys
from graphs.optimization import graph
graph.invoke({{"data": sys.argv[1]}}, context={{"max_iterations": 1, "search": "single", **{RULES!r}}})
""",
    "page": f"""
import sys, threadx.web.app
from pathlib import Path
from threadx.command import main
from threadx.web.order import Order, arguments
home = threadx.web.app._context.home_path
order = Order(
    data=str(Path(sys.argv[1]).absolute()),
    strategy="buy_and_hold",
    models={ALL_RULES!r},
    settings={{"max_iterations": 1}},
)
main([*arguments(order, "paged", "en", home), f"--home={{home}}"])
""",
}
"""Programs that open the holdout of the file that is their argument, each by another door."""

ALL_DOORS = """
import json, os, sys
for code, folder, path in json.loads(sys.stdin.read()):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    sys.argv[1:] = [path]
    try:
        exec(code, {})
    except SystemExit as left:
        assert left.code == 0, code
"""
"""One door after the other in one process, each from another folder."""


def environment(tmp_path):
    """That of a user who has set nothing: the platform's own folders lie under `tmp_path`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREADX")}
    user = tmp_path / "user"
    user.mkdir(exist_ok=True)
    own = {name: str(user) for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "APPDATA")}
    return {**kept, "HOME": str(user), **own, "PYTHONPATH": str(PROJECT)}


def test_one_file_has_one_ledger_and_one_vault_by_every_door_from_every_folder(tmp_path):
    prices = tmp_path / "prices" / "BTC_1h.csv"
    prices.parent.mkdir()
    made_up_prices(400, cycle=0.05).to_csv(prices)
    (tmp_path / "link.csv").symlink_to(prices)
    (tmp_path / "folder").symlink_to(prices.parent, target_is_directory=True)
    ways = {
        "command": (tmp_path / "prices", "BTC_1h.csv"),
        "python": (tmp_path / "a" / "b", "../../prices/BTC_1h.csv"),
        "graph": (tmp_path / "c", str(tmp_path / "link.csv")),
        "page": (tmp_path / "d", "../folder/BTC_1h.csv"),
    }
    assert ways.keys() == DOORS.keys()
    done = subprocess.run(
        [sys.executable, "-c", ALL_DOORS],
        input=json.dumps([(DOORS[door], str(folder), path) for door, (folder, path) in ways.items()]),
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ledgers, vaults = ([*tmp_path.rglob(name)] for name in ("ledger.sqlite", "holdout_openings.jsonl"))
    assert len(ledgers) == len(vaults) == 1, "no door keeps books of its own"
    lines = [json.loads(line) for line in vaults[0].read_text(encoding="utf-8").splitlines()]
    assert len({line["family"] for line in lines}) == 1
    readers = [line["reader"] for line in lines]
    assert len(set(readers)) == len(readers) == len(DOORS), "each opens it once, and knows of those before"
    assert readers[-1] == "paged"
    result = json.loads((vaults[0].parents[1] / "runs" / "paged" / "result.json").read_text(encoding="utf-8"))
    assert result["holdout"]["opening"] == len(DOORS)


@pytest.fixture
def nobody_chose(tmp_path, monkeypatch):
    """A user who has set nothing, standing in a project's folder; the data folder of this platform."""
    monkeypatch.delenv("THREADX_HOME")
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return Path(default_home())


def test_a_run_says_where_it_is_counted_and_what_it_leaves_behind(nobody_chose, monkeypatch, capsys):
    def said(*arguments):
        with pytest.raises(SystemExit) as left:
            main(["backtest", "sample:sp500", "--language", "en", *arguments])
        assert left.value.code == 0
        return capsys.readouterr().err.splitlines()

    former = Path.cwd() / "data"
    usual, old = f"Data folder: {nobody_chose}", f"Data folder: {former}"
    assert said() == [usual], "where there is nothing of old, nothing is said of it"
    assert said("--home", "data") == [old]
    warned, told = said()
    assert told == usual
    assert str(former) in warned
    assert "--home data" in warned
    assert said("--home", "data") == [old]
    monkeypatch.setenv("THREADX_HOME", "")
    assert said()[-1] == usual, "an empty variable is none"
    monkeypatch.setenv("THREADX_HOME", "data")
    assert said() == [old]


def test_python_warns_of_a_ledger_in_the_folder_it_stands_in(nobody_chose, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threadx.backtest("sample:sp500", home="data")
        threadx.backtest("sample:sp500", home="data")
    with pytest.warns(UserWarning, match='home="data"') as caught:
        threadx.backtest("sample:sp500")
    assert caught[0].filename == __file__, "the caller's own line is shown"
    assert nobody_chose.is_dir()
    monkeypatch.setenv("THREADX_HOME", str(Path("data").absolute()))
    assert left_behind() is None


HISTORY = made_up_prices(900, seed=11)


@example(steps=[("advance to", 441, 120, 0), ("register", 0, 201, 0)])  # refused after it had moved
@settings(max_examples=cases(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["register", "register", "open", "advance", "advance to"]),
            st.integers(0, 500),
            st.integers(120, 900),
            st.integers(0, 899),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_only_an_advance_moves_a_boundary_and_only_forward(tmp_path_factory, steps):
    """Files that begin and end anywhere and overlap, with openings and moves between them."""
    home = tmp_path_factory.mktemp("home")
    first = register(HISTORY.iloc[200:500], symbol="A", timeframe="1h", home=home)
    boundary, moves, family = first.boundary, 0, first.family
    seen: dict[str, str] = {}  # how far each reader saw
    refused: set[str] = set()
    for number, (what, begin, length, place) in enumerate(steps):
        frame = HISTORY.iloc[begin : begin + length]
        if frame.index[-1] < HISTORY.index[200] or frame.index[0] > HISTORY.index[499]:
            continue  # no row in common with what is known
        known = {"symbol": "A", "timeframe": "1h", "home": home}
        try:
            if what.startswith("advance"):
                to = None if what == "advance" else HISTORY.index[place].isoformat()
                dataset = advance(frame, **known, to=to)
                assert dataset.boundary > boundary, "forward, or refused"
                boundary, moves = dataset.boundary, moves + 1
            else:
                dataset = register(frame, **known)
        except MarketError as error:
            refused.add(error.code)
            continue
        assert (dataset.family, dataset.boundary, len(dataset.advances)) == (family, boundary, moves)
        development = load_development(dataset, home)
        assert development.index[-1] < HISTORY.index[HISTORY.index.searchsorted(boundary)]
        seen = {reader: last for reader, last in seen.items() if last >= boundary}
        if what == "open" and dataset.holdout_rows:
            prices, start, opening = open_holdout(dataset, home, reader=f"reader {number}")
            assert prices.index[start].isoformat() >= boundary
            seen[f"reader {number}"] = dataset.last
            assert opening == len(seen)
        assert openings(family, home, since=boundary) == len(seen)
    assert refused <= {"not_forward", "no_rows_behind", "no_development_rows", "nothing_to_advance"}
    if moves:
        told = dataset_of(home).advances
        assert [one.after for one in told] == sorted(one.after for one in told)


def dataset_of(home):
    """What the whole history is registered as by now."""
    return register(HISTORY, symbol="A", timeframe="1h", home=home)


def test_a_moved_boundary_is_told_in_every_later_verdict(tmp_path, capsys):
    path = tmp_path / "A_1h.csv"
    HISTORY.iloc[:300].to_csv(path)
    home = str(tmp_path / "home")
    first = threadx.optimize(path, home=home, max_iterations=1, search="single", language="en", **RULES)
    assert not [line for line in reason_lines(first.details, Words("en")) if "boundary" in line]
    HISTORY.to_csv(path)
    grown = threadx.optimize(path, home=home, max_iterations=1, search="single", language="en", **RULES)
    assert grown.details["dataset"]["boundary"] == first.details["dataset"]["boundary"]
    with pytest.raises(SystemExit) as left:
        main(["data", "advance", str(path), "--home", home, "--language", "en"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    after = HISTORY.index[720].isoformat()
    assert after[:10] in told
    assert "openings until then: 2" in told
    moved = threadx.optimize(path, home=home, max_iterations=1, search="single", language="en", **RULES)
    assert moved.details["dataset"]["boundary"] == after
    assert moved.details["holdout"]["opening"] == 2, "the second reader saw bars that are still reserved"
    line = reason_lines(moved.details, Words("en"))[-1]
    assert "Moves: 1" in line
    assert after[:10] in line
    assert line in (moved.folder / "report.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["data", "advance", str(path), "--home", home, "--language", "en"])
    assert left.value.code == 2
    assert "only moves forward" in capsys.readouterr().err
