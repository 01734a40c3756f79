"""A whole strategy has its own values: others beside it are refused by name, at every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import threadx
from backtest import StrategySpec
from base.errors import TypedError
from graphs.optimization import graph as optimization
from graphs.review import graph as review
from nodes.errors import SettingError
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.backtest.engine import BacktestEngine
from threadx.command import main

SPEC = StrategySpec.preset("rsi_reversion")
BESIDE: dict[str, Any] = {"rsi_period": 10}
PRICES = made_up_prices(300)
ONE_ROUND: dict[str, Any] = {**{role: [model] for role, model in ALL_RULES.items()}, "max_iterations": 1}

PYTHON: dict[str, Callable[[Path, Any], Any]] = {
    "optimize": lambda home, params: threadx.optimize(PRICES, SPEC, params, home=home, **ONE_ROUND),
    "review": lambda home, params: threadx.review(
        PRICES, SPEC, params, home=home, **{role: [model] for role, model in ALL_RULES.items()}
    ),
    "backtest": lambda home, params: threadx.backtest(PRICES, SPEC, params, home=home),
    "sweep": lambda home, params: threadx.sweep(
        PRICES, SPEC, params=params, grid={"rsi_period": [5, 9]}, home=home
    ),
    "engine": lambda home, params: BacktestEngine().run(PRICES, SPEC, params),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THREADX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def refused(caught: Any, home: Path) -> None:
    """The name that was too much is told, and nothing was begun."""
    assert caught.value.code == "params_beside_strategy"
    assert caught.value.fields["names"] == "rsi_period"
    assert not (home / "runs").exists()


@pytest.mark.parametrize("door", PYTHON.values(), ids=PYTHON)
def test_python_refuses_values_beside_a_whole_strategy(door: Any, home: Path) -> None:
    with pytest.raises(SettingError) as caught:
        door(home, BESIDE)
    refused(caught, home)


@pytest.mark.parametrize("graph", [optimization, review], ids=["optimization", "review"])
def test_a_graph_refuses_values_beside_a_whole_strategy(graph: Any, home: Path) -> None:
    given = {"data": "sample:sp500", "spec": SPEC.model_dump(mode="json"), "params": BESIDE}
    with pytest.raises(SettingError) as caught:
        graph.invoke(given, context={})
    refused(caught, home)


@pytest.mark.parametrize("command", ["optimize", "review", "backtest", "sweep"])
@pytest.mark.parametrize(
    ("beside", "named"),
    [(["-p", "rsi_period=10"], "rsi_period"), (["--entry-long", "close > open"], "entry_long")],
    ids=["value", "condition"],
)
def test_a_command_refuses_values_and_conditions_beside_a_strategy_file(
    tmp_path: Path, home: Path, capsys: Any, command: str, beside: list[str], named: str
) -> None:
    path = tmp_path / "whole.json"
    path.write_text(SPEC.model_dump_json(), encoding="utf-8")
    prices = tmp_path / "A_1h.csv"
    PRICES.to_csv(prices)
    grid = ["--grid", "rsi_period=5:10"] if command == "sweep" else []
    with pytest.raises(SystemExit) as ended:
        main([command, str(prices), "--strategy-file", str(path), *beside, *grid, "--language=en"])
    assert ended.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"A complete strategy has its own values: {named} cannot be given as well." in told
    assert not (home / "runs").exists()


def test_the_refusal_is_in_the_language_of_the_run(home: Path) -> None:
    with pytest.raises(TypedError, match="A complete strategy has its own values"):
        threadx.optimize(PRICES, SPEC, BESIDE, home=home, language="en")


def test_a_whole_strategy_by_itself_is_taken(home: Path) -> None:
    assert PYTHON["review"](home, {}).run
