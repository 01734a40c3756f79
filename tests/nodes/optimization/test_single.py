"""One agent in the place of the team: one call an iteration, the same tests, the same arithmetic."""

from tests.answers import REASONS, adjust, work
from tests.optimization_runs import run_graph
from tests.scripted import scripted_models

SINGLE = {"roles": "single", "strategist": "m", "cache_hours": 0.0, "language": "en"}


def test_one_call_an_iteration_does_everything(tmp_path, monkeypatch):
    other = (adjust(30, "slow_period"), {"kind": "add_filter", "side": "long", "condition": "adx(14) > 25"})
    more = work(changes=(*other, adjust(12)))
    script = scripted_models(monkeypatch, {"ollama:m": [work("validated", "rejected", "validated"), more]})
    state, events = run_graph(tmp_path, **SINGLE, max_iterations=2)
    assert script.order == ["ollama:m"] * 2
    assert {event["node"] for event in events} & {"analyst", "strategist", "validator", "consensus"} == set()
    selected = [event["data"] for event in events if event["node"] == "select" and "trials" in event["data"]]
    first = selected[0]
    assert [trial["outcome"] == "rejected" for trial in first["trials"]] == [False, True, False]
    assert first["trials"][1]["verdict_reason"] == REASONS[1]
    assert first["analyst_score"] == 4.5
    assert state["result"]["brains"]["single"]["calls"] == 2
    assert state["result"]["status"] == "finished"
    assert "strategy language" in script.calls["ollama:m"][0].system, "it knows what the strategist knows"


def test_its_stance_can_end_the_search_as_a_debate_would(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {"ollama:m": [work(stance="stop")]})
    state, _ = run_graph(tmp_path, **SINGLE, max_iterations=9)
    assert state["decision"]["reason"] == "debate"
    assert state["iteration"] == 1


def test_without_an_answer_nothing_is_tested_and_the_run_fails(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    state, _ = run_graph(tmp_path, **SINGLE, max_iterations=2)
    assert state["result"]["status"] == "failed"
    assert state["result"]["trials"] == 1


def test_rules_can_be_the_single_agent(tmp_path):
    state, events = run_graph(tmp_path, roles="single", max_iterations=2)
    assert state["result"]["brains"] == {
        "single": {
            "calls": 2,
            "answers": {"rules": 2},
            "repaired": 0,
            "degraded": 0,
            "abstentions": 0,
            "refused": 0,
            "failures": {},
        }
    }
    assert [event for event in events if event["node"] == "backtest_variant"]
