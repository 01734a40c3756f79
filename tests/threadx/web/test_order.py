"""A run as the form describes it: what is refused, and what the command is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import click
import pytest
from pydantic import TypeAdapter

from backtest import BacktestError, Input, Risk, Sizing, StrategySpec
from backtest.types import COST_NAMES
from base.errors import TypedError
from nodes.further import Further
from nodes.optimization.changes import Change
from prompts import Words
from providers import ProviderError
from threadx.command import build
from threadx.commands import options
from threadx.web.errors import WebError
from threadx.web.order import (
    OPTIONAL,
    READING,
    SETTINGS,
    Order,
    arguments,
    begun_with,
    check,
    order_of,
    order_query,
)
from threadx.web.steering import edit_faults, edited, leaves
from threadx.web.strategy_form import GROUPS
from threadx.work import asked
from threadx.work.further import take_further
from vault.errors import MarketError
from vault.packaged import packaged_table

RULES = {"analyst": "rules", "strategist": "rules", "validator": "rules"}


def order(**differing: Any) -> Order:
    given: dict[str, Any] = {"data": "sample:sp500", "strategy": "ma_crossover", "models": RULES}
    return Order(**{**given, **differing})


@pytest.mark.parametrize(
    ("differing", "error", "code"),
    [
        ({"params": {"fast_period": 1}}, BacktestError, "parameter_out_of_bounds"),
        ({"params": {"fast_period": 30, "slow_period": 20}}, BacktestError, "parameter_order"),
        ({"strategy": "../secret"}, BacktestError, "unknown_strategy"),
        ({"models": {**RULES, "analyst": " , "}}, WebError, "no_models"),
        ({"models": {**RULES, "analyst": "ollama:"}}, ProviderError, "empty_reference"),
        ({"settings": {"max_iterations": 0}}, WebError, "bad_value"),
        ({"settings": {"fee_bps": -1.0}}, WebError, "bad_value"),
    ],
    ids=["bounds", "order", "strategy", "no model", "bad model", "iterations", "fee"],
)
def test_what_the_command_would_refuse_is_refused_before_anything_starts(
    tmp_path: Path, differing: dict[str, Any], error: type[RuntimeError], code: str
) -> None:
    with pytest.raises(error) as refused:
        check(order(**differing), "fr", tmp_path)
    assert refused.value.code == code
    assert list(tmp_path.iterdir()) == []


OWN = {
    "strategy": "own",
    "conditions": {"entry_long": "close > highest(high, n)[1]", "exit_long": "--home=x < 1"},
    "params": {"n": 20, "stop_loss_pct": 2.5},
}


def test_conditions_of_ones_own_are_options_of_the_command(tmp_path: Path) -> None:
    assert arguments(order(**OWN), "r", "en", tmp_path)[3:7] == [
        "--entry-long=close > highest(high, n)[1]",
        "--exit-long=--home=x < 1",
        "--param=n=20",
        "--param=stop_loss_pct=2.5",
    ]
    with pytest.raises(BacktestError, match="inconnu"):
        check(order(**{**OWN, "params": {}}), "fr", tmp_path)


def test_a_link_fills_in_the_whole_form() -> None:
    whole = order(
        **{**OWN, "params": {"n": 20, "stop_loss_pct": None}},
        models={},
        settings={"fee_bps": 12.5},
        reading={"symbol": "A&B", "adjust": True},
    )
    query = parse_qsl(order_query(whole))
    assert begun_with(query, Words("fr")) == (whole, "")
    empty, told = begun_with([("data", "sample:sp500"), ("param", "n=twenty")], Words("en"))
    assert (empty.data, "n=twenty" in told) == ("", True)


def test_a_strategy_of_a_run_comes_back_as_its_preset_with_its_values_or_as_conditions() -> None:
    preset = StrategySpec.preset("ma_crossover", fast_period=7, stop_loss_pct=2.0)
    found = order_of("sample:sp500", preset)
    assert (found.strategy, found.conditions, found.spec().hash) == ("ma_crossover", {}, preset.hash)
    changed = preset.with_filter("adx(14) > 25")
    found = order_of("sample:sp500", changed)
    assert (found.strategy, found.spec().hash) == ("own", changed.hash)
    sized = preset.evolve(sizing={"equity_pct": 50.0, "whole_units": True})
    assert order_of("sample:sp500", sized).spec().hash == sized.hash
    waiting = changed.evolve(entry_limit_long="close * 0.99", risk={"order_bars": 3, "roi": "0:4,20:2"})
    found = order_of("sample:sp500", waiting)
    assert found.spec().hash == waiting.hash
    assert begun_with(parse_qsl(order_query(found)), Words("fr")) == (found, "")


def test_the_form_has_a_field_for_every_setting_and_level_that_the_command_takes(tmp_path: Path) -> None:
    """And what it asks for is the same strategy to the command."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(
        (*Risk.model_fields, *Sizing.model_fields)
    )
    assert {*COST_NAMES} <= {*SETTINGS}
    params = {"n": 20, "order_bars": 3, "roi": "0:8, 20:4", "equity_pct": 50.0, "max_entries": 2}
    conditions = {
        "entry_long": "close > highest(high, n)[1] and t1.close > sma(t1.close, 50)",
        "entry_limit_long": "close * 0.99",
        "exit_stop_long": "lowest(low, 10)",
        "cancel_long": "close < lowest(low, n)[1]",
    }
    further = Further({"t1": packaged_table("nasdaq")}, {"t1": "sample:nasdaq"}, {})
    asked_for = order(
        strategy="own", conditions=conditions, params={**params, "whole_units": 1.0}, further=further
    )
    words = arguments(asked_for, "r", "en", tmp_path)
    command = build(Words("en")).get_command(click.Context(build(Words("en"))), "optimize")
    assert command is not None
    given = command.make_context("optimize", words[1:]).params
    assert asked.take_strategy(given, take_further(given, tmp_path)).hash == asked_for.spec().hash


def test_a_table_beside_a_known_strategy_is_on_offer_to_its_changes(tmp_path: Path) -> None:
    declared = {"t1.mood": Input(kind="share", known="close")}
    further = Further({"t1": packaged_table("nasdaq")}, {"t1": "sample:nasdaq"}, declared)
    words = arguments(order(further=further), "r", "en", tmp_path)
    assert {"--with=t1=sample:nasdaq", "--input=t1.mood=share,close"} <= {*words}


def test_values_never_pass_for_options_and_keep_their_digits(tmp_path: Path) -> None:
    given = order(
        params={"fast_period": 5, "stop_loss_pct": 2.5, "take_profit_pct": None},
        models={**RULES, "analyst": "--home=elsewhere , rules"},
        settings={"max_tokens": 12_345_678, "max_seconds": None},
        approve=True,
        debate=False,
        named=True,
        others=("sample:nasdaq", "uploads/a1/--home.csv"),
    )
    assert arguments(given, "r", "en", tmp_path) == [
        "optimize",
        "--run=r",
        "--language=en",
        "--strategy=ma_crossover",
        "--param=fast_period=5",
        "--param=stop_loss_pct=2.5",
        "--param=take_profit_pct=none",
        "--analyst=--home=elsewhere, rules",
        "--strategist=rules",
        "--validator=rules",
        "--max-tokens=12345678",
        "--approve",
        "--no-debate",
        "--named",
        "--other=sample:nasdaq",
        f"--other={tmp_path / 'uploads/a1/--home.csv'}",
        "sample:sp500",
    ]


def test_the_form_offers_what_the_command_does_for_a_price_file() -> None:
    offered = {*options.SECTIONS["data"]} - {"whole", "others", "each", "timeframes"}
    assert READING.keys() == offered


def test_what_is_known_of_the_file_reaches_the_command(tmp_path: Path) -> None:
    reading: dict[str, str | bool] = {
        "symbol": "AAPL",
        "timeframe": "1d",
        "gaps": "fill",
        "time_format": "excel",
        "time_zone": "Europe/Paris",
        "decimal": ",",
        "adjust": True,
        "start": "2022-01-01",
        "end": "--home=x",
        "resample": "1w",
    }
    assert reading.keys() == READING.keys()
    words = arguments(order(reading=reading), "r", "fr", tmp_path)
    command = build(Words("fr")).get_command(click.Context(build(Words("fr"))), "optimize")
    assert command is not None
    given = command.make_context("optimize", words[1:]).params
    assert {name: given[name] for name in reading} == reading


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        ({"start": "2030-01-01"}, "Corrigez «\xa0Première barre\xa0» ou «\xa0Dernière barre\xa0»"),
        ({"time_zone": "Paris"}, "Fuseau horaire inconnu"),
        ({"gaps": "fil"}, "fill"),
        ({"time_forma": "x"}, "time_format"),
    ],
)
def test_what_cannot_be_read_so_is_refused_in_the_words_of_the_form(
    tmp_path: Path, reading: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypedError) as refused:
        check(order(reading=reading), "fr", tmp_path)
    assert told in Words("fr", "page").told(refused.value)


def test_registered_prices_are_not_read_again(tmp_path: Path) -> None:
    with pytest.raises(MarketError) as refused:
        check(order(data="dataset:0123", reading={"start": "2020-01-01"}), "fr", tmp_path)
    assert refused.value.code == "reading_of_registered"


@pytest.mark.parametrize("name", SETTINGS)
def test_an_emptied_field_is_no_default(tmp_path: Path, name: str) -> None:
    """Where there may be no limit there is none; elsewhere it is asked for by its label."""
    emptied = order(settings={name: None})
    if name in OPTIONAL:
        check(emptied, "en", tmp_path)
        return
    with pytest.raises(WebError) as refused:
        check(emptied, "en", tmp_path)
    assert refused.value.code == "empty_field"
    assert Words("en")(f"web.setting.{name}") in refused.value.sentence("en")


def test_an_upload_is_named_by_where_it_lies(tmp_path: Path) -> None:
    assert arguments(order(data="uploads/ab/x.csv"), "r", "fr", tmp_path)[-1] == str(
        tmp_path / "uploads/ab/x.csv"
    )


CHANGES: list[dict[str, Any]] = [
    {"kind": "param_adjustment", "parameter": "fast_period", "value": {"low": 2.0, "high": 100.0}},
    {"kind": "risk_management", "parameter": "stop_loss_pct", "value": None},
    {"kind": "add_filter", "side": "long", "condition": "adx(14) > 25"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change["kind"]))
def test_a_change_left_as_it_was_is_the_same_change(change: dict[str, Any]) -> None:
    shown = {path: "" if value is None else f"{value}" for path, value in leaves(change).items()}
    assert "kind" not in shown
    assert edited(change, shown) == change
    TypeAdapter(Change).validate_python(edited(change, shown))


def test_an_edited_value_is_read_as_people_write_it() -> None:
    first, second, third = CHANGES
    assert edited(first, {"value.high": "50,5"})["value"] == {"low": 2.0, "high": 50.5}
    assert edited(second, {"value": "2.5"})["value"] == 2.5
    assert edited(third, {"condition": " rsi(14) < 30 "})["condition"] == "rsi(14) < 30"
    assert first["value"] == {"low": 2.0, "high": 100.0}


def test_a_wrong_edit_is_told_in_one_sentence_at_its_field() -> None:
    first, second, third = CHANGES
    edits = [
        {"proposal": 2, "change": edited(first, {"value.high": "a lot"})},
        {"proposal": 4, "change": edited(second, {"value": "1,5%"})},
        {"proposal": 5, "change": third},
    ]
    found = edit_faults(edits, "en")
    assert found == {(2, "value.high"): "A number is needed", (4, "value"): "A number is needed"}
    assert edit_faults(edits[2:], "en") == {}
