"""Hard limits: never exceeded, named when they end a run, and the best so far whole."""

import json

import pytest
from langchain_core.messages import AIMessage

from nodes.seam import journal
from providers.errors import RetryableError
from providers.request import estimate_tokens
from record.record import RunRecord
from tests.answers import analysis, by_role, proposals, turn, verdicts
from tests.laws import some
from tests.optimization_runs import run_graph
from tests.run_lines import lines
from tests.scripted import scripted_models

TEAM = {"analyst": "m", "strategist": "m", "validator": "m", "cache_hours": 0.0, "patience": 20}


def events_of(home, state):
    return lines(RunRecord(home, state["run_id"]))


def whole(home, state):
    """The result is complete, its champion judged if anything was tested, and the record consistent."""
    result = json.loads((home / "runs" / state["run_id"] / "result.json").read_text(encoding="utf-8"))
    tested = any(trial["backtests"] for entry in result["history"] for trial in entry["trials"])
    assert bool(result["champion"]["holdout"]) == tested
    assert result["status"] in (("finished",) if tested else ("untested", "failed"))
    assert result["final_score"] >= result["initial_score"]
    ids = {event["id"] for event in events_of(home, state)}
    assert "report" in ids
    return result


@pytest.mark.parametrize("limit", some([1, 2, 3, 4, 5, 9], [1, 4, 9]))
def test_no_call_more_than_allowed(tmp_path, monkeypatch, limit):
    script = scripted_models(monkeypatch, {"ollama:m": [by_role] * 200})
    state, _ = run_graph(tmp_path, **TEAM, max_model_calls=limit, max_iterations=9)
    assert len(script.order) == limit
    result = whole(tmp_path, state)
    assert result["stop_reason"] == "budget_model_calls"
    assert result["spent"]["model_calls"] == limit


def test_failed_tries_are_calls_too(tmp_path, monkeypatch):
    busy = RetryableError("rate_limited", model="m", detail="busy")
    script = scripted_models(monkeypatch, {"ollama:m": [busy, by_role, busy, busy, busy, by_role]})
    state, _ = run_graph(tmp_path, **TEAM, max_model_calls=4, max_iterations=3)
    assert len(script.order) == 4
    assert whole(tmp_path, state)["stop_reason"] == "budget_model_calls"


def test_after_the_last_call_nobody_stands_in(tmp_path, monkeypatch):
    """`rules` behind a model is for a model that is away, not for a budget that is used up."""
    scripted_models(monkeypatch, {"ollama:m": [by_role] * 9})
    chains = {role: "m, rules" for role in ("analyst", "strategist", "validator")}
    state, _ = run_graph(tmp_path, **{**TEAM, **chains}, max_model_calls=2, max_iterations=3)
    result = whole(tmp_path, state)
    assert result["iterations"] == 1
    assert not result["degraded"]
    assert result["brains"]["validator"]["refused"] == result["brains"]["validator"]["abstentions"] > 0


def counted(words, prompt, answer):
    return AIMessage(
        words,
        usage_metadata={
            "input_tokens": prompt,
            "output_tokens": answer,
            "total_tokens": prompt + answer,
        },
    )


def test_tokens_are_those_the_server_counts(tmp_path, monkeypatch):
    steps = [counted(words, 5000, 1000) for words in (analysis(), proposals(), verdicts(), turn("stop"))]
    scripted_models(monkeypatch, {"ollama:m": [*steps, *steps]})
    state, _ = run_graph(tmp_path, **TEAM, max_tokens=18_000, max_iterations=3)
    result = whole(tmp_path, state)
    assert result["stop_reason"] == "budget_tokens"
    assert result["spent"] == {"model_calls": 3, "tokens": 18_000}


def test_a_prompt_that_does_not_fit_into_what_is_left_is_not_sent(tmp_path, monkeypatch):
    script = scripted_models(monkeypatch, {"ollama:m": [by_role] * 50})
    state, _ = run_graph(tmp_path, **TEAM, max_tokens=6_000, max_iterations=9)
    sent = sum(
        estimate_tokens(request.system + request.user + request.closing)
        for request in script.calls["ollama:m"]
    )
    assert 0 < sent <= 6_000
    result = whole(tmp_path, state)
    assert result["stop_reason"] == "budget_tokens"
    assert result["spent"]["tokens"] <= 6_000


@pytest.mark.parametrize("limit", some([1, 2, 3, 20, 50], [1, 3, 20]))
def test_no_backtest_more_than_allowed(tmp_path, limit):
    state, _ = run_graph(tmp_path, max_backtests=limit, max_iterations=9, patience=9, use_debate=False)
    result = whole(tmp_path, state)
    done = 1 + sum(
        event["data"]["backtests"]
        for event in events_of(tmp_path, state)
        if event["node"] == "backtest_variant"
    )
    assert done <= limit
    assert result["trials"] == done
    assert result["stop_reason"] == "budget_backtests"


def test_time_ends_a_run_between_two_iterations(tmp_path, monkeypatch):
    """The clock is the record's: seconds at work."""
    monkeypatch.setattr("record.event_log.EventLog.elapsed_seconds", lambda log: 61.0)
    state, _ = run_graph(tmp_path, max_seconds=60.0, max_iterations=9)
    assert state["decision"]["reason"] == "budget_seconds"
    assert whole(tmp_path, state)["iterations"] == 1


def test_a_call_gets_no_more_time_than_is_left(tmp_path, monkeypatch):
    seen = []

    def watched(self, settings, request):
        bounded = bounds(self, settings, request)
        seen.append((bounded.local_seconds, bounded.answer_tokens, bounded.thinking_tokens))
        return bounded

    bounds = journal.Journal.bounded
    monkeypatch.setattr(journal.Journal, "bounded", watched)
    monkeypatch.setattr("record.event_log.EventLog.elapsed_seconds", lambda log: 50.0)
    scripted_models(monkeypatch, {"ollama:m": [by_role] * 9})
    settings = {"analyst": "m", "max_iterations": 1, "use_debate": False, "cache_hours": 0.0}
    run_graph(tmp_path, **settings, max_seconds=60.0, max_tokens=9000)
    ((seconds, answer, thinking),) = seen
    assert seconds == 10.0
    assert 0 < answer + thinking < 9000


def test_the_target_counts_before_a_budget(tmp_path):
    state, _ = run_graph(tmp_path, max_backtests=2, target_score=0.0)
    assert state["decision"]["reason"] == "target_score"
