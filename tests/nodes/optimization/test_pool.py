"""One strategy judged on several instruments: the same run, the same record, the same checks."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

import threadx
from backtest import Costs, StrategySpec, run_backtest
from backtest.statistics.multiple_testing import adjusted_p_values
from base.errors import TypedError
from nodes.optimization.evidence.block import market_line
from nodes.optimization.load import prepare
from nodes.sharing import share_run
from prompts import Words
from record.record import RunRecord
from record.run_tables import RETURNS, TRIALS, read_table
from record.run_view import RunView
from reports.explain import explain
from reports.markdown import to_markdown
from tests.backtest.test_pooled import slow_excess, slow_mean
from tests.evidence import NO_PRICES, evidence
from tests.prices import made_up_prices
from threadx.audit.drift import notices
from threadx.command import main
from threadx.pool import instruments_of, reference_of
from threadx.reporting import run_document
from threadx.runner import make_input
from threadx.settings import make_context
from threadx.web import run_data
from vault.datasets import Dataset, openings, readers_of
from vault.ledger import Ledger

RULES = {
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
    "max_iterations": 1,
    "search": "single",
}
SINGLE = {**RULES, "search": "single"}
COSTS = Costs(fee_bps=10, slippage_bps=2)


def frames():
    """Three instruments; one is listed later, one lacks some bars."""
    found = {
        name: made_up_prices(500, seed=seed, frequency="1D", cycle=0.05)
        for name, seed in (("A", 5), ("B", 6), ("C", 7))
    }
    found["B"] = found["B"].iloc[120:]
    found["C"] = found["C"].drop(found["C"].index[[50, 51, 450]])
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    threadx.optimize(frames(), home=folder, run="pool", **RULES)
    return folder


@pytest.fixture(scope="module")
def result(home):
    return RunRecord(home, "pool").result()


def test_the_verdict_is_on_the_mean_of_all(home, result):
    """Bar by bar what single backtests give, on either side of one boundary."""
    returns = read_table(RunRecord(home, "pool").folder, RETURNS)
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    boundary = pd.Timestamp(result["dataset"]["boundary"])
    parts = {"development": [], "holdout": []}
    for one in result["dataset"]["instruments"]:
        df = frames()[one["symbol"]]
        inside = df.iloc[: one["development_rows"]]
        parts["development"].append(slow_excess(inside, run_backtest(inside, spec, COSTS))[0])
        held = run_backtest(df, spec, COSTS, trade_from=boundary)
        parts["holdout"].append(slow_excess(df[df.index >= boundary], held)[0])
    for name, series in parts.items():
        told = returns[returns["part"] == name]["champion_excess"]
        np.testing.assert_allclose(told, slow_mean(series), atol=1e-10)
    outside = slow_mean(parts["holdout"])
    ratio = outside.mean() / outside.std() * np.sqrt(365)
    assert result["holdout"]["excess_sharpe_annual"] == pytest.approx(ratio, rel=1e-6)
    assert result["dataset"]["symbol"] == "A+B+C"


def test_each_instrument_is_told_with_what_the_search_and_their_number_leave(result):
    found = result["instruments"]
    assert [one["symbol"] for one in found] == ["A", "B", "C"]
    adjusted = adjusted_p_values([one["combined_p"] for one in found], "bhy")
    for one, p in zip(found, adjusted, strict=True):
        assert one["adjusted_p"] == pytest.approx(p)
        assert one["verdict"] in ("real", "promising", "unproven")
        df = frames()[one["symbol"]]
        held = df[df.index >= pd.Timestamp(result["dataset"]["boundary"])]["close"]
        assert one["holdout"]["holding_return"] == pytest.approx(held.iloc[-1] / held.iloc[0] - 1.0)
        assert one["holdout"]["bars"] == len(held)


def test_every_configuration_counts_on_the_pool_and_on_each_instrument(home, result):
    dataset = Dataset.model_validate(result["dataset"])
    ledger = Ledger(home)
    trials = read_table(RunRecord(home, "pool").folder, TRIALS)
    assert ledger.snapshot(dataset.family).trials == len(trials) == result["overfitting"]["trials"]
    for one in dataset.instruments:
        assert ledger.snapshot(one.family).trials == len(trials)
        assert openings(one.family, home) == 1


def test_a_run_on_one_of_them_knows_of_the_pool(home, result):
    """The pool's search and its look at the holdout are an earlier search and an earlier look."""
    alone = threadx.optimize(frames()["A"], symbol="A", home=home, run="alone", **SINGLE).details
    assert alone["holdout"]["opening"] == 2
    assert alone["overfitting"]["trials_before"] == result["overfitting"]["trials"]
    assert readers_of(Dataset.model_validate(result["dataset"]), home) == 2


def test_a_pool_is_checked_and_repeated(home):
    checked = threadx.check("pool", home=home)
    assert checked.agrees, [row for row in checked.rows if not row.agrees][:3]
    repeated = threadx.replay("pool", home=home)
    assert repeated.same, repeated.differences


def test_a_pool_that_waits_for_a_person_goes_on(tmp_path):
    waited = []

    def decide(waiting):
        waited.append(waiting)
        return {"accept": "all"}

    found = threadx.optimize(frames(), home=tmp_path, approve=True, decide=decide, **SINGLE)
    assert waited
    assert len(found.details["instruments"]) == 3


@pytest.mark.parametrize("language", ["fr", "en"])
def test_report_and_page_tell_the_instruments(home, result, language):
    words = Words(language)
    told = to_markdown(explain(result, words))
    assert words("verdict.heading.instruments") in told
    rows = [line for line in told.splitlines() if line.startswith(("| A |", "| B |", "| C |"))]
    assert len(rows) == 3
    drawn = to_markdown(run_document(home, "pool", words))
    assert words("explain.no_prices") not in drawn


def test_the_page_draws_the_basket_and_every_trade(home, result):
    record = RunRecord(home, "pool")
    about, view, words = record.about(), RunView.of(record.events()), Words("en")
    champion = run_data.tested(home, about, view, view.champion_spec, words)
    trades = champion.excursions
    assert len(trades) == result["metrics"]["n_trades"]
    assert (trades["mae"] <= 0).all()
    assert (trades["mfe"] >= 0).all()
    close = champion.prices["close"]
    assert champion.trades["entry_price"].between(close.min(), close.max()).all()
    assert set(trades["instrument"]) <= {"A", "B", "C"}
    found = run_data.curves(home, record, view, words)
    assert len(found.index) == len(read_table(record.folder, RETURNS))


def test_roles_are_told_that_figures_are_of_several_instruments():
    own = evidence(StrategySpec.preset("ma_crossover"))
    pool = evidence(StrategySpec.preset("ma_crossover"), prices={**NO_PRICES, "instruments": [NO_PRICES] * 3})
    assert market_line(pool, "en").startswith(market_line(own, "en"))
    assert "3" in market_line(pool, "en")


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    return left.value.code


OPTIONS = [f"--{role}=rules" for role in ("analyst", "strategist", "validator")]


def test_files_a_folder_and_names_are_one_pool(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, df in frames().items():
        df.to_parquet(folder / f"{name}_1d.parquet")
    (folder / "notes.txt").write_text("no prices", encoding="utf-8")
    names = [f"{name}={folder / name}_1d.parquet" for name in "CAB"]
    shared = ["--max-iterations", "1", "--search", "single", "--json", "-", "--home", str(tmp_path / "home")]
    assert command("optimize", *names, *shared, *OPTIONS, "--language", "en") == 0
    found = json.loads(capsys.readouterr().out)["dataset"]
    assert found["symbol"] == "A+B+C"
    context = make_context(home=str(tmp_path / "home"), **SINGLE)
    monkeypatch.setattr("nodes.serving.is_served", lambda: False)  # there is no graph around `prepare`
    for data in (folder, [folder / f"{name}_1d.parquet" for name in "BAC"], [str(folder)]):
        first, *rest = [reference_of(*one) for one in instruments_of(data)]
        assert len(rest) == 2
        assert prepare(make_input(data=first, pool=rest), context)["dataset"] == found


def test_restored_from_its_files_a_pool_is_checked(tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, df in frames().items():
        df.to_csv(folder / f"{name}_1d.csv")
    home = tmp_path / "home"
    threadx.optimize(folder, home=home, run="r", **SINGLE)
    with zipfile.ZipFile(io.BytesIO(share_run("r", home))) as sent:
        assert not [name for name in sent.namelist() if str(tmp_path).encode() in sent.read(name)]
    for path in (home / "datasets").glob("*.parquet"):
        path.unlink()
    check = threadx.check("r", home=home)
    assert (check.agrees, [one.code for one in check.notices]) == (True, [])
    frames()["B"].iloc[:-1].to_csv(folder / "B_1d.csv")
    assert [one.code for one in notices(RunRecord(home, "r"), home)] == ["prices_changed"]


@pytest.mark.parametrize(
    ("data", "given", "code"),
    [
        ([], {}, "too_small_pool"),
        ({"A": frames()["A"], "B": 5}, {}, "bad_argument"),
        ([frames()["A"], frames()["B"]], {"symbol": "A"}, "symbol_of_pool"),
        ({"A": frames()["A"], "B": frames()["A"] * 1.0}, {}, "same_market"),
    ],
)
def test_what_is_no_pool_is_one_line(tmp_path, data, given, code):
    with pytest.raises(TypedError) as caught:
        threadx.optimize(data, home=tmp_path, **RULES, **given)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_an_empty_folder_and_a_pool_where_one_instrument_is_meant_are_told(tmp_path, home, result, capsys):
    assert command("optimize", str(tmp_path), "--home", str(tmp_path / "home"), "--language", "en") == 2
    assert "No price file" in capsys.readouterr().err
    reference = f"dataset:{result['dataset']['development_hash']}"
    with pytest.raises(TypedError, match="one_instrument_only"):
        threadx.backtest(reference, home=home)
    with pytest.raises(TypedError, match="one_instrument_only"):
        threadx.follow("pool", home=home)
