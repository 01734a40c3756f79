"""The optimisation cycle end to end: its drawing, its routes, what models can and cannot do to it."""

import json
import re

import pytest

from backtest import BacktestError, Costs, StrategySpec, run_backtest
from backtest.validation.score import score_walk_forward
from backtest.validation.walk_forward import walk_forward
from providers.errors import ProviderError
from record.record import RunRecord, comparable
from tests.answers import adjust, analysis, proposals, risk, turn, verdicts
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from vault.datasets import Dataset, load_development
from vault.errors import MarketError

pytestmark = pytest.mark.long

DIVERSE = proposals(adjust(8), adjust(30, "slow_period"), risk(3.0))


def of_kind(events, kind, node=None):
    return [event for event in events if event["kind"] == kind and node in (None, event["node"])]


def improving_run(home, **settings):
    """A run that has something to find: a slow wave, and averages too fast to ride it."""
    return run_graph(
        home,
        prices=made_up_prices(3000, cycle=0.05),
        given={"params": {"fast_period": 2, "slow_period": 5, "stop_loss_pct": 2.0}},
        **settings,
    )


@pytest.fixture(scope="module")
def improved(tmp_path_factory):
    """(data folder, final state, events) of a run that finds something; nobody changes it."""
    home = tmp_path_factory.mktemp("improved")
    return home, *improving_run(home, max_iterations=5, language="en")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The same of a run of which nothing special is asked."""
    home = tmp_path_factory.mktemp("plain")
    return home, *run_graph(home)


# --- whole runs with rules ----------------------------------------------------------------------


def test_a_whole_run_finds_something_better_and_tells_it(improved):
    home, state, events = improved
    result = state["result"]
    assert result["status"] == "finished"
    assert result["final_score"] > result["initial_score"]
    assert not result["degraded"], "rules were asked for, and labelled as what they are"
    assert set(result["brains"]["strategist"]["answers"]) == {"rules"}
    assert all(change["description"] and change["reason"] for change in result["applied_changes"])
    folder = home / "runs" / state["run_id"]
    written = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    history = written.pop("history")
    assert written == result
    assert len(history) == result["iterations"]
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert result["applied_changes"][0]["description"] in report
    logged = lines(RunRecord(home, state["run_id"]))
    assert {event["id"] for event in logged} == {event["id"] for event in events}
    assert len(logged) == len({event["id"] for event in logged})
    known = {event["id"] for event in logged}
    assert all(cited in known for event in logged for cited in event["cites"])


def test_every_figure_of_the_result_is_the_engines_own(improved):
    home, state, _ = improved
    result, dataset = state["result"], Dataset.model_validate(state["dataset"])
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    prices, costs = load_development(dataset, home), Costs(fee_bps=10, slippage_bps=2)
    again = run_backtest(prices, spec, costs=costs)
    for name, value in again.metrics.to_dict().items():
        assert result["metrics"][name] == pytest.approx(value, rel=1e-9)
    walk = walk_forward(
        prices, spec, state["champion"]["grid"], costs=costs, plateau=True, least_trades=10, settle=True
    )
    assert walk.spec.hash == spec.hash
    assert result["final_score"] == score_walk_forward(walk, again, prices["close"]).value


def test_applied_changes_lead_from_the_initial_strategy_to_the_champion(improved):
    result = improved[1]["result"]
    assert [change["score_before"] for change in result["applied_changes"]][1:] == [
        change["score_after"] for change in result["applied_changes"]
    ][:-1]
    assert result["applied_changes"][-1]["score_after"] == result["final_score"]


def test_two_runs_differ_in_times_and_ids_alone(plain, tmp_path):
    _, first, events_1 = plain
    second, events_2 = run_graph(tmp_path)
    assert {**first["result"], "run": None} == {**second["result"], "run": None}

    def told(events):
        # Parallel branches finish in any order; nothing else may differ.
        return sorted(json.dumps(comparable(event), sort_keys=True) for event in events)

    assert told(events_1) == told(events_2)


def test_holdout_prices_reach_nothing_before_the_judgement(plain, tmp_path):
    other = made_up_prices(cycle=0.05)
    start = Dataset.model_validate(plain[1]["dataset"]).development_rows
    columns = ["open", "high", "low", "close"]
    other.iloc[start:, [other.columns.get_loc(name) for name in columns]] *= 3.0
    told = []
    for state, events in (plain[1:], run_graph(tmp_path, prices=other)):
        before = [event for event in events if event["kind"] not in ("holdout", "finished")]
        words = sorted(json.dumps(comparable(event), sort_keys=True) for event in before)
        # The vault's own hash is all that may tell the two files apart.
        told.append([line.replace(state["dataset"]["holdout_hash"], "HASH") for line in words])
        told.append(state["result"]["metrics"])
    assert told[0] == told[2]
    assert told[1] == told[3]


def test_the_holdout_is_opened_once_and_last(plain):
    home, _, events = plain
    assert len((home / "datasets" / "holdout_openings.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    kinds = [event["kind"] for event in events]
    assert kinds[kinds.index("holdout") + 1 :] == ["ledger", "finished"]  # what stands in the books, no more


def test_state_is_plain_and_small_json(tmp_path):
    state, _ = run_graph(tmp_path, max_iterations=5)
    assert len(json.dumps(state, allow_nan=False)) < 100_000


@pytest.mark.parametrize(
    ("settings", "absent"),
    [({"use_validator": False}, "validator"), ({"use_debate": False}, "consensus")],
)
def test_validator_and_debate_can_be_left_out(tmp_path, settings, absent):
    _, events = run_graph(tmp_path, **settings, max_iterations=1)
    assert absent not in {event["node"] for event in events}


def test_without_the_validator_two_voices_debate(tmp_path):
    _, events = run_graph(tmp_path, use_validator=False, max_iterations=1)
    assert [event["node"] for event in of_kind(events, "debate_turn")] == ["strategist", "analyst"]


# --- what models can and cannot do --------------------------------------------------------------

MODELS = {"analyst": "a", "strategist": "s", "validator": "v"}


def scripted_run(tmp_path, monkeypatch, steps, **settings):
    script = scripted_models(monkeypatch, {f"ollama:{name}": given for name, given in steps.items()})
    models = {**MODELS, "max_iterations": 1, "debate_rounds": 1, "cache_hours": 0.0, **settings}
    state, events = run_graph(tmp_path, **models)
    return state, events, script


def test_models_words_go_in_and_typed_changes_come_out(tmp_path, monkeypatch):
    state, events, script = scripted_run(
        tmp_path,
        monkeypatch,
        {
            "a": [analysis(), turn("continue")],
            "s": [proposals(adjust(8), adjust(10), adjust(30, "slow_period")), turn("continue")],
            "v": [verdicts("validated", "rejected", "validated"), turn("stop")],
        },
        language="en",
    )
    trials = state["history"][0]["trials"]
    assert [trial["sentence"] for trial in trials] == [
        "fast_period: 5 → 8",
        "fast_period: 5 → 10",
        "slow_period: 20 → 30",
    ]
    assert trials[1]["outcome"] == "rejected"
    assert trials[1]["score"] is None
    assert [
        e["data"]["number"]
        for e in sorted(of_kind(events, "backtest", "backtest_variant"), key=lambda e: e["id"])
    ] == [1, 3]
    assert state["history"][0]["analyst_score"] == 4.5
    assert state["debate"]["dissent"] == ["validator"]
    assert "Costs eat the wins." in script.calls["ollama:s"][0].closing


def test_a_model_that_is_away_hands_over_to_rules_and_the_run_says_so(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    state, _ = run_graph(tmp_path, strategist="gpt-oss:20b, rules", max_iterations=1)
    result = state["result"]
    assert result["degraded"] is True
    assert result["brains"]["strategist"]["degraded"] == 2
    assert result["brains"]["strategist"]["failures"] == {"ollama:gpt-oss:20b: unreachable": 2}
    assert result["brains"]["analyst"]["degraded"] == 0
    report = (tmp_path / "runs" / state["run_id"] / "report.md").read_text(encoding="utf-8")
    assert "dégradée" in report


def test_when_no_strategist_answers_the_run_fails_and_says_so(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    state, _ = run_graph(tmp_path, strategist="gpt-oss:20b", max_iterations=2)
    result = state["result"]
    assert result["status"] == "failed"
    assert result["trials"] == 1
    assert result["champion"]["hash"] == state["baseline"]["hash"]
    assert result["brains"]["strategist"]["answers"] == {}


def test_an_analyst_that_cannot_answer_has_no_opinion(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    state, events = run_graph(tmp_path, analyst="deepseek-r1:70b", max_iterations=1)
    assert state["history"][0]["analyst_score"] is None
    assert of_kind(events, "abstention", "analyst")
    assert of_kind(events, "debate_turn", "analyst")[0]["data"]["stance"] is None
    assert state["result"]["status"] == "finished"


def test_a_validator_that_cannot_answer_vetoes_nothing(tmp_path, monkeypatch):
    scripted_models(monkeypatch, {})
    state, _ = run_graph(tmp_path, validator="gemma3:27b", max_iterations=1)
    assert state["verdicts"] is None
    assert all(trial["score"] is not None for trial in state["history"][0]["trials"])


def test_repeats_and_nonsense_are_dropped_with_the_reason(tmp_path, monkeypatch):
    given = proposals(
        adjust(8), adjust(8.0), {"kind": "add_filter", "side": "long", "condition": "moon(3) > 1"}
    )
    state, events, script = scripted_run(
        tmp_path, monkeypatch, {"s": [given, given, turn("continue")]}, analyst="rules", validator="rules"
    )
    sent_back = script.calls["ollama:s"][1].correction[1]
    assert "déjà essayée" in sent_back, "a repeat goes back once, and is dropped when it comes again"
    assert [trial["sentence"] for trial in state["history"][0]["trials"]] == ["fast_period\u00a0: 5 → 8"]
    refused = of_kind(events, "answer", "strategist")[0]["data"]["refused"]
    assert refused[0]["reason_refused"] == "déjà essayée"
    assert "moon" in refused[1]["reason_refused"]


def test_an_answer_without_one_usable_proposal_goes_back_with_every_reason(tmp_path, monkeypatch):
    useless = proposals(adjust(5), adjust(99), adjust(3, "nothing"))
    state, _, script = scripted_run(
        tmp_path,
        monkeypatch,
        {"s": [useless, DIVERSE, turn("continue")]},
        analyst="rules",
        validator="rules",
    )
    sent_back = script.calls["ollama:s"][1].correction[1]
    assert "laisse la stratégie telle quelle" in sent_back
    assert "99" in sent_back
    assert "nothing" in sent_back
    assert len(state["history"][0]["trials"]) == 3


def test_models_can_stop_early_but_not_choose_the_champion(tmp_path, monkeypatch):
    steps = {
        "a": [analysis(), turn("stop")],
        "s": [DIVERSE, turn("stop")],
        "v": [verdicts("validated", "validated", "validated"), turn("continue")],
    }
    state, _, _ = scripted_run(tmp_path, monkeypatch, steps, max_iterations=10)
    assert state["decision"]["reason"] == "debate"
    trials = state["history"][0]["trials"]
    adopted = [trial["settled"] for trial in trials if trial["outcome"] == "adopted"]
    assert [state["champion"]["figures"]["hash"]] == (adopted or [state["baseline"]["hash"]])


def test_the_last_iterations_stand_in_the_prompts_and_older_ones_as_counts(tmp_path, monkeypatch):
    def answer(request):
        slow = next(values)
        return proposals(adjust(slow, "slow_period"), adjust(slow + 50, "slow_period"), risk(slow / 10))

    values = iter(range(30, 100))
    script = scripted_models(monkeypatch, {"ollama:s": [answer] * 7})
    run_graph(tmp_path, strategist="s", max_iterations=7, patience=7, use_debate=False, cache_hours=0.0)
    last = script.calls["ollama:s"][6].user
    assert [int(number) for number in re.findall(r"^Itération (\d+)", last, re.MULTILINE)] == [5, 6]
    (older,) = re.findall(r"^.*Jusqu’à l’itération 4.*$", last, re.MULTILINE)
    # Each of the four tried two values of the slow average and one stop.
    assert "slow_period : 8" in older.replace("\u00a0", " "), older


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "settings", "error", "code"),
    [
        ({"strategy": "moving_moon"}, {}, BacktestError, "unknown_strategy"),
        ({"params": {"speed": 3}}, {}, BacktestError, "unknown_parameter"),
        ({"params": {"slow_period": 390}}, {}, BacktestError, "not_enough_bars"),
        ({"data": "nowhere.csv"}, {}, MarketError, "missing_file"),
        ({}, {"analyst": "g4f:no-such-model"}, ProviderError, "unknown_model"),
    ],
)
def test_bad_input_is_named_and_leaves_no_run_behind(tmp_path, given, settings, error, code):
    prices = made_up_prices(450)
    with pytest.raises(error) as caught:
        run_graph(tmp_path, prices=prices, given=given, **settings)
    assert caught.value.code == code
    assert not (tmp_path / "runs").exists()
