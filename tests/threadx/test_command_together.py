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
    def call(*arguments: object, language: str = "en", name: str = "backtest") -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main([name, *map(str, arguments), "--home", str(folder / "home"), "--language", language])
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


def test_a_grid_is_tried_on_each_instrument_and_pooled(command: Any, folder: Path) -> None:
    whole, out = folder / "whole.json", folder / "all.parquet"
    grid = ("--grid", "fast_period=5,8,40", "--grid", "stop_loss_pct=none,2", "-p", "slow_period=30")
    told = command(folder / "prices", *grid, "--out", out, "--json", whole, language="fr", name="sweep")
    assert (told[0], "Traceback" in told[2]) == (0, False)
    found = json.loads(whole.read_text(encoding="utf-8"))
    prices = developed(found, folder / "home")
    costs = Costs(**{name: found["settings"][name] for name in Costs.model_fields})
    assert (found["rows"], found["dropped"]) == (4, 2)
    best = found["top"][0]
    assert best["sharpe_ratio"] == max(row["sharpe_ratio"] for row in found["top"])
    values = {name: best[name] for name in ("fast_period", "stop_loss_pct")}
    spec = StrategySpec.preset("ma_crossover", slow_period=30, **values)
    wanted = universe.run_backtest(prices, spec, costs)
    assert best["total_return"] == pytest.approx(wanted.pooled.metrics.total_return, rel=1e-12)
    assert best["instruments_up"] == (wanted.table["total_return"] > 0).sum()
    each = pd.read_parquet(found["file_by_instrument"])
    for one in found["instruments"]:
        name = one["instrument"]
        row = wanted.table.loc[name]
        assert one["at_the_first"]["total_return"] == pytest.approx(row["total_return"], rel=1e-12)
        alone = each[each["instrument"] == name]
        assert one["top"][0]["sharpe_ratio"] == alone["sharpe_ratio"].max()
        shown = next(line.split("\t") for line in told[1].splitlines() if line.startswith(f"{name}\t"))
        assert float(shown[2]) == pytest.approx(row["total_return"])
    assert len(pd.read_parquet(out)) == 4
    assert trials(found, folder / "home") == [4, 4, 4]


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


@pytest.mark.parametrize("weights_option", [(), ("--weights", "equal")], ids=["each", "one account"])
def test_a_card_says_whole_terms_and_that_periods_differ(
    command: Any, folder: Path, weights_option: tuple[str, ...]
) -> None:
    """Period, capital, costs and holding stand there, however several instruments share an account."""
    B.iloc[150:].to_csv(folder / "prices" / "BBB_1h.csv")
    found = json.loads(command(folder / "prices", *weights_option, "--json", "-")[1])
    closes = pd.DataFrame({name: one["close"] for name, one in developed(found, folder / "home").items()})
    # A part that joins later is bought then, at its own first close: it has earned nothing yet.
    first, moves = closes["BBB"].first_valid_index(), closes.pct_change(fill_method=None)
    moves.loc[first, "BBB"] = 0.0
    held = (1.0 + moves.mean(axis=1).fillna(0.0)).prod() - 1.0
    beside = found["card"]["buy_and_hold"]["metrics"]["total_return"]
    assert beside == pytest.approx(held)
    out = command(folder / "prices", *weights_option)[1]
    lines = dict(line.split("\t", 1) for line in out.splitlines() if "\t" in line)
    last = f"{closes.index[-1]:%Y-%m-%d %H:%M}"
    assert lines["Period"].startswith(f"2024-01-01 → {last}")
    assert lines["Capital"].startswith("10,000.00 → ")
    assert lines["Costs"].startswith("10 bps fee")
    assert float(lines["Total return"].split("\t")[1]) == pytest.approx(held)
    assert lines["BBB"].startswith(f"{first:%Y-%m-%d %H:%M} → {last}\t")
    assert "Periods differ between instruments" in out


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


BAD_FILES = {
    "word": ("time,AAA,BBB\n{0},0.5,0.5\n{1},abc,0.2\n", "Row 2 ({1}): “abc” is not a number, column AAA"),
    "no times": ("moment,AAA,BBB\n{0},0.5,0.5\n", "No times"),
    "no date": ("time,AAA,BBB\n{0},0.5,0.5\nfoo,0.5,0.2\n", "Row 2: “foo” is not a"),
    "no bar": ("time,AAA,BBB\n{0},0.5,0.5\n2024-01-02 00:10,0.5,0.2\n", "row 2 (2024-01-02 00:10)"),
    "order": ("time,AAA,BBB\n2023-01-01,0,0\n{1},0.5,0.5\n{0},0.5,0.2\n", "row 3 ({0})"),
    "no rows": ("time,AAA,BBB\n", "no instruction"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_of_weights_is_named_with_row_and_column(command: Any, folder: Path, case: str) -> None:
    text, told = BAD_FILES[case]
    days = ("2024-01-02", "2024-01-03")
    (folder / "bad.csv").write_text(text.format(*days), encoding="utf-8")
    code, out, err = command(folder / "prices", "--weights", folder / "bad.csv")
    assert (code, out) == (2, "")
    assert err.startswith(f"File of weights {folder / 'bad.csv'} refused: ")
    assert told.format(*days) in err


def test_a_file_of_weights_as_excel_writes_it_in_france(command: Any, folder: Path) -> None:
    plain, french = folder / "plain.csv", folder / "french.csv"
    plain.write_text("time,AAA,BBB\n2024-01-02,0.5,0.5\n2024-01-03,0.25,-0.75\n", encoding="utf-8")
    french.write_text("time;AAA;BBB\n2024-01-02;0,5;0,5\n2024-01-03;0,25;-0,75\n", encoding="utf-8")
    told = [
        json.loads(command(folder / "prices", "--weights", one, "--json", "-")[1])["equity"]
        for one in (plain, french)
    ]
    assert told[0] == told[1]
