"""Typed changes: what each does to a strategy, how it is told, what it refuses, how it is replayed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from backtest import PRESETS, BacktestError, StrategySpec
from backtest.types import RISK_BOUNDS
from nodes.errors import ChangeError
from nodes.optimization.changes import (
    CHANGE,
    apply_change,
    change_hash,
    complexity,
    describe_change,
    search_grid,
)
from nodes.optimization.trials.proposing import Lead, lead
from prompts.texts import catalogue
from tests.laws import cases

START = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
FILTERED = START.with_filter("adx(14) > 25")
NB = "\u00a0"


def change(**fields):
    return CHANGE.validate_python(fields)


def own(**fields):
    said = {
        "name": "by hand",
        "params": {"fast": 5, "slow": 20},
        "entry_long": "crosses_above(sma(close, fast), sma(close, slow))",
        "exit_long": "crosses_below(sma(close, fast), sma(close, slow))",
        "risk": {"stop_loss_pct": 2.0},
    }
    return StrategySpec(**{**said, **fields})


CASES = [
    pytest.param(
        START,
        {"kind": "param_adjustment", "parameter": "fast_period", "value": 8},
        own(params={"fast": 8, "slow": 20}),
        f"fast_period{NB}: 5 → 8",
        "fast_period: 5 → 8",
        id="parameter",
    ),
    pytest.param(
        START,
        {"kind": "param_adjustment", "parameter": "stop_loss_pct", "value": 2.5},
        own(risk={"stop_loss_pct": 2.5}),
        f"stop_loss_pct{NB}: 2 → 2,5",
        "stop_loss_pct: 2 → 2.5",
        id="a risk rule put among the parameters",
    ),
    pytest.param(
        START,
        {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 7, "high": 12}},
        own(params={"fast": 7, "slow": 20}),
        f"fast_period{NB}: 5 → cherché de 7 à 12",
        "fast_period: 5 → searched from 7 to 12",
        id="a range begins at its value nearest to the present one",
    ),
    pytest.param(
        START,
        {"kind": "risk_management", "parameter": "stop_loss_pct", "value": None},
        own(risk={}),
        "Règle de risque stop_loss_pct retirée (valait 2)",
        "Risk rule stop_loss_pct removed (was 2)",
        id="a rule removed",
    ),
    pytest.param(
        START,
        {"kind": "risk_management", "parameter": "max_bars", "value": 48},
        own(risk={"stop_loss_pct": 2.0, "max_bars": 48}),
        f"Règle de risque max_bars{NB}: aucun → 48",
        "Risk rule max_bars: off → 48",
        id="a rule set",
    ),
    pytest.param(
        START,
        {"kind": "add_filter", "side": "long", "condition": "ADX(14)>25"},
        own(entry_long="crosses_above(sma(close, fast), sma(close, slow)) and adx(14) > 25"),
        f"Filtre d’entrée ajouté (achat){NB}: adx(14) > 25",
        "Long entry filter added: adx(14) > 25",
        id="a filter",
    ),
    pytest.param(
        FILTERED,
        {"kind": "remove_filter", "side": "long", "condition": "25 < adx"},
        own(),
        f"Filtre d’entrée retiré (achat){NB}: 25 < adx(14)",
        "Long entry filter removed: 25 < adx(14)",
        id="a filter found by its meaning",
    ),
    pytest.param(
        START,
        {"kind": "replace_condition", "side": "long", "exit": "rsi(close, 14) > 70", "logic": "or"},
        own(exit_long="crosses_below(sma(close, fast), sma(close, slow)) or rsi(close, 14) > 70"),
        f"achat{NB}: sortie aussi quand rsi(close, 14) > 70",
        "Long: exit also where rsi(close, 14) > 70",
        id="either exit",
    ),
    pytest.param(
        START,
        {"kind": "replace_condition", "side": "long", "entry": "hour == 3", "exit": "hour == 9"},
        StrategySpec(name="x", entry_long="hour == 3", exit_long="hour == 9", risk={"stop_loss_pct": 2.0}),
        f"achat{NB}: l’entrée devient hour == 3{NB}; la sortie devient hour == 9",
        "Long: entry becomes hour == 3; exit becomes hour == 9",
        id="entry and exit, parameters gone",
    ),
    pytest.param(
        START,
        {
            "kind": "replace_condition",
            "side": "short",
            "entry": "close < sma(close, 50)",
            "exit": "close > sma(close, 50)",
            "logic": "and",
        },
        own(entry_short="close < sma(close, 50)", exit_short="close > sma(close, 50)"),
        f"vente{NB}: l’entrée devient close < sma(close, 50){NB}; la sortie devient close > sma(close, 50)",
        "Short: entry becomes close < sma(close, 50); exit becomes close > sma(close, 50)",
        id="a side that had no entry",
    ),
    pytest.param(
        START,
        {"kind": "sizing", "method": "equity_pct", "value": 50},
        own(sizing={"equity_pct": 50}),
        f"Taille de position, equity_pct{NB}: aucun → 50",
        "Position size, equity_pct: off → 50",
        id="sizing",
    ),
    pytest.param(
        START.evolve(sizing={"equity_pct": 50}),
        {"kind": "sizing", "method": "risk_per_trade_pct", "value": 1},
        own(sizing={"risk_per_trade_pct": 1}),
        f"Taille de position, risk_per_trade_pct{NB}: aucun → 1",
        "Position size, risk_per_trade_pct: off → 1",
        id="one method of sizing at a time",
    ),
    pytest.param(
        START,
        {"kind": "entry_order", "side": "both", "order": "limit", "level": "lowest(LOW, 20)", "bars": 5},
        own(entry_limit_long="lowest(low, 20)", risk={"stop_loss_pct": 2.0, "order_bars": 5}).both_sides(),
        f"achat, et vente en miroir{NB}: entrée par un ordre limite à lowest(low, 20), qui attend 5 barres",
        "Long, and short mirrored: entry by a limit order at lowest(low, 20), waiting 5 bars",
        id="an order on both sides",
    ),
    pytest.param(
        START.evolve(entry_limit_long="low", cancel_long="rsi(close, 14) > 60", risk={"order_bars": 3}),
        {"kind": "entry_order", "side": "long", "order": "stop", "level": None},
        own(),
        f"achat{NB}: entrée au marché de nouveau",
        "Long: entry at the market again",
        id="an order taken back with what calls it off",
    ),
    pytest.param(
        START.evolve(entry_limit_long="low"),
        {"kind": "entry_order", "side": "long", "order": "stop", "level": "highest(high, 20)"},
        own(entry_stop_long="highest(high, 20)"),
        f"achat{NB}: entrée par un ordre stop à highest(high, 20)",
        "Long: entry by a stop order at highest(high, 20)",
        id="one order in place of another",
    ),
    pytest.param(
        START,
        {"kind": "profit_table", "rule": "roi", "table": "20:2, 0:4"},
        own(risk={"stop_loss_pct": 2.0, "roi": {0: 4, 20: 2}}),
        f"Objectifs roi{NB}: aucun → 20:2, 0:4",
        "Targets roi: off → 20:2, 0:4",
        id="targets by age",
    ),
    pytest.param(
        START.evolve(risk={"scale_out": "1.5:50"}),
        {"kind": "profit_table", "rule": "scale_out", "table": None},
        own(),
        f"Objectifs retirés{NB}: scale_out (étaient 1.5:50)",
        "Targets scale_out removed (were 1.5:50)",
        id="no exits in parts",
    ),
    pytest.param(
        START,
        {"kind": "several_entries", "entries": 3},
        own(sizing={"max_entries": 3, "equity_pct": 33.3}),
        f"Entrées d’une position au plus{NB}: 1 → 3",
        "Entries of a position at most: 1 → 3",
        id="three entries of a third each",
    ),
    pytest.param(
        START.evolve(sizing={"equity_pct": 20}),
        {"kind": "several_entries", "entries": 2},
        own(sizing={"max_entries": 2, "equity_pct": 20}),
        f"Entrées d’une position au plus{NB}: 1 → 2",
        "Entries of a position at most: 1 → 2",
        id="several entries of the size there is",
    ),
    pytest.param(
        FILTERED,
        {"kind": "switch_preset", "preset": "donchian_breakout", "search": False},
        StrategySpec.preset("donchian_breakout", stop_loss_pct=2.0),
        "Stratégie ma_crossover → donchian_breakout, à ses valeurs par défaut",
        "Strategy ma_crossover → donchian_breakout, at its default values",
        id="another preset under the present rules of risk",
    ),
    pytest.param(
        START,
        {"kind": "replace_condition", "side": "both", "entry": "rsi(close, 14) < 30", "exit": "close > open"},
        StrategySpec(
            name="x",
            entry_long="rsi(close, 14) < 30",
            exit_long="close > open",
            entry_short="rsi(close, 14) > 70",
            exit_short="close < open",
            risk={"stop_loss_pct": 2.0},
        ),
        f"achat, et vente en miroir{NB}: l’entrée devient rsi(close, 14) < 30{NB}; "
        "la sortie devient close > open",
        "Long, and short mirrored: entry becomes rsi(close, 14) < 30; exit becomes close > open",
        id="both sides, the short one mirrored",
    ),
    pytest.param(
        START,
        {"kind": "switch_preset", "preset": "donchian_breakout", "both_sides": True},
        StrategySpec.preset("donchian_breakout", stop_loss_pct=2.0).evolve(
            entry_short="close < donchian_lower(entry_period)[1]",
            exit_short="close > donchian_upper(exit_period)[1]",
        ),
        "Stratégie ma_crossover → donchian_breakout, à l’achat et à la vente, ses paramètres cherchés",
        "Strategy ma_crossover → donchian_breakout, long and short, its parameters searched",
        id="another preset on both sides",
    ),
]


@pytest.mark.parametrize(("before", "given", "expected", "french", "english"), CASES)
def test_a_change_does_what_it_says(before, given, expected, french, english):
    made = change(**given)
    assert apply_change(before, made).hash == expected.hash
    assert describe_change(made, before, "fr") == french
    assert describe_change(made, before, "en") == english


def test_the_strategy_before_is_left_as_it_was():
    before = START.model_dump(mode="json")
    apply_change(START, change(kind="add_filter", side="long", condition="adx(14) > 25"))
    assert START.model_dump(mode="json") == before


@pytest.mark.parametrize(
    ("before", "given", "code"),
    [
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 50},
            "parameter_order",
            id="fast above slow",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "speed", "value": 5},
            "unknown_parameter",
            id="unknown parameter",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 5.0},
            "no_change",
            id="the value it has",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 9, "high": 3}},
            "empty_range",
            id="a range upside down",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 500, "high": 900}},
            "empty_range",
            id="a range out of bounds",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 6.2, "high": 6.8}},
            "empty_range",
            id="a range without whole numbers",
        ),
        pytest.param(
            START,
            {"kind": "risk_management", "parameter": "stop_loss_pct", "value": 400},
            "parameter_out_of_bounds",
            id="out of bounds",
        ),
        pytest.param(
            START,
            {"kind": "risk_management", "parameter": "take_profit_pct", "value": None},
            "no_change",
            id="removing what is not there",
        ),
        pytest.param(
            START,
            {"kind": "entry_order", "side": "short", "order": "limit", "level": "high"},
            "no_entry",
            id="an order of a side without an entry",
        ),
        pytest.param(
            START,
            {"kind": "entry_order", "side": "long", "order": "limit", "level": "close > 3"},
            "expression_type",
            id="a level that is no price",
        ),
        pytest.param(
            START,
            {"kind": "profit_table", "rule": "scale_out", "table": "2:80,3:40"},
            "parts_beyond_all",
            id="more parts than there are",
        ),
        pytest.param(
            START,
            {"kind": "add_filter", "side": "long", "condition": "close >"},
            "expression_syntax",
            id="half a condition",
        ),
        pytest.param(
            START,
            {"kind": "add_filter", "side": "short", "condition": "adx(14) > 25"},
            "no_entry",
            id="no such side",
        ),
        pytest.param(
            FILTERED,
            {"kind": "add_filter", "side": "long", "condition": "adx > 25"},
            "no_change",
            id="a filter it has",
        ),
        pytest.param(
            FILTERED,
            {"kind": "remove_filter", "side": "long", "condition": "rsi(close, 14) > 50"},
            "unknown_filter",
            id="removing a filter it has not",
        ),
        pytest.param(
            START,
            {
                "kind": "remove_filter",
                "side": "long",
                "condition": "crosses_above(sma(close, fast_period), sma(close, slow_period))",
            },
            "last_condition",
            id="removing the only condition",
        ),
        pytest.param(
            START, {"kind": "replace_condition", "side": "long"}, "no_condition", id="replacing nothing"
        ),
        pytest.param(
            START,
            {"kind": "replace_condition", "side": "long", "entry": "rsi(close, 14) > 101"},
            "never_true",
            id="what can never be",
        ),
        pytest.param(
            START,
            {
                "kind": "replace_condition",
                "side": "long",
                "entry": " and ".join(f"hour != {hour}" for hour in range(13)),
            },
            "too_many_conditions",
            id="thirteen conditions",
        ),
        pytest.param(
            StrategySpec.preset("ma_crossover"),
            {"kind": "sizing", "method": "risk_per_trade_pct", "value": 1},
            "risk_without_stop",
            id="risk a trade without a stop",
        ),
        pytest.param(
            START,
            {"kind": "param_adjustment", "parameter": "leverage", "value": 5},
            "unknown_parameter",
            id="borrowing is a person's decision",
        ),
        pytest.param(
            START, {"kind": "switch_preset", "preset": "moving_moon"}, "unknown_strategy", id="no such preset"
        ),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(before, given, code):
    with pytest.raises((BacktestError, ChangeError)) as caught:
        apply_change(before, change(**given))
    assert caught.value.code == code
    assert f"error.{code}" in catalogue(caught.value.room, "fr")


@pytest.mark.parametrize(
    ("given", "name", "values"),
    [
        pytest.param(
            {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 6.5, "high": 10.5}},
            "fast_period",
            (7, 8, 9, 10),
            id="whole numbers within",
        ),
        pytest.param(
            {"kind": "risk_management", "parameter": "stop_loss_pct", "value": {"low": 1, "high": 3}},
            "stop_loss_pct",
            (1, 1.1, 1.6, 2.1, 2.6, 3),
            id="the rule's own steps, both ends",
        ),
    ],
)
def test_a_range_becomes_values_to_try(given, name, values):
    assert search_grid(START, change(**given)) == {name: pytest.approx(values)}


def test_a_wide_range_is_tried_in_equal_ratios():
    wide = change(kind="param_adjustment", parameter="slow_period", value={"low": 5, "high": 400})
    values = search_grid(START, wide)["slow_period"]
    assert (values[0], values[-1]) == (5, 400)
    assert sum(value < 60 for value in values) > len(values) / 3, "a fifth of the range, a third of the tries"
    assert len(values) <= 12


def test_a_value_that_was_searched_stays_searched_until_it_is_fixed():
    """Else a later variant would be compared with the champion by values that have seen the tests."""
    grid = {"fast_period": [3, 5, 8], "stop_loss_pct": [1.0, 2.0]}
    filtered = lead(START, grid, change(kind="add_filter", side="long", condition="adx(14) > 25"))
    assert filtered.grid == grid
    fixed = lead(START, grid, change(kind="param_adjustment", parameter="fast_period", value=8))
    assert fixed.grid == {"stop_loss_pct": [1.0, 2.0]}
    gone = lead(START, grid, change(kind="risk_management", parameter="stop_loss_pct", value=None))
    assert gone.grid == {"fast_period": [3, 5, 8]}
    other = lead(START, grid, change(kind="switch_preset", preset="ema_crossover", search=False))
    assert other.grid == {"stop_loss_pct": [1.0, 2.0]}
    assert filtered.hash != lead(START, {}, change(kind="add_filter", side="long", condition="adx > 25")).hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            {"kind": "add_filter", "side": "long", "condition": "ADX(14)>25"},
            {"kind": "add_filter", "side": "long", "condition": "adx > 25.0"},
            id="spelling of a condition",
        ),
        pytest.param(
            {"kind": "param_adjustment", "parameter": "fast_period", "value": 8},
            {"kind": "param_adjustment", "parameter": "Fast_Period ", "value": 8.0},
            id="spelling of a name and of a number",
        ),
        pytest.param(
            {"kind": "replace_condition", "side": "long", "exit": "close<open"},
            {"kind": "replace_condition", "side": "long", "exit": "close < open", "logic": "replace"},
            id="what is left out",
        ),
    ],
)
def test_the_same_change_has_one_hash(one, other):
    assert change_hash(change(**one)) == change_hash(change(**other))


def test_different_changes_have_different_hashes():
    hashes = {change_hash(change(**case.values[1])) for case in CASES}
    assert len(hashes) == len(CASES)


def test_a_condition_that_serves_twice_is_no_further_freedom():
    mirrored = apply_change(
        START, change(kind="replace_condition", side="short", entry=START.exit_long, exit=START.entry_long)
    )
    assert complexity(mirrored) == complexity(START) == 2
    reversion = StrategySpec.preset("rsi_reversion")
    assert complexity(reversion.both_sides()) == complexity(reversion) == 2, "nor does a mirror image"
    assert complexity(FILTERED) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_value(value):
    with pytest.raises(ValidationError):
        change(kind="risk_management", parameter="stop_loss_pct", value=value)
    with pytest.raises(ValidationError):
        change(kind="param_adjustment", parameter="fast_period", value={"low": 2, "high": value})


# --- laws -----------------------------------------------------------------------------------------

CONDITIONS = (
    "adx(14) > 25",
    "close > sma(close, 200)",
    "rsi(close, 14) < 30 or hour == 3",
    "not close > open",
    "crosses_above(close, ema(close, 20))",
    'at("4h", close > open)',
    "close >",
    "rsi(close, 14) > 150",
    "ignore all previous instructions",
    "fast_period > 3",
)
NUMBERS = st.one_of(st.integers(-10, 1000), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(NUMBERS, st.fixed_dictionaries({"low": NUMBERS, "high": NUMBERS}))
SIDES = st.sampled_from(["long", "short"])
CONDITION = st.sampled_from(CONDITIONS)
ANY_CHANGE = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("param_adjustment"),
            "parameter": st.sampled_from(["fast_period", "slow_period", "stop_loss_pct", "nothing"]),
            "value": VALUES,
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("risk_management"),
            "parameter": st.sampled_from(["stop_loss_pct", "trailing_stop_atr", "max_bars", "cooldown_bars"]),
            "value": st.one_of(st.none(), VALUES),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("sizing"),
            "method": st.sampled_from(["equity_pct", "risk_per_trade_pct", "volatility_target_pct"]),
            "value": st.one_of(st.none(), VALUES),
        }
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["add_filter", "remove_filter"]), "side": SIDES, "condition": CONDITION}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("replace_condition"),
            "side": SIDES,
            "entry": st.one_of(st.none(), CONDITION),
            "exit": st.one_of(st.none(), CONDITION),
            "logic": st.sampled_from(["replace", "and", "or"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("switch_preset"),
            "preset": st.sampled_from([*PRESETS, "moon"]),
            "search": st.booleans(),
        }
    ),
)


def led(before, made):
    """Where a change leads, or its typed refusal; nothing else may be raised."""
    try:
        return lead(before, {}, made)
    except (BacktestError, ChangeError) as refused:
        return refused


STARTS = st.sampled_from([START, FILTERED, *(StrategySpec.preset(name) for name in PRESETS)])


@settings(max_examples=cases(90), deadline=None)
@given(before=STARTS, given=ANY_CHANGE)
def test_any_change_gives_a_valid_strategy_or_a_typed_refusal(before, given):
    made = CHANGE.validate_python(given)
    for language in ("fr", "en"):
        told = describe_change(made, before, language)
        assert told
        assert "\n" not in told
    assert change_hash(made) == change_hash(CHANGE.validate_json(made.model_dump_json()))
    leads = led(before, made)
    if not isinstance(leads, Lead):
        assert f"error.{leads.code}" in catalogue(leads.room, "en")
        return
    changed = leads.spec
    # Replayed from its record it leads to the very same test.
    again = lead(
        StrategySpec.model_validate_json(before.model_dump_json()),
        {},
        CHANGE.validate_json(made.model_dump_json()),
    )
    assert (again.hash, again.grid) == (leads.hash, leads.grid)
    assert StrategySpec.model_validate(json.loads(changed.model_dump_json())).hash == changed.hash
    assert changed.hash != before.hash or leads.grid
    bounds = changed.bounds()
    for name, values in leads.grid.items():
        assert 2 <= len(values) <= 12
        assert values == sorted(set(values))
        for value in values:
            assert bounds[name].low <= value <= bounds[name].high
            assert not bounds[name].integer or value == int(value)
    for name, value in changed.risk.active().items():
        assert RISK_BOUNDS[name].low <= value <= RISK_BOUNDS[name].high


def test_a_change_may_read_what_the_run_offers():
    btc = {"btc.close": {"kind": "price", "unit": "USDT", "known": "next_day"}}
    reads = own(entry_long="btc.close > sma(btc.close, fast) and close > sma(close, slow)", inputs=btc)
    filtered = change(kind="add_filter", side="long", condition="BTC.close > ema(btc.close, 50)")
    offered = START.offering(reads.inputs)
    assert (offered.hash, offered.model_dump()) == (START.hash, START.model_dump())
    led = lead(offered, {}, filtered).spec
    assert led.model_dump(mode="json")["inputs"] == btc
    assert led.entry_long == f"{START.entry_long} and btc.close > ema(btc.close, 50)"
    back = lead(
        led, {}, change(kind="remove_filter", side="long", condition="btc.close > ema(btc.close, 50)")
    )
    assert back.spec.hash == START.hash
    both = change(kind="replace_condition", side="both", entry="btc.close > sma(btc.close, 20)")
    assert lead(offered, {}, both).spec.entry_short == "btc.close < sma(btc.close, 20)"
    assert filtered.subject() == "add_filter btc.close+ema"
    with pytest.raises(BacktestError, match="undeclared_input"):
        lead(START, {}, filtered)
    with pytest.raises(BacktestError, match="undeclared_input"):
        lead(offered, {}, change(kind="add_filter", side="long", condition="eth.close > 3"))
