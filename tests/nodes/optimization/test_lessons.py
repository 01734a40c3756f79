"""Lessons of finished runs: what is kept, who may know it, and that the future teaches nobody."""

import json

import pytest
from langgraph.store.memory import InMemoryStore

from graphs.optimization import builder
from nodes.context import OptimizationContext
from nodes.optimization.evidence.lessons import kind_of_change, namespace, recall, remember
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from vault.datasets import register

DATASET = {
    "symbol": "BRK.B",
    "timeframe": "1h",
    "development_last": "2024-02-01T00:00:00+00:00",
    "last": "2024-03-01T00:00:00+00:00",
}


def state(run="now", last="2024-02-01T00:00:00+00:00", family="ma_crossover", **dataset):
    items = [
        {"name": "market_sharpe_ratio_of_holding", "value": -1.0},
        {"name": "market_variance_ratio_6_bars", "value": 1.2},
    ]
    return {
        "run_id": run,
        "dataset": {**DATASET, "development_last": last, **dataset},
        "initial": {"family": family},
        "dossier": {"items": items},
    }


def trial(outcome, **change):
    return {"outcome": outcome, "change": change}


STOP = {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 3.0}
HISTORY = [
    {"trials": [trial("adopted", **STOP), trial("kept_out", kind="switch_preset", preset="supertrend")]},
    {"trials": [trial("luck", **STOP), trial("rejected", **STOP), trial("failed", **STOP)]},
]


def test_what_a_run_taught_is_told_to_the_next_one_on_the_same_market():
    store = InMemoryStore()
    remember(store, state("first"), HISTORY)
    assert recall(store, state("second")) == [
        {"change": "risk_management stop_loss_pct", "tested": 2, "helped": 1, "market": "falling, trending"},
        {"change": "switch_preset supertrend", "tested": 1, "helped": 0, "market": "falling, trending"},
    ]


def test_lessons_of_several_runs_add_up_and_a_resumed_run_adds_nothing():
    store = InMemoryStore()
    for run in ("first", "second", "second"):
        remember(store, state(run), HISTORY)
    assert recall(store, state("third"))[0]["tested"] == 4


@pytest.mark.parametrize(
    "present",
    [
        pytest.param(state(symbol="ETHUSDT"), id="another symbol"),
        pytest.param(state(timeframe="4h"), id="another timeframe"),
        pytest.param(state(family="supertrend"), id="another family"),
        pytest.param(state(last="2024-01-31T23:00:00+00:00"), id="a run that ends before"),
        pytest.param(state(last="2024-02-01T00:30:00+01:00"), id="before, in another time zone"),
        pytest.param(state("first"), id="the run itself"),
    ],
)
def test_who_may_not_know(present):
    store = InMemoryStore()
    remember(store, state("first"), HISTORY)
    assert recall(store, present) == []


@pytest.mark.parametrize("last", ["2024-02-01T00:00:00", "2024-02-01T01:00:00+01:00", "2024-06-01"])
def test_who_ends_no_earlier_may_know(last):
    store = InMemoryStore()
    remember(store, state("first"), HISTORY)
    assert recall(store, state("second", last=last))


def test_without_a_store_nothing_is_known_and_nothing_fails():
    assert recall(None, state()) == []
    assert remember(None, state(), HISTORY)[0]["tested"] == 2


def test_a_symbol_with_a_point_has_a_place_in_the_store():
    assert not any("." in part for part in namespace(state()))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 8},
            "param_adjustment fast_period",
        ),
        ({**STOP, "value": None}, "risk_management stop_loss_pct off"),
        ({"kind": "add_filter", "side": "long", "condition": "adx(14) > 25"}, "add_filter adx"),
        (
            {"kind": "replace_condition", "side": "long", "entry": "hour == 3", "exit": None, "logic": "and"},
            "replace_condition long hour",
        ),
        (
            {
                "kind": "replace_condition",
                "side": "short",
                "entry": "rsi(close, 14) > 70",
                "exit": "close < open",
            },
            "replace_condition short close+rsi / close+open",
        ),
        ({"kind": "sizing", "method": "equity_pct", "value": 50}, "sizing equity_pct"),
    ],
)
def test_a_kind_of_change_leaves_the_figures_out(change, kind):
    assert kind_of_change(change) == kind


def test_a_whole_run_leaves_lessons_that_the_next_one_reads(tmp_path):
    store = InMemoryStore()
    graph = builder.compile(store=store)
    dataset = register(made_up_prices(cycle=0.05), symbol="TEST", timeframe="1h", home=tmp_path)
    context = OptimizationContext(home=str(tmp_path), **ALL_RULES, max_iterations=1, use_debate=False)
    given = {"data": f"dataset:{dataset.development_hash}"}
    first = graph.invoke(given, context=context)
    assert first["lessons"] == []
    second = graph.invoke(given, context=context)
    told = {lesson["change"]: lesson["tested"] for lesson in second["lessons"]}
    assert told == {lesson["change"]: lesson["tested"] for lesson in first["result"]["lessons"]}
    assert told, "four changes were tested"


def test_lessons_do_not_depend_on_the_holdout(tmp_path):
    frame = made_up_prices(cycle=0.05)
    kept = []
    for name, factor in (("a", 1.0), ("b", 4.0)):
        store, home = InMemoryStore(), tmp_path / name
        changed = frame.copy()
        changed.iloc[1300:, :4] *= factor
        dataset = register(changed, symbol="TEST", timeframe="1h", home=home)
        context = OptimizationContext(home=str(home), **ALL_RULES, max_iterations=1, use_debate=False)
        builder.compile(store=store).invoke({"data": f"dataset:{dataset.development_hash}"}, context=context)
        kept.append(json.dumps([item.value for item in store.search(("lessons",))], sort_keys=True))
    assert kept[0] == kept[1]
    assert "tested" in kept[0]
