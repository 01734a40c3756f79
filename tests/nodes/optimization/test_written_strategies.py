"""Strategies that proposals bring as code: examined, repaired, traded as written, bred, kept, replayed."""

from __future__ import annotations

import numpy as np
import pytest

import threadx
from backtest import StrategySpec, run_backtest, validate_prices
from backtest.cage.breeding import combined
from backtest.cage.source import read_source
from backtest.cage.wording import told, worded
from backtest.engine import adopted
from nodes.errors import ChangeError
from nodes.optimization.changes import CHANGE, apply_change, search_grid
from nodes.optimization.policies.grammar import LEAVES, MEMORIES, QUANTITIES, TRIGGERS, strategy, template
from prompts import Words
from record.record import RunRecord
from reports.document import Picture
from reports.markdown import to_markdown
from tests.answers import DIVERSE, proposals
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx.reporting import run_document
from vault import indicators
from vault.adding import examined

pytestmark = pytest.mark.posix  # code needs a cage

SOURCE = '''
def ride(close, period: (5, 40) = 10):
    """In at a new high, out at a new low, for both sides."""
    entry = np.zeros(len(close))
    exit = np.zeros(len(close))
    short = np.zeros(len(close))
    cover = np.zeros(len(close))
    for t in range(period, len(close)):
        if close[t] > np.max(close[t - period : t]):
            entry[t] = 1.0
            cover[t] = 1.0
        if close[t] < np.min(close[t - period : t]):
            exit[t] = 1.0
            short[t] = 1.0
    return entry, exit, short, cover
'''
FUTURE = SOURCE.replace("entry[t] =", "entry[t - 1] =")
SETTINGS = {**ALL_RULES, "max_iterations": 1, "use_debate": False, "search": "single", "language": "fr"}


def brought(source=SOURCE):
    return {"kind": "new_strategy", "source": source}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(data folder, requests) of a run whose model first brings signals that know the next bar."""
    home = tmp_path_factory.mktemp("strategies")
    answers = [proposals(brought(one), *DIVERSE[:2]) for one in (FUTURE, SOURCE)]
    with pytest.MonkeyPatch.context() as patch:
        script = scripted_models(patch, {"ollama:s": answers})
        prices = made_up_prices(700, cycle=0.05)
        told = {**SETTINGS, "strategist": ("s",), "allow_code": True}
        threadx.optimize(prices, run="r", home=home, **told)
    yield home, script.calls["ollama:s"]
    adopted.dismiss("ride")


def test_the_reason_goes_back_and_the_mended_strategy_is_tested_kept_and_repeated(run, monkeypatch):
    home, calls = run
    assert len(calls) == 2
    assert "jusqu’à la présente" in calls[1].correction[1]
    events = lines(RunRecord(home, "r"))
    found = [event["data"] for event in events if event["kind"] == "code"]
    refused, passed = (one.get("refused", {}).get("code") for one in found)
    assert refused in ("knows_future", "knows_length")
    assert passed is None
    tested = next(e["data"] for e in events if e["id"] == "i01.backtest.1")
    assert tested["backtests"] == len(tested["grid"]["ride_period"]) == 12
    kept = indicators.library(home)["ride"]
    assert (kept.author, kept.evidence["configurations"]) == ("ollama:s", 12.0)
    monkeypatch.setattr("nodes.optimization.trials.workshop.examined", None)
    assert threadx.replay("r", home=home).same
    assert threadx.check("r", home=home).agrees


def test_it_trades_the_signals_that_are_written(run):
    start = StrategySpec.preset("ma_crossover", stop_loss_pct=50.0)
    change = CHANGE.validate_python(brought())
    spec = apply_change(start, change)
    assert spec.entry_short == "ride_entry_short(ride_period) > 0"
    assert spec.risk.stop_loss_pct == 50.0
    assert (spec.bounds()["ride_period"].low, spec.bounds()["ride_period"].high) == (5, 40)
    assert search_grid(start, change)["ride_period"][-1] == 40
    prices = validate_prices(made_up_prices(400, cycle=0.05))
    names = {"np": np}
    exec(SOURCE, names)
    entries, _, shorts, _ = names["ride"](prices["close"].to_numpy(), 10)
    side, expected = 0, []
    for bar in range(len(prices) - 1):
        wanted = 1 if entries[bar] else -1 if shorts[bar] else side
        if wanted != side:
            expected.append(("long" if wanted > 0 else "short", prices.index[bar + 1]))
            side = wanted
    trades = run_backtest(prices, spec.evolve(risk={"stop_loss_pct": None})).trades
    assert len(expected) > 5
    assert [*zip(trades["side"], trades["entry_time"], strict=True)] == expected


def test_each_kind_takes_its_own_functions(run):
    start = StrategySpec.preset("ma_crossover")
    one = template("drift", "move")
    with pytest.raises(ChangeError) as caught:
        apply_change(start, CHANGE.validate_python(brought(one)))
    assert caught.value.code == "no_signals"
    wrong = {"kind": "new_indicator", "source": SOURCE, "side": "long", "entry": "ride_entry_long(10) > 0"}
    with pytest.raises(ChangeError) as caught:
        apply_change(start, CHANGE.validate_python(wrong))
    assert caught.value.code == "no_array_of_values"


@pytest.mark.parametrize("leave", LEAVES)
def test_what_rules_write_is_honest_and_unlike_any_preset(leave):
    trigger = sorted(TRIGGERS)[sorted(LEAVES).index(leave)]
    source, measured, nearest = examined(strategy(leave, trigger))
    assert source.places == ("entry_long", "exit_long")
    assert measured["price_power"] == 0
    assert nearest[1] < 0.99


def test_two_strategies_in_one_have_the_entries_of_one_and_the_exits_of_the_other():
    one, other = (read_source(strategy(*names)) for names in (("tired", "dip"), ("closing", "surge")))
    text = combined(one, other, "sum")
    assert text is not None
    close = made_up_prices(300)["close"].to_numpy()
    names = {"np": np, "math": __import__("math")}
    for written in (one.text, other.text, text.replace(one.name, "both")):
        exec(written, names)
    joined = names["both"](close, 20, 3.0, 20, 3.0)
    np.testing.assert_array_equal(joined[0], names[one.name](close, 20, 3.0)[0])
    np.testing.assert_array_equal(joined[1], names[other.name](close, 20, 3.0)[1])
    assert combined(one, read_source(template("drift", "move")), "sum") is None


def test_rules_bring_one_in_even_iterations_and_say_why_by_figures(tmp_path):
    told = {
        **SETTINGS,
        "max_iterations": 2,
        "patience": 9,
        "convergence_threshold": 0.0,
        "target_score": 10.0,
    }
    threadx.optimize(made_up_prices(700, cycle=0.05), run="r", home=tmp_path, **told, allow_code=True)
    events = lines(RunRecord(tmp_path, "r"))
    said = [(e["iteration"], e["data"]) for e in events if e["kind"] == "proposal"]
    code = [(at, one["change"]["kind"], one["reason"]) for at, one in said if "source" in one["change"]]
    assert [(at, kind) for at, kind, _ in code] == [
        *((1, "new_indicator"), (2, "new_indicator"), (2, "new_strategy"))
    ]
    first, bred, second = (reason for *_, reason in code)
    assert first.startswith("Ratio de variance sur 6 barres")
    assert second.startswith("Ratio de variance sur 6 barres")
    assert "Issu de ce qui a le mieux réussi ici" in bred
    section = to_markdown(run_document(tmp_path, "r", Words("fr"), drawn=False))
    for kept in indicators.library(tmp_path).values():
        assert told_in_french(kept.read().about) in section.replace("\\", "")


def told_in_french(about):
    return told(about, Words("fr"))


def test_what_the_grammar_says_is_told_in_french_and_what_others_wrote_is_left():
    made = [template(memory, quantity) for memory in MEMORIES for quantity in QUANTITIES]
    made += [strategy(leave, trigger) for leave in LEAVES for trigger in TRIGGERS]
    said = [read_source(one).about for one in made]
    change = worded("change", "price", old="close", new="high")
    said += [worded("changed", "once", about=one, change=change) for one in said]
    said += [worded("joined", "product", about=one, other=said[0]) for one in said]
    for about in said:
        french = told_in_french(about)
        assert not {"the", "The", "of", "and", "And:", "that", "Changed:", "once"} & set(french.split())
        assert told(about, Words("en")) == about
    assert told_in_french("Moves to the end of it.") == "Moves to the end of it."


def test_the_picture_of_a_strategy_shows_its_trades(run):
    home, _ = run
    document = run_document(home, "r", Words("fr"))
    told = to_markdown(run_document(home, "r", Words("fr"), drawn=False))
    assert "In at a new high, out at a new low, for both sides." in told
    trial = next(e["data"] for e in lines(RunRecord(home, "r")) if e["id"] == "i01.select")
    adopted_one = any(
        one["outcome"] == "adopted" and one["kind"] == "new_strategy" for one in trial["trials"]
    )
    says = [one.says for one in document.blocks if isinstance(one, Picture)]
    assert any("Les transactions de ride" in one for one in says) == adopted_one
