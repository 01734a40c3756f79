"""Models that misbehave: every run ends in a valid result, and no failure ever looks like an opinion.

Here 22 seeds, every chain and every fault among them; `make soak` runs 500 (SOAK_SEEDS). Prices and costs are
the same in every case, so what the engine says of one strategy is computed once for all of them; the
resampling of the final judgement is cut.
"""

import functools
import json
import os
import re
from copy import deepcopy

import pytest

from backtest import StrategySpec
from nodes.optimization.evidence import preparing
from nodes.optimization.schemas import Analysis
from nodes.optimization.trials import ledger, trial
from record.record import RunRecord
from tests.faults import FAULTS, NAME, POISON, Misbehaving
from tests.optimization_runs import dataset_reference, run_graph
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models

pytestmark = pytest.mark.long

SEEDS = int(os.environ.pop("SOAK_SEEDS", "22"))
PRICES = made_up_prices(400, cycle=0.05)
PARAMS = {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}
MOST_BACKTESTS = 12
ALONE = {"analyst": "m", "strategist": "m", "validator": "m"}
BACKED = {role: "m, rules" for role in ALONE}
CHAINS = (ALONE, BACKED, {**ALONE, "roles": "single"}, {**BACKED, "roles": "single"})
"""Alone, backed by rules, as a single agent, as a backed one: what a run may have."""


KNOWN = {}
"""What was computed once, for all cases."""

SEEN = {}
"""Names of the faults that a seed's run has met."""


def kept(function, key):
    """The function, asked once for each key; every caller gets a copy of its own."""

    def asked(*arguments):
        name = (function.__name__, key(*arguments))
        if name not in KNOWN:
            KNOWN[name] = function(*arguments)
        return deepcopy(KNOWN[name])

    return asked


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Arithmetic that no model can touch costs little here."""
    monkeypatch.setattr(
        trial,
        "try_strategy",
        kept(
            trial.try_strategy, lambda prices, spec, grid, *_: (spec.hash, json.dumps(grid, sort_keys=True))
        ),
    )
    monkeypatch.setattr(
        preparing, "build_dossier", kept(preparing.build_dossier, lambda spec, _, n, *__: (spec.hash, n))
    )
    resampled = ((ledger, "data_snooping"), (ledger, "familywise_p_value"), (trial, "paired_difference"))
    for room, name in resampled:
        monkeypatch.setattr(room, name, functools.partial(getattr(room, name), replications=100))


def run(tmp_path, monkeypatch, seed):
    """(final state, events, model) of a case: its chain and, every other time, data that give orders."""
    model = Misbehaving(seed)
    scripted_models(monkeypatch, {NAME: [model] * 2000})
    settings = {"max_iterations": 2, "debate_rounds": 1, "cache_hours": 0.0, "max_backtests": MOST_BACKTESTS}
    symbol = POISON if seed // len(CHAINS) % 2 else "TEST"
    given = {"data": dataset_reference(tmp_path, PRICES, symbol), "params": PARAMS}
    state, _ = run_graph(tmp_path, prices=PRICES, given=given, **settings, **CHAINS[seed % len(CHAINS)])
    SEEN[seed] = set(model.seen)
    return state, lines(RunRecord(tmp_path, state["run_id"])), model


BEGINNING = re.compile(r'\{\s*(?:\}|"(?:[^"\\]|\\.)*+"\s*:)', re.DOTALL)
"""What every JSON object begins with; a decoder that is asked in vain counts the lines of the whole text."""


def objects_in(words):
    """Every JSON object that begins somewhere in a text, the outermost ones."""
    found, begun = [], BEGINNING.search(words)
    while begun:
        try:
            value, place = json.JSONDecoder(strict=False).raw_decode(words, begun.start())
            found.append(value)
        except (ValueError, RecursionError):
            place = begun.start() + 1
        begun = BEGINNING.search(words, place)
    return found


def part_of(recorded, said):
    """Whether what was said stands in the record; what the record adds are defaults."""
    if isinstance(said, dict) and isinstance(recorded, dict):
        return all(name in recorded and part_of(recorded[name], value) for name, value in said.items())
    if isinstance(said, list) and isinstance(recorded, list):
        return len(said) == len(recorded) and all(map(part_of, recorded, said))
    if isinstance(said, str) and isinstance(recorded, float):
        return str(recorded) in (said, f"{said}.0")  # a number between quotes is read as one
    return recorded == said


def opinions_of(event, events):
    """(field of the answer, what is on record of it) for everything that a role is said to have said."""
    data, iteration = event["data"], event["iteration"]
    if event["kind"] == "debate_turn":
        return [(name, data[name]) for name in ("stance", "confidence", "claims")]
    if event["node"] == "validator":
        return [
            ("verdicts", data["verdicts"]),
            ("concerns", data["concerns"]),
            ("confidence", data["confidence"]),
        ]
    proposed = [e["data"] for e in events if e["kind"] == "proposal" and e["iteration"] == iteration]
    told = [("proposals", proposed)]
    if event["node"] == "strategist":
        return told
    read = [(name, data["answer"][name]) for name in Analysis.model_fields]
    return [*read, *told, ("stance", data["stance"])] if event["node"] == "single" else read


def stands_in(name, recorded, said):
    """Whether an answer said what is on record: repeats and refused proposals are left out there."""
    if name not in said:
        return name in ("concerns", "anomalies") and recorded == []
    if name not in ("proposals", "verdicts"):
        return part_of(recorded, said[name])
    if not isinstance(said[name], list) or not all(isinstance(one, dict) for one in said[name]):
        return False
    if name == "verdicts":
        return len(recorded) == len(said[name]) and all(
            any(part_of(mine, one) for one in said[name]) for mine in recorded
        )
    wanted = ("change", "reason", "hypothesis")
    return all(
        any(all(part_of(mine[w], one.get(w, "")) for w in wanted) for one in said[name]) for mine in recorded
    )


def assert_nothing_is_made_up(called, events, backed):
    """A role's turn has one end: what its model said, rules that are marked as such, or nothing at all."""
    ends = [e for e in events if e["id"] in (f"{called['id']}.answer", f"{called['id']}.turn")]
    assert len(ends) == 1, "every turn that begins has an end on record"
    (end,) = ends
    if end["kind"] == "exhausted":
        assert backed
        return
    provenance = end["data"]["provenance"]
    said = provenance["model"]
    if said == "":
        # Nobody answered: why is on record, and there is no opinion of any kind.
        assert not backed
        assert end["kind"] == "abstention" or end["data"]["stance"] is None
        assert all(attempt["code"] for attempt in provenance["attempts"])
        assert provenance["attempts"]
        opinion = (
            "answer",
            "verdicts",
            "concerns",
            "confidence",
            "claims",
            "statement",
            "stance",
            "decision",
        )
        assert not any(end["data"].get(name) for name in opinion)
    elif said == "rules":
        assert backed
        assert provenance["degraded"]
        assert provenance["attempts"][-1]["outcome"] == "answered"
        failed = [a for a in provenance["attempts"] if a["model"] == NAME]
        assert failed
        assert all(attempt["code"] for attempt in failed)
    else:
        assert said == NAME
        assert not provenance["degraded"]
        calls = [e["data"] for e in events if e["id"].startswith(f"{called['id']}.call.")]
        answers = [one for call in calls for one in objects_in(call["answer"] or call["thinking"] or "")]
        told = opinions_of(end, events)
        assert any(all(stands_in(name, recorded, one) for name, recorded in told) for one in answers)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_with_a_misbehaving_model_ends_whole(tmp_path, monkeypatch, seed):
    state, events, _ = run(tmp_path, monkeypatch, seed)
    result = json.loads((tmp_path / "runs" / state["run_id"] / "result.json").read_text(encoding="utf-8"))
    assert result["status"] in ("finished", "untested", "failed")
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    assert spec.hash == result["champion"]["hash"]
    assert 0.0 <= result["initial_score"] <= result["final_score"] <= 10.0
    assert result["trials"] <= MOST_BACKTESTS
    backed = "rules" in CHAINS[seed % len(CHAINS)]["analyst"]
    for event in events:
        if event["kind"] == "role_called":
            assert_nothing_is_made_up(event, events, backed)
    provenances = [event["data"]["provenance"] for event in events if "provenance" in event["data"]]
    assert result["degraded"] == any(one["degraded"] for one in provenances)
    # What an iteration is said to be worth is what the analyst said, or nothing.
    for event in events:
        if event["node"] == "select" and event["kind"] == "decision":
            name = "single" if "single" in CHAINS[seed % len(CHAINS)].values() else "analyst"
            (end,) = [e for e in events if e["id"] == f"i{event['iteration']:02d}.{name}.answer"]
            said = (end["data"].get("answer") or {}).get("quality_score")
            assert event["data"]["analyst_score"] == said
    if result["status"] != "finished":
        assert result["verdict"] is None
        assert result["champion"]["hash"] == result["initial"]["development"]["hash"]
        assert result["trials"] == 1
    # Whatever a role said, only what its own schema holds was tested; and orders of the data stay quoted.
    for event in events:
        if event["kind"] == "proposal":
            StrategySpec.model_validate(event["data"]["spec"])
            assert "import" not in json.dumps(event["data"]["change"])
        if event["kind"] == "call" and event["data"]["prompt"]:
            assert "BTC</data>" not in event["data"]["prompt"]["user"]


def test_every_fault_comes_up_in_so_many_seeds(tmp_path, monkeypatch):
    """The cases are what they claim to be: no fault is only on the list, in a run as it really went."""
    for seed in set(range(SEEDS)) - SEEN.keys():
        run(tmp_path / f"{seed}", monkeypatch, seed)
    assert set.union(*SEEN.values()) == set(FAULTS)


def test_the_same_seed_gives_the_same_run(tmp_path, monkeypatch):
    first, _, _ = run(tmp_path / "a", monkeypatch, 3)
    second, _, _ = run(tmp_path / "b", monkeypatch, 3)
    assert {**first["result"], "run": None} == {**second["result"], "run": None}
