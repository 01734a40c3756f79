"""`threadx mcp` as a coding assistant meets it: a real client starts the command and talks to its pipes."""

import asyncio
import json
import subprocess
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from tests.langgraph_server import clean_environment
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from vault.datasets import opening_log
from vault.ledger import Ledger

CROSS = {"preset": "ma_crossover", "params": {"fast_period": 5, "slow_period": 20}}

GRID = {"fast_period": [3, 7], "stop_loss_pct": [None, 3.25]}
TOOLS = {"backtest_strategy", "sweep", "review_strategy", "runs", "verdict"}


def talked(home, folder, conversation, *options):
    """What a conversation with the command came to."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "threadx", "mcp", "--home", str(home), "--language", "en", *options],
        env=clean_environment(NUMBA_NUM_THREADS="1", LANGSMITH_TRACING="false"),
        cwd=folder,
    )

    async def talk():
        async with Client(command) as client:
            return await conversation(client)

    return asyncio.run(talk())


def test_an_assistant_tries_sweeps_and_reads_and_every_trial_is_counted(tmp_path):
    home = tmp_path / "home"
    state, _ = run_graph(home, given={"run": "before"}, max_iterations=1, language="en")
    family = state["result"]["dataset"]["family"]
    counted, opened = Ledger(home).snapshot(family).trials, len(opening_log(home).lines)
    made_up_prices(cycle=0.05).to_csv(tmp_path / "TEST_1h.csv")

    async def conversation(client):
        async def call(name, **arguments):
            answer = await client.call_tool(name, arguments)
            return bool(answer.is_error), json.loads(answer.content[0].text)

        told = {"data": "TEST_1h.csv", "strategy": {**CROSS, "risk": {"stop_loss_pct": 3.25}}}
        return {
            "tools": (await client.list_tools()).tools,
            "backtest": await call("backtest_strategy", **told),
            "sweep": await call(
                "sweep", **told, grid={"fast_period": [3, 7], "stop_loss_pct": [None, 3.25]}, top=3
            ),
            "wrong": await call("sweep", **told, grid={"quick_period": [3]}),
            "misshapen": await call("sweep", data="TEST_1h.csv", strategy=CROSS),
            "runs": await call("runs"),
            "verdict": await call("verdict", run="before"),
            "unknown": await call("verdict", run="nothing"),
        }

    found = talked(home, tmp_path, conversation)
    assert {one.name for one in found["tools"]} == {
        "backtest_strategy",
        "sweep",
        "review_strategy",
        "runs",
        "verdict",
    }
    assert all(one.description and one.input_schema["type"] == "object" for one in found["tools"])
    assert {one.name for one in found["tools"] if one.annotations.read_only_hint} == {"runs", "verdict"}
    failed, backtest = found["backtest"]
    assert (failed, backtest["configurations_tried_so_far"]) == (False, counted + 1)
    failed, sweep = found["sweep"]
    assert (failed, sweep["configurations"], len(sweep["top"])) == (False, 4, 3)
    assert sweep["configurations_tried_so_far"] == Ledger(home).snapshot(family).trials == counted + 5
    assert len(opening_log(home).lines) == opened
    for name, word in (("wrong", "quick_period"), ("misshapen", "grid"), ("unknown", "nothing")):
        failed, answer = found[name]
        assert failed, name
        assert word in answer["error"], name
    assert [one["run"] for one in found["runs"][1]["runs"]] == ["before"]
    failed, verdict = found["verdict"]
    assert (failed, verdict["verdict"]) == (False, state["result"]["verdict"]["value"])
    assert verdict["reasons"]
    assert "holdout_metrics" not in verdict


def test_what_is_no_message_is_answered_and_the_next_one_is_read(tmp_path):
    """JSON-RPC 2.0, section 5: an error without an id, -32700 for what is no JSON, -32600 for no request."""
    lines = ["hello", '{"speak": 1}', '{"jsonrpc": "2.0", "id": 7, "method": "ping"}']
    with subprocess.Popen(
        [sys.executable, "-m", "threadx", "mcp", "--home", str(tmp_path), "--language", "en"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=clean_environment(LANGSMITH_TRACING="false"),
    ) as command:
        command.stdin.write("".join(f"{line}\n" for line in lines))
        command.stdin.flush()
        answers = [json.loads(command.stdout.readline()) for _ in lines]
        rest, said = command.communicate()
    assert [(one["id"], one.get("error", {}).get("code")) for one in answers] == [
        (None, -32700),
        (None, -32600),
        (7, None),
    ]
    assert (rest, said.count("This line is no JSON-RPC message")) == ("", 1)


def test_an_assistant_starts_runs_only_where_a_person_has_allowed_it(tmp_path):
    async def names(client):
        return {one.name for one in (await client.list_tools()).tools}

    assert talked(tmp_path / "home", tmp_path, names, "--runs") == TOOLS | {"optimize_strategy"}
