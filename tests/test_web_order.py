"""A run as the form describes it: what is refused, and what the command is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from backtest import BacktestError
from nodes.optimization.changes import Change
from providers import ProviderError
from web.errors import WebError
from web.order import Order, arguments, check
from web.steering import edited, leaves

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


def test_values_never_pass_for_options_and_keep_their_digits(tmp_path: Path) -> None:
    given = order(
        params={"fast_period": 5, "stop_loss_pct": 2.5, "take_profit_pct": None},
        models={**RULES, "analyst": "--home=elsewhere , rules"},
        settings={"max_tokens": 12_345_678, "max_seconds": None},
        approve=True,
        debate=False,
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
        "--analyst=--home=elsewhere,rules",
        "--strategist=rules",
        "--validator=rules",
        "--max-tokens=12345678",
        "--approve",
        "--no-debate",
        "--other=sample:nasdaq",
        f"--other={tmp_path / 'uploads/a1/--home.csv'}",
        "sample:sp500",
    ]


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
