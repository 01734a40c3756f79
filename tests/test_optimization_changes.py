"""Typed changes: what each does to a strategy, and how it is told."""

import pytest

from backtest import BacktestError, StrategySpec
from nodes.optimization.changes import CHANGE, apply_change, describe_change

START = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)


def change(**fields):
    return CHANGE.validate_python(fields)


@pytest.mark.parametrize(
    ("given", "expected", "french", "english"),
    [
        pytest.param(
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 8},
            StrategySpec.preset("ma_crossover", fast_period=8, slow_period=20, stop_loss_pct=2.0),
            "fast_period\u00a0: 5 → 8",
            "fast_period: 5 → 8",
            id="parameter",
        ),
        pytest.param(
            {"kind": "param_adjustment", "parameter": "stop_loss_pct", "value": 2.5},
            StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.5),
            "stop_loss_pct\u00a0: 2 → 2,5",
            "stop_loss_pct: 2 → 2.5",
            id="a risk rule put among the parameters",
        ),
        pytest.param(
            {"kind": "risk_management", "parameter": "stop_loss_pct", "value": None},
            StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20),
            "Règle de risque stop_loss_pct retirée (valait 2)",
            "Risk rule stop_loss_pct removed (was 2)",
            id="a rule removed",
        ),
        pytest.param(
            {"kind": "add_filter", "side": "long", "condition": "ADX(14)>25"},
            StrategySpec(
                name="by hand",
                params={"fast": 5, "slow": 20},
                entry_long="crosses_above(sma(close, fast), sma(close, slow)) and adx(14) > 25",
                exit_long="crosses_below(sma(close, fast), sma(close, slow))",
                risk={"stop_loss_pct": 2.0},
            ),
            "Filtre d’entrée ajouté (achat)\u00a0: adx(14) > 25",
            "Long entry filter added: adx(14) > 25",
            id="a filter",
        ),
    ],
)
def test_a_change_does_what_it_says(given, expected, french, english):
    changed = apply_change(START, change(**given))
    assert changed.hash == expected.hash
    assert describe_change(change(**given), START, "fr") == french
    assert describe_change(change(**given), START, "en") == english


def test_the_strategy_before_is_left_as_it_was():
    before = START.model_dump(mode="json")
    apply_change(START, change(kind="add_filter", side="long", condition="adx(14) > 25"))
    assert START.model_dump(mode="json") == before


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param(
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 50},
            "parameter_order",
            id="fast above slow",
        ),
        pytest.param(
            {"kind": "param_adjustment", "parameter": "speed", "value": 5},
            "unknown_parameter",
            id="unknown parameter",
        ),
        pytest.param(
            {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 400},
            "parameter_out_of_bounds",
            id="out of bounds",
        ),
        pytest.param(
            {"kind": "add_filter", "side": "long", "condition": "close >"},
            "expression_syntax",
            id="half a condition",
        ),
        pytest.param(
            {"kind": "add_filter", "side": "short", "condition": "adx(14) > 25"},
            "no_entry",
            id="no such side",
        ),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(given, code):
    with pytest.raises(BacktestError) as caught:
        apply_change(START, change(**given))
    assert caught.value.code == code
