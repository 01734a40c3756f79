"""SIGKILL at every node: the run that is taken up ends as if nothing had happened."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphs import debate, optimization
from providers.errors import RefusedError
from record.record import RunRecord
from tests.answers import by_role
from tests.langgraph_server import clean_environment
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]
INSTANTS = 20
"""Rounds of kills at instants that a seed draws (SOAK_SEED): another seed, other instants."""
SEED = int(os.environ.get("SOAK_SEED", "0"))

TEAM = {
    "analyst": "m",
    "strategist": "m",
    "validator": "m",
    "cache_hours": 0.0,
    "max_iterations": 1,
    "search": "single",
}


def killing(folder, *asked):
    """What killed runs left; see `tests.killing`."""
    prices = folder / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(folder), str(prices), *map(str, asked)],
        cwd=ROOT,
        env=clean_environment(NUMBA_NUM_THREADS="1", LANGSMITH_TRACING="false"),
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return killing(tmp_path_factory.mktemp("killed"))


@pytest.mark.posix
def test_every_node_is_killed_and_every_run_ends_the_same(told):
    whole = {name: value for name, value in told["whole"].items() if name != "stored"}
    assert {name: case["killed"] for name, case in told["cases"].items()} == dict.fromkeys(
        told["cases"], True
    )
    different = [name for name, case in told["cases"].items() if case["left"] != whole]
    assert different == []


@pytest.mark.soak
@pytest.mark.posix
def test_whatever_the_instants_of_three_kills_every_run_ends_the_same(tmp_path):
    told = killing(tmp_path, INSTANTS, SEED)
    whole = {name: value for name, value in told["whole"].items() if name != "stored"}
    assert [name for name, case in told["cases"].items() if case["left"] != whole] == []
    killed = [case["killed"] for case in told["cases"].values()]
    assert sum(killed) > INSTANTS, "most were killed before their end"


@pytest.mark.soak
@pytest.mark.posix
def test_no_node_is_left_out(told):
    """Nodes that write events are killed before and after the first; `load` and `single` stand for
    themselves: the one writes its event in `baseline`, the other takes the analyst's place.
    """
    nodes = {*optimization.graph.get_graph().nodes, *debate.graph.get_graph().nodes}
    expected = nodes - {"__start__", "__end__", "debate", "single"}
    killed = {name.partition(" ")[0] for name in told["cases"] if not name.startswith("task")}
    assert expected <= killed | {"evidence"}


def test_a_killed_node_asks_no_model_twice(tmp_path, monkeypatch):
    """A model's answer is on record before the node that asked for it is done."""
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)

    class PowerCut(BaseException):
        pass

    script = scripted_models(monkeypatch, {"ollama:m": [by_role] * 50})

    def whole(home):
        return start_run(make_input(data=str(prices), run="r"), make_context(home=str(home), **TEAM))

    undisturbed = whole(tmp_path / "a")
    asked = len(script.order)
    script.order.clear()
    from_now_on = []

    def watch(event):
        if event["kind"] == "call" and event["id"] not in from_now_on:
            from_now_on.append(event["id"])
            raise PowerCut

    home = tmp_path / "b"
    with pytest.raises(PowerCut):
        start_run(make_input(data=str(prices), run="r"), make_context(home=str(home), **TEAM), watch)
    for _ in range(asked):
        try:
            resumed = resume_run("r", home, watch)
        except PowerCut:
            continue
        break
    assert {**resumed.details, "run": None} == {**undisturbed.details, "run": None}
    assert len(script.order) == asked, "each call was made once, over all the attempts"


def test_a_run_of_the_server_is_gone_through_again_from_its_record(tmp_path, monkeypatch):
    """Its checkpoints are the server's own: what models said is taken from the record."""
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    script = scripted_models(monkeypatch, {"ollama:m": [by_role] * 50})
    context = make_context(home=str(tmp_path / "h"), **TEAM)
    whole = start_run(make_input(data=str(prices), run="r"), context)
    asked = len(script.order)
    record = RunRecord(tmp_path / "h", "r")
    about = json.loads((record.folder / "run.json").read_text(encoding="utf-8"))
    (record.folder / "run.json").write_text(
        json.dumps({**about, "thread": "9b1d-of-the-server"}), encoding="utf-8"
    )
    (record.folder / "result.json").unlink()
    lines = record.events_path.read_text(encoding="utf-8").splitlines(keepends=True)
    record.events_path.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    calls = sum('"kind":"call"' in line for line in lines[: len(lines) // 2])
    script.order.clear()
    resumed = resume_run("r", tmp_path / "h")
    assert {**resumed.details, "run": None} == {**whole.details, "run": None}
    assert len(script.order) == asked - calls


def test_an_error_of_the_provider_survives_the_kill_too(tmp_path, monkeypatch):
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(500, cycle=0.05).to_csv(prices)
    refused = RefusedError("unauthorized", model="m", detail="no key")
    script = scripted_models(monkeypatch, {"ollama:m": [refused, by_role]})
    settings = {
        **ALL_RULES,
        "analyst": "m",
        "max_iterations": 1,
        "search": "single",
        "use_debate": False,
        "cache_hours": 0.0,
    }

    def watch(event):
        if event["kind"] == "call" and not stopped:
            stopped.append(event["id"])
            raise KeyboardInterrupt

    stopped = []
    home = tmp_path / "h"
    with pytest.raises(KeyboardInterrupt):
        start_run(make_input(data=str(prices), run="r"), make_context(home=str(home), **settings), watch)
    resumed = resume_run("r", home)
    assert script.order == ["ollama:m"]
    assert resumed.details["brains"]["analyst"]["failures"] == {"ollama:m: unauthorized": 1}
