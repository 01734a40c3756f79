"""What rules say of a change is held against what the change does to the figures."""

from dataclasses import replace

import pytest

from backtest import Costs, StrategySpec, run_backtest
from nodes.optimization.changes import CHANGE, KINDS, apply_change
from nodes.optimization.policies.changes import risk_changes
from nodes.optimization.policies.roles import analyst, strategist
from prompts import Words
from tests.evidence import evidence
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices

PRICES = made_up_prices(1500, seed=3)
SPEC = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)


def spec(**settings):
    return SPEC.evolve(**settings)


def change(kind, **fields):
    return CHANGE.validate_python({"kind": kind, **fields})


def risk(parameter, value):
    return change("risk_management", parameter=parameter, value=value)


def exit_on(condition, logic):
    return change("replace_condition", side="long", exit=condition, logic=logic)


def enter_on(condition, logic):
    return change("replace_condition", side="long", entry=condition, logic=logic)


def order(kind, level):
    return change("entry_order", side="long", order=kind, level=level, bars=3)


def table(rule, rows):
    return change("profit_table", rule=rule, table=rows)


def worst(result):
    return -result.metrics.worst_trade


def exposure(result):
    return result.metrics.exposure


def trades(result):
    return result.metrics.n_trades


def win_rate(result):
    return result.metrics.win_rate


def drawdown(result):
    return -result.metrics.max_drawdown


# What is said of a figure that grows, and of one that shrinks.
SAID = {
    worst: (
        ("largest losses may grow", "plus grandes pertes peuvent augmenter"),
        ("largest losses should shrink", "plus grandes pertes devraient diminuer"),
    ),
    win_rate: (
        ("more trades should win", "plus de transactions devraient gagner"),
        ("fewer trades may win", "moins de transactions peuvent gagner"),
    ),
    exposure: (
        ("exposure should rise", "exposition devrait augmenter"),
        ("exposure should fall", "exposition devrait baisser"),
    ),
    drawdown: (
        ("drawdown should grow", "drawdown devraient augmenter"),
        ("drawdown should shrink", "drawdown devraient diminuer"),
    ),
    trades: (
        ("more trades", "more entries", "plus de transactions", "plus d’entrées"),
        ("fewer trades", "fewer and more selective entries", "moins de transactions", "moins d’entrées"),
    ),
}
FILTERED = spec(entry_long=f"({SPEC.entry_long}) and adx(14) > 25")
ON = spec(entry_long="close > sma(close, 20)", exit_long="close < sma(close, 20)")
# (strategy before, change, figure that the words speak of); the sign is measured, not written down.
CASES = {
    "loss_more": (SPEC, risk("stop_loss_pct", 0.5), worst),
    "loss_less": (spec(risk={"stop_loss_pct": 0.5}), risk("stop_loss_pct", None), worst),
    "loss_less wider": (
        spec(risk={"trailing_stop_pct": 0.5}),
        risk("trailing_stop_pct", {"low": 5.0, "high": 9.0}),
        worst,
    ),
    "gain_more": (SPEC, risk("take_profit_pct", 1.0), win_rate),
    "gain_less": (spec(risk={"take_profit_pct": 1.0}), risk("take_profit_pct", 15.0), win_rate),
    "time_more": (SPEC, risk("max_bars", 3), exposure),
    "time_less": (spec(risk={"max_bars": 3}), risk("max_bars", 100), exposure),
    "pause_more": (SPEC, risk("cooldown_bars", 40), trades),
    "pause_less": (spec(risk={"cooldown_bars": 40}), risk("cooldown_bars", 1), trades),
    "smaller": (
        spec(sizing={"equity_pct": 80.0}),
        change("sizing", method="equity_pct", value=20.0),
        drawdown,
    ),
    "larger": (
        spec(sizing={"equity_pct": 20.0}),
        change("sizing", method="equity_pct", value=80.0),
        drawdown,
    ),
    "add_filter": (SPEC, change("add_filter", side="long", condition="adx(14) > 25"), trades),
    "remove_filter": (
        FILTERED,
        change("remove_filter", side="long", condition="adx(14) > 25"),
        trades,
    ),
    "entry_more": (FILTERED, enter_on("rsi(close, 14) > 60", "or"), trades),
    "entry_less": (SPEC, enter_on("adx(14) > 25", "and"), trades),
    "exit_more": (SPEC, exit_on("rsi(close, 14) > 60", "or"), exposure),
    "exit_less": (ON, exit_on("rsi(close, 14) < 40", "and"), exposure),
    "limit": (SPEC, order("limit", "lowest(low, 20)"), trades),
    "stop": (SPEC, order("stop", "highest(high, 20) + atr(14)"), trades),
    "market": (apply_change(SPEC, order("limit", "lowest(low, 20)")), order("limit", None), trades),
    "roi": (SPEC, table("roi", "0:2,10:0.5"), win_rate),
    "scale_out": (SPEC, table("scale_out", "1:50"), win_rate),
    "removed": (spec(risk={"roi": "0:1"}), table("roi", None), win_rate),
}
OPEN = {"open", "other", "other_exit", "whole"}


def traded(strategy):
    return run_backtest(PRICES, strategy, costs=Costs(fee_bps=10, slippage_bps=2))


@pytest.mark.parametrize("name", CASES)
def test_what_is_expected_of_a_change_has_the_sign_of_what_it_does(name):
    before, made, figure = CASES[name]
    was, now = figure(traded(before)), figure(traded(apply_change(before, made)))
    assert was != now, "the case shows the direction"
    right, wrong = SAID[figure] if now > was else SAID[figure][::-1]
    for language in ("en", "fr"):
        words = made.effect(before, Words(language)).lower()
        assert any(phrase in words for phrase in right), words
        assert not any(phrase in words for phrase in wrong), words


def test_every_direction_of_every_kind_is_held_against_figures():
    directions = {one for kind in KINDS.values() for one in kind.directions} - OPEN
    walked = {made.direction(before) for before, made, _ in CASES.values()}
    assert walked - {""} == directions


@pytest.mark.parametrize("stops", [0, 30], ids=["few stops", "many stops"])
def test_a_rule_that_goes_is_never_argued_by_losses_that_it_limits(stops):
    before = spec(risk={"stop_loss_pct": 2.0, "take_profit_pct": 3.0, "max_bars": 20})
    items = [{"id": "E1", "name": "exit stop", "n": stops}, {"id": "M1", "name": "n_trades", "value": 60}]
    themes = {
        (made.parameter, made.value is None): theme
        for made, theme in risk_changes(before, evidence(before, items=items))
        if made.kind == "risk_management"
    }
    gone = {rule: theme for (rule, removed), theme in themes.items() if removed}
    assert gone == {"stop_loss_pct": "open", "take_profit_pct": "open", "max_bars": "open"}
    first = next(theme for made, theme in risk_changes(before, evidence(before, items=items)))
    assert (first == "exits") == bool(stops), "a stop that ends many trades is a reason of its own"


def sound(**changed):
    """A strategy with nothing wrong in its figures but what a test changes."""
    metrics = {"n_trades": 200, "max_drawdown": -0.05, "profit_factor": 2.0}
    return {
        "score": 5.0,
        "metrics": {**metrics, **changed},
        "exits": {},
        "blocks": [1.0] * 5,
    }


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_sound_strategy_is_told_no_weakness(language):
    found = analyst(
        evidence(
            SPEC, champion=sound(), items=[{"id": "M1", "name": "n_trades", "value": 200}], language=language
        )
    )
    assert len(found.hypotheses) == 1
    (said,) = (one.statement for one in found.hypotheses)
    assert said == Words(language)("optimization.rules.hypothesis_open")


def test_a_proposal_argues_from_the_diagnosis_it_answers_or_from_none():
    figures = sound(max_drawdown=-0.4)
    given = evidence(SPEC, champion=figures, items=[{"id": "M1", "name": "n_trades", "value": 200}])
    drawdown, unsettled = (one.statement for one in analyst(given).hypotheses)
    # A model's analyst states others, in an order of its own: the words count, not their place.
    stated = [unsettled, "Fees eat the edge.", drawdown]
    assert {one.hypothesis for one in strategist(given).proposals} == {0}
    for one in strategist(replace(given, hypotheses=stated)).proposals:
        deep = "drawdown of −40" in one.reason or "drawdown of -40" in one.reason
        limits = one.change.kind == "sizing" or "loss_more" in one.change.direction(SPEC)
        assert deep == limits, (one.change, one.reason)
        assert one.hypothesis == (3 if limits else 1)


def test_no_voice_repeats_another_word_for_word(tmp_path):
    _, events = run_graph(tmp_path, max_iterations=3, patience=3, debate_rounds=3)
    said = [event["data"]["statement"] for event in events if event["kind"] == "debate_turn"]
    assert len(said) > 6
    assert len(set(said)) == len(said)
