"""Prompts of the cycle are blind: who remembers what happened to BTCUSDT in 2022 is not told of it."""

import json
import re

import numpy as np
import pytest

from backtest import StrategySpec
from graphs.review import graph as review
from nodes.context import OptimizationContext
from record.record import RunRecord
from tests.answers import adjust, analysis, by_role, proposals, risk, verdicts
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.optimization_runs import dataset_reference, run_graph
from tests.prices import made_up_prices
from tests.run_lines import lines

pytestmark = pytest.mark.model

NAMES = re.compile(r"btc|usdt|bitcoin", re.IGNORECASE)
DATES = re.compile(r"\b202[1-4]\b|\b202[1-4]-\d\d")
OWN = StrategySpec(
    name="BTC dip of 2022",
    params={"n": 5},
    entry_long="close < lowest(low, n)[1]",
    exit_long="close > sma(close, n)",
    risk={"stop_loss_pct": 2.0},
)
SWITCH = {"kind": "switch_preset", "preset": "supertrend", "search": False}
TEAM = {"analyst": "m:1b", "strategist": "m:1b", "validator": "m:1b"}


class Asked:
    """A request, as far as `by_role` looks."""

    def __init__(self, body):
        self.schema = body["format"]


def model(turns):
    """Plays every role; its proposals differ from one iteration to the next, and the last are repeated.

    A server that fell silent would be asked again and again, with seconds between.
    """
    told = iter(turns)

    def answer(body):
        fields = body["format"]["properties"]
        if "proposals" in fields and "stance" not in fields:
            return next(told, turns[-1])
        return by_role(Asked(body), verdicts=verdicts(), analysis=analysis())

    return answer


def prices():
    frame = made_up_prices(2000, cycle=0.05)
    frame.index = frame.index + (np.datetime64("2022-02-03") - frame.index[0].to_datetime64())
    return frame


def asked(tmp_path, **settings):
    """Every message that models were sent in two iterations, and the run."""
    told = model(
        [
            proposals(adjust(8, "n"), SWITCH, risk(3.0)),
            proposals(risk(4.0), adjust(12, "n"), risk(30, "max_bars")),
        ]
    )
    with ollama_emulator({"m:1b": Scripted(answer=told)}) as emulator:
        reference = dataset_reference(tmp_path, prices(), symbol="BTCUSDT", timeframe="1h")
        given = {"data": reference, "params": {}, "spec": OWN.model_dump(mode="json")}
        state, events = run_graph(
            tmp_path,
            given=given,
            ollama_base_url=emulator.url,
            language="en",
            cache_hours=0.0,
            max_iterations=2,
            **TEAM,
            **settings,
        )
    assert len(emulator.chats) > 8
    return [json.dumps(body["messages"], ensure_ascii=False) for body in emulator.chats], state, events


def test_no_prompt_of_a_run_holds_a_name_or_a_year(tmp_path):
    messages, state, events = asked(tmp_path)
    assert [found for one in messages for found in NAMES.findall(one)] == []
    assert [found for one in messages for found in DATES.findall(one)] == []
    assert all("A liquid crypto pair, bars of “1h”" in one for one in messages)
    assert any("from_bar" in one for one in messages), "a drawdown is told by its bar"
    begun = next(event for event in events if event["kind"] == "started")
    assert begun["data"]["blind"] is True
    assert state["result"]["settings"]["named"] is False
    assert state["result"]["dataset"]["symbol"] == "BTCUSDT", "people read its name"
    folder = tmp_path / "runs" / state["run_id"]
    assert not [one for one in state["result"]["verdict"]["reasons"] if one["code"] == "memory"]
    assert "neither the instrument" in (folder / "report.md").read_text(encoding="utf-8")


def test_named_tells_both_and_the_run_says_so(tmp_path):
    messages, state, events = asked(tmp_path, named=True)
    assert all("Instrument “BTCUSDT”, bars of “1h”" in one for one in messages)
    assert any("BTC dip of 2022" in one for one in messages)
    assert any(re.search(r"from 2022-\d\d-\d\d", one) for one in messages)
    assert next(event for event in events if event["kind"] == "started")["data"]["blind"] is False
    report = (tmp_path / "runs" / state["run_id"] / "report.md").read_text(encoding="utf-8")
    assert "may have remembered" in report
    (memory,) = [one for one in state["result"]["verdict"]["reasons"] if one["code"] == "memory"]
    assert memory["fields"]["models"] == "ollama:m:1b"
    assert "ollama:m:1b: told the instrument" in report


def test_a_review_is_blind_too(tmp_path):
    with ollama_emulator(
        {"m:1b": Scripted(answer=model([proposals(adjust(8, "n"), SWITCH, risk(3.0))]))}
    ) as emulator:
        context = OptimizationContext(
            home=str(tmp_path), ollama_base_url=emulator.url, language="fr", cache_hours=0.0, **TEAM
        )
        reference = dataset_reference(tmp_path, prices(), symbol="BTCUSDT", timeframe="1h")
        given = {"data": reference, "params": {}, "spec": OWN.model_dump(mode="json")}
        state = review.invoke(given, context=context)
    messages = [json.dumps(body["messages"], ensure_ascii=False) for body in emulator.chats]
    assert len(messages) > 4
    assert not [found for one in messages for found in (*NAMES.findall(one), *DATES.findall(one))]
    assert any("stratégie propre" in one for one in messages)
    told = lines(RunRecord(tmp_path, state["run_id"]))
    assert next(event for event in told if event["kind"] == "started")["data"]["blind"] is True
