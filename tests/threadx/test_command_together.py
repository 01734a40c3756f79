"""`threadx backtest` on several instruments: one strategy on each, or target weights with one account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest import Costs, StrategySpec, portfolio, universe, weights
from tests.prices import made_up_prices
from threadx.command import main
from vault.datasets import Dataset, load_development
from vault.ledger import Ledger

A = made_up_prices(600, seed=3, cycle=0.05)
B = made_up_prices(600, seed=4, cycle=0.03).set_axis(A.index)
PRICES = {"AAA": A, "BBB": B}
PLAN = pd.DataFrame(
    {"AAA": [0.6, None, -0.3, 0.1], "BBB": [0.4, 0.2, 0.3, 0.1]},
    index=pd.DatetimeIndex([A.index[0] - pd.Timedelta(days=9), *A.index[[100, 300, 590]]], name="time"),
)
"""Its first row stands before the first bar, its last one in the holdout."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prices").mkdir()
    for name, prices in PRICES.items():
        prices.to_csv(tmp_path / "prices" / f"{name}_1h.csv")
    PLAN.to_csv(tmp_path / "plan.csv")
    return tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object, language: str = "en") -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["backtest", *map(str, arguments), "--home", str(folder / "home"), "--language", language])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


def developed(found: dict[str, Any], home: Path) -> dict[str, pd.DataFrame]:
    """The development parts, as registered."""
    dataset = Dataset.model_validate(found["dataset"])
    return {one.symbol: load_development(one, home) for one in dataset.members}


def trials(found: dict[str, Any], home: Path) -> list[int]:
    """How many were counted on the pool, and on each instrument."""
    dataset = Dataset.model_validate(found["dataset"])
    return [Ledger(home).snapshot(one.family).trials for one in (dataset, *dataset.instruments)]


def test_one_strategy_trades_each_instrument_and_all_together(command: Any, folder: Path) -> None:
    whole = folder / "whole.json"
    code, out, err = command(folder / "prices", "-p", "fast_period=8", "--json", whole, language="fr")
    assert (code, "Traceback" in err) == (0, False)
    found = json.loads(whole.read_text(encoding="utf-8"))
    prices = developed(found, folder / "home")
    costs = Costs(**{name: found["settings"][name] for name in Costs.model_fields})
    wanted = universe.run_backtest(prices, StrategySpec.preset("ma_crossover", fast_period=8), costs)
    assert found["metrics"] == wanted.pooled.metrics.to_dict()
    assert found["equity"]["value"] == wanted.pooled.equity.tolist()
    assert [one["total_return"] for one in found["instruments"]] == wanted.table["total_return"].tolist()
    row = next(line.split("\t") for line in out.splitlines() if line.startswith("BBB\t"))
    assert float(row[2]) == pytest.approx(wanted.table.loc["BBB", "total_return"])
    assert len(prices["AAA"]) < len(A)
    assert trials(found, folder / "home") == [1, 1, 1]


def test_target_weights_of_a_file_share_one_account(command: Any, folder: Path) -> None:
    whole, picture = folder / "whole.json", folder / "whole.svg"
    asked = (*(folder / "prices" / f"{name}_1h.csv" for name in PRICES), "--weights", folder / "plan.csv")
    code, out, _ = command(*asked, "--cash-yield-pct", "5", "--json", whole, "--picture", picture)
    assert (code, picture.exists()) == (0, True)
    assert "1 row of weights after" in out
    found = json.loads(whole.read_text(encoding="utf-8"))
    prices = developed(found, folder / "home")
    plan = PLAN.iloc[:3].set_axis(A.index[[0, 100, 300]])
    costs = Costs(**{name: found["settings"][name] for name in Costs.model_fields})
    wanted = portfolio.run_portfolio(prices, plan, costs, cash_yield_pct=5.0)
    assert found["equity"]["value"] == wanted.equity.tolist()
    # The excess is what was earned over holding each at its average weight; all of it adds up by hand.
    held = (wanted.weights.mean() * wanted.closes.pct_change()).sum(axis=1)
    assert wanted.excess[1:] == pytest.approx((wanted.equity.pct_change() - held).iloc[1:].to_numpy())
    table = wanted.by_instrument
    assert table["pnl"].sum() < wanted.equity.iloc[-1] - 10_000.0  # the rest is interest on cash
    assert table["fees"].sum() == pytest.approx(wanted.orders["fee"].sum())
    assert [one["n_trades"] for one in found["instruments"]] == table["n_trades"].tolist()
    assert trials(found, folder / "home") == [1, 0, 0]
    command(*asked, "--cash-yield-pct", "5")
    assert trials(found, folder / "home") == [1, 0, 0]
    command(*asked, "--rebalance", "change")
    assert trials(found, folder / "home") == [2, 0, 0]


def test_a_strategy_may_share_one_account(command: Any, folder: Path) -> None:
    asked = ("-s", "donchian_breakout", "--weights", "equal", "--json", "-")
    found = json.loads(command(folder / "prices", *asked)[1])
    spec, prices = StrategySpec.preset("donchian_breakout"), developed(found, folder / "home")
    costs = Costs(**{name: found["settings"][name] for name in Costs.model_fields})
    held = weights.rebalanced(weights.equal(weights.sides(prices, spec, costs)), "change")
    assert found["equity"]["value"] == portfolio.run_portfolio(prices, held, costs).equity.tolist()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rebalance", "week"), "--rebalance is for target weights alone"),
        (("--weights", "plan.csv", "-s", "supertrend"), "plan.csv) says what is held"),
        (("--weights", "none.csv"), "none.csv"),
        (("--weights", "other.csv"), "CCC"),
        (("--weights", "late.csv"), "where no bar is seen"),
        (("--symbol", "X"), "X"),
    ],
    ids=lambda one: one[-1] if isinstance(one, tuple) else "",
)
def test_what_cannot_be_meant_is_one_sentence(
    command: Any, folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    PLAN.rename(columns={"BBB": "CCC"}).iloc[1:].to_csv(folder / "other.csv")
    PLAN.iloc[3:].to_csv(folder / "late.csv")
    given = [str(folder / one) if one.endswith(".csv") else one for one in arguments]
    code, out, err = command(folder / "prices", *given)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1
