"""Models that misbehave: every run ends in a valid result, and no failure ever looks like an opinion.

Here 40 seeds; `make soak` runs 500 (SOAK_SEEDS).
"""

import json
import os

import pytest

from backtest import StrategySpec
from nodes.optimization.schemas import Analysis
from providers.request import Request
from reports.record import RunRecord
from tests.faults import FAULTS, Misbehaving
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.scripted import scripted_models

SEEDS = int(os.environ.pop("SOAK_SEEDS", "40"))
PRICES = made_up_prices(400, cycle=0.05)
GIVEN = {"params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}}


def chains(seed):
    """Alone, backed by rules, or as a single agent: what a run may have."""
    alone = {"analyst": "m", "strategist": "m", "validator": "m"}
    backed = {role: "m, rules" for role in alone}
    return (alone, backed, {**alone, "roles": "single"})[seed % 3]


def run(tmp_path, monkeypatch, seed):
    model = Misbehaving(seed)
    scripted_models(monkeypatch, {"ollama:m": [model] * 2000})
    settings = {"max_iterations": 2, "debate_rounds": 1, "cache_hours": 0.0, "max_backtests": 12}
    state, _ = run_graph(tmp_path, prices=PRICES, given=GIVEN, **settings, **chains(seed))
    return state, list(RunRecord(tmp_path, state["run_id"]).events()), model


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_with_a_misbehaving_model_ends_whole(tmp_path, monkeypatch, seed):
    state, events, _ = run(tmp_path, monkeypatch, seed)
    result = json.loads((tmp_path / "runs" / state["run_id"] / "result.json").read_text())
    assert result["status"] in ("finished", "failed")
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    assert spec.hash == result["champion"]["hash"]
    assert 0.0 <= result["initial_score"] <= result["final_score"] <= 10.0
    assert result["trials"] <= 12
    proposers = ("strategist", "single")
    for event in events:
        provenance = event["data"].get("provenance")
        if provenance is None:
            continue
        # An answer has somebody who gave it; where nobody did, nothing was said.
        if provenance["model"] == "":
            assert event["kind"] == "abstention" or event["data"].get("stance") is None
            assert not event["data"].get("answer")
            assert not event["data"].get("verdicts")
            assert provenance["attempts"][-1]["code"]
        elif event["kind"] == "answer" and event["node"] == "analyst":
            kept = {name: event["data"]["answer"][name] for name in Analysis.model_fields}
            Analysis.model_validate(kept)
        if event["node"] in proposers and event["kind"] == "abstention":
            cited = f"i{event['iteration']:02d}.strategist.proposal."
            assert not [other for other in events if other["id"].startswith(cited)]
    if result["status"] == "failed":
        assert result["champion"]["hash"] == result["initial"]["development"]["hash"]
        assert result["trials"] == 1
    # Whatever a role said, only what its own schema holds was tested.
    for event in events:
        if event["kind"] == "proposal":
            StrategySpec.model_validate(event["data"]["spec"])
            assert "import" not in json.dumps(event["data"]["change"])


def test_every_fault_comes_up_in_so_many_seeds(monkeypatch):
    """The cases are what they claim to be: no fault is only on the list."""
    seen = set()
    for seed in range(40):
        model = Misbehaving(seed)
        schema = {"properties": {"claims": {}, "stance": {}}}
        request = Request(role="analyst", system="", user="", schema=schema, schema_words="")
        for _ in range(20):
            model(request)
        seen |= set(model.seen)
    assert seen == set(FAULTS)


def test_the_same_seed_gives_the_same_run(tmp_path, monkeypatch):
    first, _, _ = run(tmp_path / "a", monkeypatch, 3)
    second, _, _ = run(tmp_path / "b", monkeypatch, 3)
    assert {**first["result"], "run": None} == {**second["result"], "run": None}
