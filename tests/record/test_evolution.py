"""Why a strategy became what it is: read off the record, the same as data and as words."""

import json
from itertools import pairwise

import pytest

import threadx
from prompts import Words
from record.evolution import strategy_evolution
from record.record import RunRecord
from reports.explanation import explanation
from tests.answers import REASONS, by_role, turn, verdicts
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.command import main


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    home = tmp_path_factory.mktemp("evolution")
    # A slow wave and averages far too slow for it: something better is there to be found.
    slow = {"params": {"fast_period": 40, "slow_period": 120}}
    prices = made_up_prices(cycle=0.15)
    state, _ = run_graph(home, prices=prices, given=slow, max_iterations=3, patience=4)
    return home, state


def test_it_leads_from_the_start_to_the_champion(finished):
    home, state = finished
    told = threadx.export_strategy_evolution(state["run_id"], home=home)
    result = json.loads((home / "runs" / state["run_id"] / "result.json").read_text(encoding="utf-8"))
    adopted = [entry for entry in told["modifications"] if entry["outcome"] == "adopted"]
    assert [entry["sentence"] for entry in adopted] == [c["description"] for c in result["applied_changes"]]
    assert told["start"]["figures"]["score"] == result["initial_score"]
    assert adopted, "the run adopts something, else this proves nothing"
    assert adopted[0]["before"]["score"] == result["initial_score"]
    for earlier, later in pairwise(adopted):
        assert later["before"] == earlier["after"]
    assert adopted[-1]["after"]["score"] == result["final_score"]
    assert told["stop"]["reason"] == result["stop_reason"]
    assert told["holdout"]["score"] == result["champion"]["holdout"]["score"]
    assert len(told["modifications"]) == sum(len(entry["trials"]) for entry in result["history"])
    assert json.loads(json.dumps(told)) == told


def test_every_modification_tells_who_why_and_what_decided(finished):
    home, state = finished
    known = {event["id"] for event in lines(RunRecord(home, state["run_id"]))}
    for entry in threadx.export_strategy_evolution(state["run_id"], home=home)["modifications"]:
        assert entry["reason"]
        assert entry["expected_effect"]
        assert entry["hypotheses"]
        assert entry["proposed_by"] == {"role": "strategist", "model": "rules", "degraded": False}
        assert set(entry["events"]) <= known
        if entry["after"] is not None:
            assert entry["decided_by"]["score"] == entry["after"]["score"]
            assert entry["decided_by"]["champion_score"] == entry["before"]["score"]


def test_objections_and_dissent_are_named(tmp_path, monkeypatch):
    def analyst_wants_to_stop(request):
        return by_role(request, turn=turn("stop", statement="Enough."))

    def validator_vetoes(request):
        return by_role(request, verdicts=verdicts("validated", "rejected", "validated"))

    scripted_models(
        monkeypatch,
        {
            "ollama:a": [analyst_wants_to_stop] * 9,
            "ollama:s": [by_role] * 9,
            "ollama:v": [validator_vetoes] * 9,
        },
    )
    models = {"analyst": "a", "strategist": "s", "validator": "v", "cache_hours": 0.0}
    state, _ = run_graph(tmp_path, **models, max_iterations=1, debate_rounds=1)
    evolution = strategy_evolution(RunRecord(tmp_path, state["run_id"]).events())
    against_test = [entry["objections"][0] for entry in evolution["modifications"][1:2]]
    assert against_test == [{"by": "validator", "against": "test", "why": REASONS[1]}]
    dissent = {"by": "analyst", "against": "consensus", "why": "Enough."}
    assert all(dissent in entry["objections"] for entry in evolution["modifications"])
    assert evolution["modifications"][0]["proposed_by"]["model"] == "ollama:s"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_words_tell_the_same(finished, language):
    home, state = finished
    evolution = strategy_evolution(RunRecord(home, state["run_id"]).events())
    told = "\n".join(explanation(evolution, Words(language)))
    for entry in evolution["modifications"]:
        assert entry["sentence"] in told
        assert entry["reason"] in told
        for hypothesis in entry["hypotheses"]:
            assert hypothesis["statement"] in told
        if entry["after"] is not None:
            assert Words(language).number(entry["after"]["score"]) in told


def test_the_command_explains(finished, capsys):
    home, state = finished
    where = ("--home", str(home), "--language", "en")
    for extra in ((), ("--json", "-")):
        with pytest.raises(SystemExit) as left:
            main(["runs", "show", state["run_id"], "--explain", *extra, *where])
        assert not left.value.code
        told = capsys.readouterr().out
        if extra:
            assert json.loads(told) == threadx.export_strategy_evolution(state["run_id"], home=home)
        else:
            assert "Decision: " in told


def test_a_run_that_has_only_begun_has_no_modifications(tmp_path):
    record = RunRecord(tmp_path, "r")
    record.start({"graph": "optimization", "input": {"data": "x"}, "context": {}})
    assert threadx.export_strategy_evolution("r", home=tmp_path)["modifications"] == []
