"""Proposals that bring code: examined before any figure, repaired twice at most, recorded, kept, replayed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import threadx
from backtest import StrategySpec
from backtest.cage.breeding import combined, novelty
from backtest.cage.compiled import compiled
from backtest.cage.description import worth
from backtest.cage.source import read_source
from backtest.engine import adopted
from nodes.errors import ChangeError
from nodes.optimization.case import proposals_of
from nodes.optimization.changes import CHANGE, apply_change, describe_change, kinds_told, search_grid
from nodes.optimization.evidence.evidence import iteration_lines
from nodes.optimization.policies.grammar import MEMORIES, QUANTITIES, menu, sentences, template
from nodes.optimization.schemas import Proposal
from nodes.optimization.select import _ranked
from nodes.optimization.trials.proposing import sort_proposals
from prompts import Words
from record.errors import ReportError
from record.evolution import strategy_evolution
from record.lineage import lineage
from record.record import RunRecord
from record.run_view import RunView
from reports.document import Picture
from reports.explanation import explanation
from reports.markdown import to_markdown
from tests.answers import DIVERSE, proposals
from tests.evidence import evidence
from tests.optimization_runs import ALL_RULES
from tests.prices import drifting_places, made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.command import main
from threadx.reporting import run_document
from threadx.runner import resume_run
from vault import indicators
from vault.adding import examined

pytestmark = pytest.mark.posix  # code needs a cage

SOURCE = '''
def push(close, volume, period: (5, 100) = 20):
    """Move of the close times its volume."""
    out = np.full(len(close), np.nan)
    for t in range(period, len(close)):
        usual = np.mean(volume[t - period : t])
        if usual > 0.0:
            out[t] = (close[t] / close[t - 1] - 1.0) * volume[t] / usual
    return out
'''
STANDING = '''
def standing(high, low, close, period: (5, 100) = 20):
    """Where closes stood in their bars, summed up on either side until it fades."""
    out = np.full(len(close), np.nan)
    size = 0.25
    rise = 0.0
    fall = 0.0
    for t in range(len(close)):
        wide = high[t] - low[t]
        if wide > 0.0:
            share = (close[t] - low[t]) / wide - 0.5
            size = size + (abs(share) - size) / period
            step = share / max(size, 0.01)
            rise = max(rise + step - 0.4, 0.0)
            fall = max(fall - step - 0.4, 0.0)
        if t >= period:
            out[t] = rise - fall
    return out
'''
"""The edge of `drifting_places` as nobody of this program would write it."""
FUTURE = SOURCE.replace("out[t] =", "out[t - 1] =")
IMPORT = "import os\n" + SOURCE
SETTINGS = {**ALL_RULES, "max_iterations": 1, "use_debate": False, "search": "single", "language": "en"}


def brought(source=SOURCE, **fields):
    said = {
        "kind": "new_indicator",
        "source": source,
        "side": "long",
        "entry": "push(period) < level",
        "exit": "push(period) > 0",
        "level": {"low": -0.05, "high": -0.01},
    }
    return {**said, **fields}


def answer(*sources):
    return proposals(*(brought(one) for one in sources), *DIVERSE[:2])


def run(home, monkeypatch, answers, **settings):
    script = scripted_models(monkeypatch, {"ollama:s": list(answers)})
    prices = made_up_prices(700, cycle=0.05)
    told = {**SETTINGS, "strategist": ("s",), "allow_code": True, **settings}
    return threadx.optimize(prices, run="r", home=home, **told), script.calls["ollama:s"]


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    """(data folder, requests) of a run whose model reads the future, then imports, then mends it."""
    home = tmp_path_factory.mktemp("code")
    with pytest.MonkeyPatch.context() as patch:
        _, calls = run(home, patch, [answer(FUTURE), answer(IMPORT), answer(SOURCE)])
    yield home, calls
    adopted.dismiss("push")


def test_its_parameters_are_the_strategys_and_are_searched_within_their_bounds(repaired):
    start = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0)
    change = CHANGE.validate_python(brought())
    changed = apply_change(start, change)
    assert changed.entry_long == "push(push_period) < push_level"
    assert dict(changed.params) == {"push_period": 20, "push_level": pytest.approx(-0.03)}
    assert (changed.bounds()["push_period"].low, changed.bounds()["push_period"].high) == (5, 100)
    assert changed.risk.stop_loss_pct == 2.0
    grid = search_grid(start, change)
    assert (grid["push_period"][0], grid["push_period"][-1]) == (5, 100)
    assert (grid["push_level"][0], grid["push_level"][-1]) == (-0.05, -0.01)
    fixed = CHANGE.validate_python(brought(entry="push(period=30) < -0.02", exit=None, level=None))
    assert search_grid(start, fixed) == {}
    assert apply_change(start, fixed).entry_long == "push(30) < -0.02"
    with pytest.raises(ChangeError) as caught:
        apply_change(start, CHANGE.validate_python(brought(entry="close > open", exit=None)))
    assert caught.value.code == "function_unused"


def test_one_side_alone_takes_the_other_with_it_and_says_so(repaired):
    both = StrategySpec.preset("ma_crossover").both_sides()
    beside, alone = (CHANGE.validate_python(brought(alone=alone)) for alone in (False, True))
    assert apply_change(both, beside).exit_short == both.exit_short
    changed = apply_change(both, alone)
    assert (changed.entry_short, changed.exit_short) == (None, None)
    assert {*changed.params} == {"push_period", "push_level"}, "nothing uses the averages any more"
    gone = "the other side is traded no more"
    assert [gone in describe_change(one, both, "en") for one in (beside, alone)] == [False, True]
    long = StrategySpec.preset("ma_crossover")
    assert gone not in describe_change(alone, long, "en"), "there was none"


def test_the_reasons_go_back_and_the_mended_function_is_tested_and_kept(repaired):
    home, calls = repaired
    assert len(calls) == 3
    assert "knows the future" in calls[1].correction[1]
    assert "nothing is imported" in calls[2].correction[1]
    events = lines(RunRecord(home, "r"))
    found = [event["data"] for event in events if event["kind"] == "code"]
    assert [one.get("refused", {}).get("code") for one in found] == ["knows_future", "import", None]
    first_figure = next(at for at, e in enumerate(events) if e["id"] == "i01.backtest.1")
    assert all(at < first_figure for at, e in enumerate(events) if e["kind"] == "code")
    (written,) = [event["data"] for event in events if event["kind"] == "indicator"]
    kept = indicators.library(home)["push"]
    assert (kept.author, kept.source.strip()) == ("ollama:s", SOURCE.strip())
    assert written == {
        "name": "push",
        "hash": kept.hash,
        "author": "ollama:s",
        "parents": [],
        "code": next(e["id"] for e in events if e["kind"] == "code" and "refused" not in e["data"]),
    }
    assert kept.evidence["run"] == "r"
    tested = next(e["data"] for e in events if e["id"] == "i01.backtest.1")
    assert tested["grid"]["push_period"]
    assert tested["backtests"] == len(tested["grid"]["push_period"]) * len(tested["grid"]["push_level"])


def test_it_is_repeated_byte_for_byte_and_checked_without_a_cage(repaired, monkeypatch):
    home, _ = repaired
    monkeypatch.setattr("nodes.optimization.trials.workshop.examined", None)
    again = threadx.replay("r", home=home)
    assert again.same, again.differences
    assert threadx.check("r", home=home).agrees


def test_a_changed_source_is_named_by_check(repaired, tmp_path):
    home, _ = repaired
    log = home / "runs" / "r" / "events.jsonl"
    before = log.read_text(encoding="utf-8")
    log.write_text(before.replace("usual > 0.0", "usual > 1.0"), encoding="utf-8")
    try:
        with pytest.raises(ReportError) as caught:
            threadx.check("r", home=home)
    finally:
        log.write_text(before, encoding="utf-8")
    assert (caught.value.code, caught.value.fields["names"]) == ("indicators_differ", "push")


def test_after_two_repairs_what_is_still_refused_is_dropped(tmp_path, monkeypatch):
    _, calls = run(tmp_path, monkeypatch, [answer(FUTURE)] * 3)
    assert len(calls) == 3
    events = lines(RunRecord(tmp_path, "r"))
    told = next(e["data"] for e in events if e["id"] == "i01.strategist.answer")
    assert "knows the future" in told["refused"][0]["reason_refused"]
    assert not indicators.library(tmp_path)


def test_a_run_that_was_not_told_to_takes_none(tmp_path, monkeypatch):
    _, calls = run(tmp_path, monkeypatch, [answer(SOURCE)] * 2, allow_code=False)
    assert "there is no such kind" in calls[1].correction[1]
    assert "new_indicator" not in json.dumps(calls[0].schema)
    assert "new_indicator" not in calls[0].user + calls[0].system
    assert not indicators.library(tmp_path)
    proposal = Proposal(hypothesis=0, change=CHANGE.validate_python(brought()))
    _, refused = sort_proposals([proposal], StrategySpec.preset("ma_crossover"), set(), "en")
    assert "takes no new code" in refused[0]["reason_refused"]


def test_it_is_offered_where_it_is_allowed():
    spec = StrategySpec.preset("ma_crossover")
    case = evidence(spec)
    offered = [
        "NewIndicator" in json.dumps(proposals_of(one, 1).model_json_schema())
        for one in (case, type(case)(**{**vars(case), "allow_code": True}))
    ]
    assert offered == [False, True]
    assert ["new_indicator" in kinds_told("en", code=code) for code in (False, True)] == [False, True]


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_rules_write_is_honest_and_new(memory):
    quantity = sorted(QUANTITIES)[sorted(MEMORIES).index(memory)]
    source, measured, nearest = examined(template(memory, quantity))
    assert measured["price_power"] == measured["volume_power"] == 0
    assert measured["warm_up"] == source.parameters[0].default
    assert nearest[1] < 0.99


def test_rules_write_one_an_iteration_only_where_it_is_allowed(tmp_path):
    prices = made_up_prices(700, cycle=0.05)
    for allowed in (False, True):
        home = tmp_path / str(allowed)
        threadx.optimize(prices, run="r", home=home, **SETTINGS, allow_code=allowed)
        kinds = [e["data"]["change"]["kind"] for e in lines(RunRecord(home, "r")) if e["kind"] == "proposal"]
        assert kinds.count("new_indicator") == (1 if allowed else 0)
    (kept,) = indicators.library(home).values()
    assert kept.author == "rules"
    assert threadx.replay("r", home=home).same


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """(data folder, name): runs on an edge and on none; the seed draws the function of the edge first."""
    home = tmp_path_factory.mktemp("planted")
    source = template("drift", "place")
    seed = next(seed for seed in range(1_000) if next(sentences(seed, follows=True)).source == source)
    for edge in (0.006, 0.0):
        told = {**SETTINGS, "search": "population", "allow_code": True, "seed": seed}
        threadx.optimize(drifting_places(edge=edge), run=f"e{edge}", home=home, **told)
    return home, read_source(source).name


def test_an_edge_that_only_memory_can_tell_is_found_and_none_is_not_believed(planted):
    home, name = planted
    real, none = (RunRecord(home, run).result() for run in ("e0.006", "e0.0"))
    assert real["verdict"]["value"] == "real"
    assert real["champion"]["strategy"]["entry_long"] == f"{name}({name}_period) > {name}_level"
    assert none["verdict"]["value"] in ("unproven", "overfit")


def test_what_a_model_wrote_and_is_adopted_has_paid_for_its_length_and_the_record_says_so(
    planted, monkeypatch
):
    home, _ = planted
    change = brought(
        STANDING,
        entry="standing(period) > level",
        exit="standing(period) <= level",
        level={"low": 1.0, "high": 6.0},
        alone=True,
    )
    scripted_models(monkeypatch, {"ollama:s": [proposals(change, *DIVERSE[1:])] * 3})
    told = {**SETTINGS, "search": "population", "allow_code": True, "strategist": ("s",)}
    try:
        threadx.optimize(drifting_places(edge=0.01), run="own", home=home, **told, max_backtests=300)
    finally:
        adopted.dismiss("standing")
    record = RunRecord(home, "own")
    (entry,) = (one for one in RunView.of(record.events()).history.values() if one["adopted"])
    (trial,) = (one for one in entry["trials"] if one["outcome"] == "adopted")
    before, after = max(entry["excess_t_before"], 0.0), trial["excess_t"]
    assert trial["gain_bits"] == pytest.approx((after**2 - before**2) / (2.0 * math.log(2.0)))
    bars = record.result()["dataset"]["development_rows"]
    assert trial["code_length"] == worth([read_source(STANDING)], bars, menu()) > 0
    assert trial["gain_bits"] >= trial["code_length"]
    told = to_markdown(run_document(home, "own", Words("en"), drawn=False))
    assert f"worth {trial['code_length']} conditions" in told


def test_what_the_grammar_holds_costs_no_length(planted):
    home, _ = planted
    (entry,) = RunView.of(RunRecord(home, "e0.006").events()).history.values()
    (written,) = (one for one in entry["trials"] if one["kind"] == "new_indicator")
    assert written["outcome"] == "adopted"
    assert all("code_length" not in one for one in entry["trials"])


def test_code_that_gains_too_little_stays_behind_and_the_next_prompt_tells_why(planted):
    home, _ = planted
    figures = {"account_lost": None, "metrics": {"n_trades": 50}}
    ranked = [_ranked({"excess_t": 3.0}, figures, 4.0, 0, length) for length in (0, 5, 6)]
    assert ranked == ["better", "better", "needless"], "(16 − 9) / (2 ln 2) is 5.05 bits"
    assert _ranked({"excess_t": 3.0}, figures, 3.2, 0, 6) == "noise"
    events = [*RunRecord(home, "e0.006").events()]
    (entry,) = RunView.of(events).history.values()
    behind = {"outcome": "needless", "code_length": 99}
    trials = [{**one, **behind} for one in entry["trials"] if one["kind"] == "new_indicator"]
    case = evidence(StrategySpec.preset("ma_crossover"))
    said = "\n".join(iteration_lines({**entry, "trials": trials}, case, "en"))
    assert Words("en")("optimization.outcome.needless") in said
    assert "code_length 99" in said
    told = strategy_evolution(events)
    for one in told["modifications"]:
        one["outcome"] = "needless"
        one["decided_by"] |= behind
    assert "worth 99 conditions, asks for as many bits as conditions" in " ".join(
        explanation(told, Words("en"))
    )


def test_descendants_are_honest_name_their_parents_and_are_drawn_below_them(tmp_path):
    prices = made_up_prices(700, cycle=0.05)
    threadx.optimize(prices, run="r", home=tmp_path, **{**SETTINGS, "max_iterations": 2}, allow_code=True)
    view = RunView.of(RunRecord(tmp_path, "r").events())
    library = {kept.hash: kept for kept in indicators.library(tmp_path).values()}
    (child,) = [kept for kept in library.values() if kept.parents]
    (parent,) = (library[one] for one in child.parents)
    assert 0.0 < novelty(child.read(), parent.read()) < 1.0
    places = {
        trial.sentence.split(";")[0].rpartition(" ")[2]: place
        for place, trial in view.trials.items()
        if trial.score is not None
    }
    assert lineage(view)[places[child.name]].parent == places[parent.name]
    assert "Changed: " in child.read().about


def test_two_functions_in_one_give_both_values_joined():
    one, other = (read_source(template(memory, "move")) for memory in ("streak", "uneven"))
    text = combined(one, other, "product")
    assert text is not None
    close = made_up_prices(300)["close"].to_numpy()
    values = [
        compiled(read_source(told))(close, *periods)
        for told, periods in ((one.text, (20,)), (other.text, (30,)), (text, (20, 30)))
    ]
    np.testing.assert_allclose(values[2], values[0] * values[1])


def test_a_person_is_asked_about_code_alone_and_sees_it(tmp_path, monkeypatch, capsys):
    scripted_models(monkeypatch, {"ollama:s": [answer(SOURCE)]})
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(700, cycle=0.05).to_csv(path)
    home = str(tmp_path / "home")
    models = ["--analyst", "rules", "--strategist", "s", "--validator", "rules", "--no-debate"]
    few = ["--search", "single", "--max-iterations", "1", "--run", "r", "--home", home, "--language", "en"]
    with pytest.raises(SystemExit) as left:
        main(["optimize", "--allow-code", "--approve", "code", str(path), *models, *few])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "def push(close, volume, period: (5, 100) = 20):" in said
    waiting = next(e["data"] for e in lines(RunRecord(Path(home), "r")) if e["kind"] == "waiting")
    assert [one["change"]["kind"] for one in waiting["proposals"]] == ["new_indicator"]
    resume_run("r", Path(home), word={"reject": [1]})
    events = lines(RunRecord(Path(home), "r"))
    tested = [e["id"] for e in events if e["kind"] == "backtest" and e["id"].startswith("i01")]
    assert sorted(tested) == ["i01.backtest.2", "i01.backtest.3"]
    adopted.dismiss("push")


def test_the_outcome_says_that_code_was_written_and_what_was_kept(planted, capsys):
    home, name = planted
    with pytest.raises(SystemExit) as left:
        main(["runs", "show", "e0.006", "--home", str(home), "--language", "en"])
    assert left.value.code == 0
    flat = " ".join(capsys.readouterr().out.split())
    assert "Code written by this run: " in flat
    assert f"in the champion: {name}." in flat


def test_the_report_shows_the_code_what_it_measures_and_what_it_cost(planted):
    home, name = planted
    told = to_markdown(run_document(home, "e0.006", Words("en"), drawn=False))
    kept = indicators.library(home)[name]
    section = told.partition(f"## {Words('en')('explain.heading.code')}")[2].partition("\n## ")[0]
    cost = "(configurations tried): 84"
    for part in (kept.source.strip(), kept.read().about, "Result: adopted", kept.hash, cost):
        assert part in section
    assert kept.evidence == {
        "run": "e0.006",
        "outcome": "adopted",
        "configurations": 84.0,
        "excess_t": kept.evidence["excess_t"],
        "verdict": "real",
    }
    pictures = [one for one in run_document(home, "e0.006", Words("en")).blocks if isinstance(one, Picture)]
    assert any(name in one.says for one in pictures)
