"""`backtest_strategy` in an agent that is not ours: LangChain's own, over HTTP with a local server."""

import json
import re
from typing import get_args

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic_core.core_schema import ErrorType

from backtest import PRESETS, Costs, StrategySpec, run_backtest
from backtest.types import PLACES, Risk, Sizing
from base.errors import LANGUAGES
from tests.base.test_errors import english
from tests.openai_server import Scripted, openai_server
from tests.prices import made_up_prices
from threadx.tools import backtest_strategy, backtest_tool
from vault.datasets import load_development, openings, register
from vault.ledger import Ledger
from vault.readers.prices import read_prices

CODES = {code for code in get_args(ErrorType) if "_" in code}


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "ABC_1h.csv"
    made_up_prices(600, cycle=0.05).to_csv(path)
    return path


def properties(schema, definitions):
    """Every named property of a JSON schema, through references and alternatives."""
    if "$ref" in schema:
        yield from properties(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for part in schema.get("anyOf", []):
        yield from properties(part, definitions)
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from properties(inner, definitions)


def test_the_model_is_told_of_every_field_what_it_is():
    told = convert_to_openai_tool(backtest_strategy)["function"]
    schema = backtest_strategy.get_input_schema().model_json_schema()
    found = dict(properties(schema, schema["$defs"]))
    settings = {*Risk.model_fields, *Sizing.model_fields}
    forms = {"data", "strategy", "preset", "params", "risk", "sizing"}
    assert {*forms, *PLACES, *settings} == found.keys()
    assert all(inner.get("description") for inner in found.values())
    assert all(name in found["preset"]["enum"] for name in PRESETS)
    bounded = [name for name in settings if any("maximum" in part for part in found[name].get("anyOf", ()))]
    assert set(bounded) >= {*Risk.bounds, *Sizing.bounds} - {"whole_units"}
    assert told["parameters"]["required"] == ["data", "strategy"]


def answers(server):
    """What the agent sent back to its model as results of tools, in order."""
    return [json.loads(m["content"]) for m in server.requests[-1]["messages"] if m["role"] == "tool"]


@pytest.mark.model
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_agent_of_anybodys_backtests_and_reads_refusals(tmp_path, prices, language):
    good = {"preset": "rsi_reversion", "params": {"rsi_period": 10}, "risk": {"stop_loss_pct": 3.0}}
    own = {
        "entry_long": "close < lowest(low, n)[1]",
        "exit_long": "close > sma(close, n)",
        "params": {"n": 5},
    }
    bad = [
        {"data": "nowhere.csv", "strategy": good},
        {"data": "sample:moon", "strategy": good},
        {"data": str(tmp_path), "strategy": good},
        {"data": str(prices), "strategy": {"preset": "ma_crossovr"}},
        {"data": str(prices), "strategy": {"preset": "ma_crossover", "params": {"speed": 3}}},
        {"data": str(prices), "strategy": {"preset": "ma_crossover", "params": {"fast_period": 50}}},
        {"data": str(prices), "strategy": {"entry_long": "clse > 3"}},
        {"data": str(prices), "strategy": {"entry_long": "close > sma(close, 5000)"}},
        {"data": str(prices), "strategy": {}},
        {"data": str(prices), "strategy": {**good, "risk": {"stop_loss_pct": -1}}},
        {"data": str(prices), "strategy": {**good, "stop": 3}},
        {"data": str(prices), "strategy": "buy low, sell high"},
        {"data": str(prices)},
        {"strategy": good},
        {},
    ]
    calls = [
        {"data": str(prices), "strategy": good},
        {"data": str(prices), "strategy": json.dumps(own)},
        *bad,
        {"data": str(prices), "strategy": good},
    ]
    steps = [Scripted(text="", tool_calls=(("backtest_strategy", call),)) for call in calls]
    home = tmp_path / "home"
    with openai_server(*steps, Scripted(text="done")) as server:
        model = ChatOpenAI(model="small", base_url=server.url, api_key="none", max_retries=0)
        agent = create_agent(model, tools=[backtest_tool(home=home, language=language)])
        said = agent.invoke(
            {"messages": [("user", "Try some strategies.")]}, {"recursion_limit": 4 * len(calls)}
        )
    assert said["messages"][-1].content == "done", "no refusal stopped the agent"
    told = answers(server)
    assert len(told) == len(calls)
    for call, answer in zip(bad, told[2:-1], strict=True):
        assert answer.keys() == {"error"}, call
        assert answer["error"].endswith((".", "?", ")")) or " " in answer["error"], call
        assert not CODES & set(re.findall(r"\w+", answer["error"])), answer
        if language == "fr":
            quoted = answer["error"].replace(str(tmp_path), "")
            assert english(quoted) == set(), answer
    results = [message for message in said["messages"] if isinstance(message, ToolMessage)]
    assert [one.status for one in results] == ["success"] * 2 + ["error"] * len(bad) + ["success"]
    frame, source = read_prices(str(prices), home)
    dataset = register(frame, symbol=source.symbol, timeframe=source.timeframe, home=home)
    development = load_development(dataset, home)
    spec = StrategySpec.preset("rsi_reversion", rsi_period=10, stop_loss_pct=3.0)
    expected = run_backtest(development, spec, costs=Costs(fee_bps=10.0, slippage_bps=2.0)).metrics
    assert told[0]["metrics"]["n_trades"] == expected.n_trades
    assert told[0]["metrics"]["sharpe_ratio"] == pytest.approx(expected.sharpe_ratio, rel=1e-6)
    assert told[0]["bars"] == len(development) < 0.8 * len(frame), "the development part alone"
    assert told[0]["last"] < dataset.boundary
    assert told[1]["metrics"]["n_trades"] > 0
    counts = [told[place]["configurations_tried_so_far"] for place in (0, 1, -1)]
    assert counts == [1, 2, 2], "each different strategy counts once"
    assert Ledger(home).snapshot(dataset.family).trials == 2
    assert openings(dataset.family, home) == 0


ODD = {
    "nesting": "[" * 1_000_000,
    "nesting that closes": "[" * 5_000 + "]" * 5_000,
    "objects in objects": '{"preset":' * 5_000 + "1" + "}" * 5_000,
    "digits": '{"params": {"n": ' + "9" * 5_000 + "}}",
    "not a number": '{"preset": "ma_crossover", "params": {"fast_period": NaN}}',
    "infinity": '{"preset": "ma_crossover", "params": {"fast_period": 1e999}}',
    "half a letter": '{"preset": "\\ud83d"}',
    "half a letter bare": '{"preset": "\ud83d"}',
    "key twice": '{"preset": "ma_crossover", "preset": "no_such"}',
    "cut off": '{"preset": "ma_cro',
    "empty": "",
    "list": "[]",
    "number": "7",
    "null": "null",
    "other types": {"preset": ["ma_crossover"], "params": "x", "risk": 3},
    "number of any size": {"preset": "ma_crossover", "params": {"fast_period": 10**400}},
    "name that no file has": {"preset": "a\0b"},
    "nothing": None,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arguments_of_a_model_are_one_refusal_and_never_the_end_of_the_agent(name, tmp_path, prices):
    tool = backtest_tool(home=tmp_path / "home", language="en")
    call = {"name": tool.name, "args": {"data": str(prices), "strategy": ODD[name]}, "id": "1"}
    answer = tool.invoke({**call, "type": "tool_call"})
    told = json.loads(answer.content)
    assert told.keys() == {"error"}
    assert "\n" not in told["error"]
    assert len(told["error"]) < 2_000
