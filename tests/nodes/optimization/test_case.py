"""Schemas of the case: what a grammar enforces cannot be meaningless, and where none does it is sent back."""

import json
from dataclasses import replace
from typing import get_args

import jsonschema
import pytest
from pydantic import ValidationError

from backtest import StrategySpec
from nodes.optimization.case import analysis_of, proposals_of, turn_of, verdicts_of
from nodes.optimization.changes import KINDS
from nodes.optimization.changes.risk import RiskRule
from nodes.optimization.schemas import Analysis
from nodes.seam.reading import read
from tests.answers import DIVERSE, adjust, analysis, proposal, proposals, risk, turn, verdicts
from tests.evidence import evidence as made_evidence
from tests.optimization_runs import run_graph
from tests.scripted import scripted_models

SPEC = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
FILTERED = SPEC.with_filter("adx(14) > 25", side="long")


def evidence(spec=SPEC):
    figures = [{"id": name, "name": name} for name in ("M1", "W2")]
    return made_evidence(spec, items=figures, history=[{"iteration": 1, "trials": [{"number": 3}]}])


def takes(schema, *changes):
    """Whether the schema of a case takes these changes: pydantic's word, which the JSON Schema must share."""
    given = {"proposals": [proposal(change) for change in changes]}
    by_grammar = jsonschema.Draft202012Validator(schema.model_json_schema()).is_valid(given)
    try:
        schema.model_validate(given)
    except ValidationError:
        assert not by_grammar
        return False
    assert by_grammar
    return True


def with_change(change, spec=SPEC):
    return takes(proposals_of(evidence(spec), 2), change, *DIVERSE[1:])


FITS = {
    "a parameter": adjust(8),
    "its range": adjust({"low": 3, "high": 9}),
    "a rule of risk": risk(100, "max_bars"),
    "a rule's range": risk({"low": 1.0, "high": 4.0}),
    "a rule removed": risk(None),
    "a method of sizing": {"kind": "sizing", "method": "equity_pct", "value": 50.0},
    "another preset": {"kind": "switch_preset", "preset": "supertrend"},
    "another condition": {"kind": "replace_condition", "side": "long", "exit": "rsi(close, 14) > 60"},
}
MEANINGLESS = {
    "a parameter that is not the strategy's": adjust(8, "lantern_gap"),
    "another strategy's parameter": adjust(14, "rsi_period"),
    "a value beyond its bounds": adjust(100_000),
    "a range beyond its bounds": adjust({"low": 3, "high": 1_000_000}),
    "half a bar": adjust(8.5),
    "bars without end": risk({"low": 100_000, "high": 1_000_000}, "max_bars"),
    "another rule's bounds": risk(1_000.0, "stop_loss_atr"),
    "a filter that is not there": {"kind": "remove_filter", "side": "long", "condition": "adx(14) > 25"},
    "a filter of a side that is not traded": {
        "kind": "add_filter",
        "side": "short",
        "condition": "close > 1",
    },
    "an unknown preset": {"kind": "switch_preset", "preset": "lantern"},
    "an order of a side that is not traded": {
        "kind": "entry_order",
        "side": "short",
        "order": "limit",
        "level": "high",
    },
    "a pyramid without end": {"kind": "several_entries", "entries": 50},
}


@pytest.mark.parametrize("change", FITS.values(), ids=FITS.keys())
def test_what_the_strategy_can_have_fits(change):
    assert with_change(change)


@pytest.mark.parametrize("change", MEANINGLESS.values(), ids=MEANINGLESS.keys())
def test_what_means_nothing_here_does_not(change):
    assert not with_change(change)


def test_a_filter_that_is_there_can_go_by_its_very_words():
    def dropped(words):
        return {"kind": "remove_filter", "side": "long", "condition": words}

    assert with_change(dropped("adx(14) > 25"), FILTERED)
    assert not with_change(dropped("adx(14) > 20"), FILTERED)


@pytest.mark.parametrize("name", ["ma_crossover", "supertrend"])
def test_every_value_is_a_number_of_its_own_bounds(name):
    """Law: the bounds of the schema are the engine's, for each parameter and each rule."""
    spec = StrategySpec.preset(name)
    schema = proposals_of(evidence(spec), 2)
    kinds = dict.fromkeys(get_args(RiskRule), "risk_management") | dict.fromkeys(
        spec.params, "param_adjustment"
    )
    around = (risk(3.0), {"kind": "switch_preset", "preset": "ma_crossover"})
    for parameter, kind in kinds.items():
        bound = spec.bounds()[parameter]
        for value, fits in (
            ({"low": bound.low, "high": bound.high}, True),
            (bound.low - 1, False),
            (bound.high + 1, False),
        ):
            change = {"kind": kind, "parameter": parameter, "value": value}
            assert takes(schema, change, *around) is fits, change


def test_ids_hypotheses_and_proposals_are_those_that_exist():
    read = analysis_of(evidence(), Analysis)
    read.model_validate_json(analysis())
    cites = {"statement": "Costs eat it.", "evidence": ["M2"]}
    with pytest.raises(ValidationError):
        read.model_validate_json(analysis(hypotheses=[cites]))
    two, none = proposals_of(evidence(), 2), proposals_of(evidence(), 0)
    for schema, fitting, wrong in ((two, (1, 2), (0, 3)), (none, (0,), (1,))):
        for number in fitting:
            schema.model_validate_json(proposals(hypothesis=number))
        for number in wrong:
            with pytest.raises(ValidationError):
                schema.model_validate_json(proposals(hypothesis=number))
    judged = verdicts_of(evidence(), 3)
    judged.model_validate_json(verdicts())
    for wrong in (
        verdicts("validated", "validated"),
        verdicts(*["validated"] * 4),
        verdicts(evidence=["Z4"]),
    ):
        with pytest.raises(ValidationError):
            judged.model_validate_json(wrong)
    turn_of(evidence()).model_validate_json(turn(evidence=["W2"]))
    with pytest.raises(ValidationError):
        turn_of(evidence()).model_validate_json(turn(evidence=["W1"]))


def test_every_kind_has_a_shape_for_a_case_that_is_its_own():
    for name, kind in KINDS.items():
        for case in kind.cases(FILTERED):
            assert issubclass(case, kind), name
            assert list(case.model_fields) == list(kind.model_fields)


def test_no_text_is_needed_for_a_decision_and_texts_come_last():
    bare = json.dumps({"proposals": [{"hypothesis": 1, "change": change} for change in DIVERSE]})
    proposals_of(evidence(), 1).model_validate_json(bare)
    decided = [{"proposal": 1, "decision": "validated", "priority": 1, "evidence": []}]
    verdicts_of(evidence(), 1).model_validate_json(json.dumps({"verdicts": decided, "confidence": 5}))
    for schema, name, last in (
        (proposals_of(evidence(), 1), "Proposal", "expected_effect"),
        (verdicts_of(evidence(), 1), "Verdict", "reason"),
    ):
        assert list(schema.model_json_schema()["$defs"][name]["properties"])[-1] == last


def test_what_means_nothing_here_goes_back_once_and_the_rest_is_used(tmp_path, monkeypatch):
    """No grammar: the same schema validates, and one bad change does not cost the others."""
    wrong = proposals(adjust(100_000), *DIVERSE[1:], hypothesis=0)
    seen = analysis(
        hypotheses=[{"statement": "Costs eat it.", "test": "Slow down.", "evidence": ["M1 sharpe_ratio"]}]
    )
    steps = {"ollama:a": [seen], "ollama:s": [wrong, wrong]}
    script = scripted_models(monkeypatch, steps)
    state, _ = run_graph(
        tmp_path,
        analyst="a",
        strategist="s",
        language="en",
        use_debate=False,
        cache_hours=0.0,
        max_iterations=1,
    )
    assert state["analysis"]["hypotheses"][0]["evidence"] == ["M1"]
    assert state["analysis"]["unknown_evidence"] == []
    shown = script.calls["ollama:s"][0].schema
    assert jsonschema.Draft202012Validator(shown).is_valid(json.loads(proposals())), (
        "what the model is held to"
    )
    assert not jsonschema.Draft202012Validator(shown).is_valid(json.loads(wrong))
    _, complaint = script.calls["ollama:s"][1].correction
    assert "proposals.0.change" in complaint
    assert "proposals.0.hypothesis" in complaint
    assert [one["change"]["kind"] for one in state["proposals"]] == ["risk_management", "add_filter"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_any_kind_keeps_what_it_says_in_the_schema_of_a_case(kind):
    said = {
        "param_adjustment": {"parameter": "fast_period", "value": 8},
        "add_filter": {"side": "long", "condition": "adx(14) > 25"},
        "remove_filter": {"side": "long", "condition": "adx(14) > 25"},
        "replace_condition": {"side": "long", "entry": "close > open", "exit": "close < open"},
        "entry_order": {"side": "long", "order": "stop", "level": "highest(high, 20)", "bars": 3},
        "risk_management": {"parameter": "max_bars", "value": 5},
        "profit_table": {"rule": "scale_out", "table": "1.5:50"},
        "several_entries": {"entries": 3},
        "sizing": {"method": "equity_pct", "value": 50.0},
        "switch_preset": {"preset": "donchian_breakout"},
        "new_indicator": {"source": "def f(close): return close", "side": "long", "entry": "f() > 1"},
        "new_strategy": {"source": "def f(close): return close, close"},
    }[kind]
    answer = {"proposals": [proposal({"kind": kind, **said})]}
    schema = proposals_of(replace(evidence(FILTERED), allow_code=True), 1).model_json_schema()
    assert read(answer, schema) == (answer, frozenset())
