"""`--with` and `--input` as a person uses them, and `inputs=` of the Python face."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import threadx
from backtest import BacktestError, Costs, Input, RequestError, StrategySpec, run_backtest, sweep
from nodes.further import series_of
from nodes.sharing import share_run
from reports.charts.indicators import strategy_indicators
from tests.prices import made_up_prices
from threadx.command import main
from vault.datasets import Dataset, load_development
from vault.errors import MarketError

SOL = made_up_prices(1_500, seed=3, cycle=0.05)
BTC = made_up_prices(1_500, seed=4, cycle=0.03)
BTC = BTC.set_axis(SOL.index).assign(mood=range(1_500))
ENTRY = "crosses_above(close, sma(close, 20)) and btc.close > sma(btc.close, 50)"
EXIT = "close < sma(close, 20)"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    sol, btc = tmp_path / "SOL_1h.csv", tmp_path / "BTC.csv"
    SOL.to_csv(sol)
    BTC.to_csv(btc)
    return sol, btc


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object, language: str = "en") -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(tmp_path / "data"), "--language", language])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


def test_a_backtest_and_a_sweep_read_another_file(
    command: Any, files: tuple[Path, Path], tmp_path: Path
) -> None:
    sol, btc = files
    asked = (
        "--entry-long",
        ENTRY,
        "--exit-long",
        EXIT,
        "--with",
        f"btc={btc}",
        "--input",
        "btc.close=price,USDT",
    )
    whole = tmp_path / "whole.json"
    code, _, err = command("backtest", sol, *asked, "--json", whole)
    assert (code, err) == (0, err)
    found = json.loads(whole.read_text(encoding="utf-8"))
    declared = {"btc.close": {"kind": "price", "unit": "USDT", "known": "next_day"}}
    assert found["strategy"]["inputs"] == declared
    # The development part alone is seen, whatever the other file goes on to hold.
    prices = load_development(Dataset.model_validate(found["dataset"]), tmp_path / "data")
    own = StrategySpec(name="own", entry_long=ENTRY, exit_long=EXIT, inputs=declared)
    costs = Costs(**{key: found["settings"][key] for key in Costs.model_fields})
    wanted = run_backtest(prices, own, costs, inputs={"btc": BTC})
    assert len(found["trades"]) == wanted.metrics.n_trades > 0
    assert found["equity"]["value"][-1] == wanted.equity_values[-1]
    searched = ENTRY.replace("50", "n")
    table = ("--entry-long", searched, "--exit-long", EXIT, "-p", "n=50", "--grid", "n=20,50")
    code, _, _ = command("sweep", sol, *table, "--with", f"btc={btc}", "--json", whole)
    assert code == 0
    rows = sweep(
        prices, own.evolve(params={"n": 50}, entry_long=searched), {"n": [20, 50]}, costs, inputs={"btc": BTC}
    )
    best = json.loads(whole.read_text(encoding="utf-8"))["top"][0]
    assert best["sharpe_ratio"] == pytest.approx(rows["sharpe_ratio"].max())


def test_python_does_the_same(tmp_path: Path) -> None:
    own = StrategySpec(name="own", entry_long=ENTRY, exit_long=EXIT, inputs={"btc.close": {"kind": "price"}})
    result = threadx.backtest(SOL, own, inputs={"btc": BTC}, home=tmp_path)
    assert result.metrics.n_trades > 0
    assert "btc.close > sma(btc.close, 50)" in result.spec.entry_long
    one, other = (
        threadx.sweep(SOL, own, {"stop_loss_pct": [2, 3]}, inputs={"btc": table}, home=tmp_path)
        for table in (BTC, BTC.assign(close=BTC["close"][::-1].to_numpy()))
    )
    assert not one["total_return"].equals(other["total_return"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--with", "btc"), "btc is not NAME=FILE"),
        (("--with", "btc=nothing.csv"), "found: nothing.csv"),
        (("--with", "btc=twice.csv"), "column volume appears more than once"),
        (("--with", "btc=BTC", "--with", "BTC=BTC"), "Two tables are called"),
        (("--input", "btc.close"), "btc.close is not NAME=KIND"),
        (("--input", "btc.close=nice"), "nice"),
        ((), "no series btc.close is declared"),
        (("--with", "eth=BTC"), "no series btc.close is declared"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    command: Any, files: tuple[Path, Path], arguments: tuple[str, ...], told: str
) -> None:
    sol, btc = files
    twice = btc.with_name("twice.csv")
    BTC.set_axis([*BTC.columns[:-1], "volume"], axis=1).to_csv(twice)
    asked = [one.replace("=BTC", f"={btc}").replace("=twice.csv", f"={twice}") for one in arguments]
    code, out, err = command("backtest", sol, "--entry-long", ENTRY, *asked)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_table_that_ends_before_the_prices_says_so(command: Any, files: tuple[Path, Path]) -> None:
    """The development part is two thirds of the hours; a table may end with it, or pause as it did before."""
    sol, btc = files
    asked = ("backtest", sol, "--entry-long", ENTRY, "--exit-long", EXIT, "--with", f"btc={btc}")
    BTC.to_csv(btc)
    assert "last value" not in command(*asked)[1]
    BTC.iloc[:300].to_csv(btc)
    _, english, _ = command(*asked)
    _, french, _ = command(*asked, language="fr")
    day = f"{BTC.index[299]:%Y-%m-%d %H:%M}"
    told = re.search(rf"btc\.close ends on {day}: ([\d,]+) bars keep its last value", english)
    assert told
    bars = re.search(r"\(([\d,]+) bars\)", english)
    assert bars
    assert int(bars[1].replace(",", "")) - int(told[1].replace(",", "")) == 300
    assert f"btc.close s’arrête le {day}\xa0:" in french
    BTC.iloc[[*range(10), *range(1_200, 1_500)]].iloc[:100].to_csv(btc)
    assert "last value" not in command(*asked)[1]


@pytest.mark.parametrize(
    "others", [("-s", "ma_crossover"), ("--strategy-file", "own.json")], ids=lambda one: one[0]
)
def test_a_declaration_that_no_condition_takes_is_refused(
    command: Any, files: tuple[Path, Path], others: tuple[str, str]
) -> None:
    for name in ("backtest", "sweep"):
        grid = ("--grid", "stop_loss_pct=1,2") if name == "sweep" else ()
        code, out, err = command(name, files[0], *others, *grid, "--input", "btc.close=price")
        assert (code, out) == (2, "")
        assert "--input (btc.close)" in err


@pytest.mark.parametrize(("option", "value"), [("--with", "btc=BTC.csv"), ("--input", "btc.close=price")])
def test_a_command_that_reads_prices_alone_says_so(command: Any, option: str, value: str) -> None:
    code, out, err = command("declare", "x.csv", option, value)
    assert (code, out) == (2, "")
    assert f"{option} is an option of backtest, sweep, optimize and review" in err


def test_a_table_that_nothing_reads_is_refused(command: Any, files: tuple[Path, Path]) -> None:
    sol, btc = files
    code, _, err = command("backtest", sol, "--with", f"btc={btc}", language="fr")
    assert code == 2
    assert "La stratégie ne lit rien de la table btc" in err


RULES = {**dict.fromkeys(("analyst", "strategist", "validator"), "rules"), "max_iterations": 1}


def test_a_run_of_the_cycle_reads_another_file(
    command: Any, files: tuple[Path, Path], tmp_path: Path
) -> None:
    sol, btc = files
    home, eth = tmp_path / "data", tmp_path / "ETH_1h.csv"
    made_up_prices(1_500, seed=5, cycle=0.04).set_axis(SOL.index).to_csv(eth)
    roles = [part for name, value in RULES.items() for part in (f"--{name.replace('_', '-')}", value)]
    asked = ("--entry-long", ENTRY, "--exit-long", EXIT, "--with", f"btc={btc}", "--other", eth)
    code, _, err = command("optimize", sol, *asked, *roles, "--search", "single", "--run", "r")
    assert (code, err) == (0, err)
    told = json.loads((home / "runs/r/result.json").read_text(encoding="utf-8"))
    dataset = Dataset.model_validate(told["dataset"])
    seen = load_development(dataset, home)
    # One moment cuts prices and series: the other table, ended with the development part, says the same.
    until = BTC["close"][: seen.index[-1]]
    assert seen["btc.close"].tolist() == until.tolist()
    assert len(seen) == dataset.development_rows < len(SOL)
    btc.unlink()  # what is registered is enough
    assert threadx.replay("r", home=home).same
    check = threadx.check("r", home=home)
    assert check.agrees
    assert [(one.code, one.name) for one in check.notices] == [("price_file_missing", str(btc))]
    with pytest.raises(MarketError, match="missing_file"):
        threadx.follow("r", home=home)
    with zipfile.ZipFile(io.BytesIO(share_run("r", home))) as sent:
        assert not [name for name in sent.namelist() if str(tmp_path).encode() in sent.read(name)]
    assert threadx.follow("r", home=home, inputs={"btc": BTC}).forward.bars == 0


def told_in_advance(bars: int = 1_500) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hourly prices, and a model's signal that tells at each bar's close which way the next one moves."""
    signs = np.repeat(np.random.default_rng(3).choice([-1.0, 1.0], bars // 10), 10)
    noise = np.random.default_rng(4).normal(0.0, 0.01, bars)
    close = 100.0 * np.exp(np.cumsum(0.0025 * np.r_[0.0, signs[:-1]] + noise))
    opened = np.r_[100.0, close[:-1]]
    prices = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": 1_000.0,
        },
        index=pd.date_range("2024-01-01", periods=bars, freq="1h", tz="UTC", name="time"),
    )
    return prices, pd.DataFrame({"value": signs, "author": "a model"}, index=prices.index)


def test_what_nothing_reads_yet_is_on_offer_and_an_edge_that_lies_in_it_is_found(
    command: Any, tmp_path: Path
) -> None:
    prices, signal = told_in_advance()
    sol, told = tmp_path / "SOL_1h.csv", tmp_path / "signal.csv"
    prices.to_csv(sol)
    signal.to_csv(told)
    home = tmp_path / "data"
    roles = [part for name, value in RULES.items() for part in (f"--{name.replace('_', '-')}", value)]
    rules = dict.fromkeys(("analyst", "strategist", "validator"), "rules")
    threadx.review(sol, home=home, **rules)  # the same market is known already, without the signal
    asked = ("--with", f"sig={told}", "--input", "sig.value=move", "--search", "single", "--run", "r")
    assert command("optimize", sol, *asked, *roles)[0] == 0
    champion = json.loads((home / "runs/r/result.json").read_text(encoding="utf-8"))["champion"]["strategy"]
    assert "sig.value > 0" in champion["entry_long"]
    assert list(champion["inputs"]) == ["sig.value"]
    told.unlink()  # what is registered is enough
    assert threadx.replay("r", home=home).same
    assert threadx.check("r", home=home).agrees
    again = threadx.optimize(
        prices,
        inputs={"sig": signal["value"]},
        offered={"SIG.value": Input(kind="move")},
        search="single",
        home=home,
        **RULES,
    )
    assert again.details["champion"]["strategy"]["entry_long"] == champion["entry_long"]
    assert threadx.replay(again.run, home=home).same


@pytest.mark.parametrize(
    ("offered", "code"),
    [("close", "reserved_input"), ("fast_period", "input_is_parameter"), ("mood", "missing_input")],
)
def test_what_cannot_be_on_offer_is_refused(tmp_path: Path, offered: str, code: str) -> None:
    with pytest.raises(BacktestError, match=code):
        threadx.optimize(SOL, offered={offered: Input()}, home=tmp_path, **RULES)
    assert not (tmp_path / "runs").exists()


LATE = BTC.assign(mood=[50.0] * 1_499 + [150.0])


@pytest.mark.parametrize(
    ("inputs", "offered", "code"),
    [
        ({"btc": LATE}, {"btc.mood": {"kind": "share"}}, "share_out_of_range"),  # in the holdout alone
        ({"btc": BTC}, {"btc.mood": {"kind": "shares"}}, "bad_field"),
        ({"btc": BTC, "BTC": BTC}, {}, "repeated_name"),
        ({"btc": BTC[["mood"]].astype(str)}, {}, "table_without_numbers"),
        ({"btc": BTC[["mood"]].set_axis(["1month"], axis=1)}, {}, "table_without_numbers"),
    ],
)
def test_a_table_that_cannot_be_on_offer_is_refused_before_a_run_begins(
    tmp_path: Path, inputs: Any, offered: Any, code: str
) -> None:
    with pytest.raises(BacktestError, match=code):
        threadx.optimize(SOL, inputs=inputs, offered=offered, home=tmp_path, **RULES)
    assert not (tmp_path / "runs").exists()


def test_a_series_is_described_once(command: Any, files: tuple[Path, Path]) -> None:
    sol, btc = files
    twice = ("--input", "btc.mood=size", "--input", "BTC.mood=move")
    assert command("optimize", sol, "--with", f"btc={btc}", *twice)[0] == 2


def test_columns_that_nobody_can_read_are_named_and_the_others_asked(command: Any, tmp_path: Path) -> None:
    sol, told = tmp_path / "SOL_1h.csv", tmp_path / "told.csv"
    SOL.to_csv(sol)
    table = BTC[["open"]].assign(**{"author": "a model", "1month": 3.0})
    table.to_csv(told)
    roles = [part for name, value in RULES.items() for part in (f"--{name.replace('_', '-')}", value)]
    code, out, err = command(
        "optimize", sol, "--with", f"t={told}", "--search", "single", "--approve", *roles
    )
    assert code == 0
    assert "t.author, t.1month" in err
    assert "t.open > sma(t.open, 200)" in out


def test_of_a_table_the_page_and_the_command_offer_what_conditions_can_write() -> None:
    columns = {"time": [1.0], "Adj Close": [2.0], "Close": [3.0], "author": ["a model"], "mood": [4]}
    assert series_of("t1", pd.DataFrame(columns)) == ["t1.close", "t1.mood"]


def test_a_table_of_more_columns_than_a_prompt_has_room_for_is_refused(tmp_path: Path) -> None:
    wide = pd.DataFrame(1.0, index=SOL.index, columns=[f"c{place}" for place in range(101)])
    with pytest.raises(RequestError, match="too_many_on_offer"):
        threadx.optimize(SOL, inputs={"wide": wide}, home=tmp_path, **RULES)
    assert not (tmp_path / "runs").exists()


def test_tables_at_hand_are_read_by_pools_and_by_others(tmp_path: Path) -> None:
    own = StrategySpec(name="own", entry_long=ENTRY, exit_long=EXIT, inputs={"btc.close": {"kind": "price"}})
    eth, ada = (made_up_prices(1_500, seed=seed, cycle=0.04).set_axis(SOL.index) for seed in (5, 6))
    ada.to_csv(tmp_path / "ADA_1h.csv")
    given = {**RULES, "search": "single", "home": tmp_path, "inputs": {"btc": BTC}}
    waits = {"approve": True, "decide": lambda waiting: {"reject": "all"}}
    result = threadx.optimize(
        {"SOL": SOL, "ETH": eth}, own, others=[tmp_path / "ADA_1h.csv"], **waits, **given
    )
    assert [one["symbol"] for one in result.details["dataset"]["instruments"]] == ["ETH", "SOL"]
    assert threadx.check(result.run, home=tmp_path).agrees
    with pytest.raises(RequestError, match="missing_input"):
        threadx.review(SOL, own, home=tmp_path, analyst="rules", strategist="rules", validator="rules")


def test_a_hypothesis_on_further_series_is_refused_at_once(tmp_path: Path) -> None:
    own = StrategySpec(name="own", entry_long=ENTRY, exit_long=EXIT, inputs={"btc.close": {"kind": "price"}})
    with pytest.raises(MarketError, match="declared_inputs"):
        threadx.declare(SOL, own, text="It follows.", home=tmp_path)


def test_a_chart_draws_the_other_series(tmp_path: Path) -> None:
    own = StrategySpec(name="own", entry_long=ENTRY, exit_long=EXIT, inputs={"btc.close": {"kind": "price"}})
    result = threadx.backtest(SOL, own, inputs={"btc": BTC}, home=tmp_path)
    drawn = {one.label: one for one in strategy_indicators(result.prices, own)}
    assert not drawn["sma(btc.close, 50)"].on_price
    assert drawn["sma(btc.close, 50)"].values.notna().any()
    assert isinstance(drawn["sma(btc.close, 50)"].values, pd.Series)
