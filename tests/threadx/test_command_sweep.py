"""`threadx sweep` as a person uses it."""

import json

import numpy as np
import pandas as pd
import pytest

from backtest import Costs, StrategySpec
from backtest.engine import engines
from backtest.validation.trials import grid_trials
from tests import commands
from tests.ollama_emulator import Scripted, ollama_emulator
from tests.prices import made_up_prices
from threadx.command import main
from threadx.work import sweep as module
from vault.counted import SAMPLED
from vault.datasets import Dataset, load_development
from vault.ledger import Ledger

GRID = ["--grid", "fast_period=4:12:4", "--grid", "stop_loss_pct=none,2"]


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    return path


@pytest.fixture
def threadx(tmp_path, capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(tmp_path / "data"), "--language", "en"])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


def test_a_table_a_file_and_json(threadx, prices, tmp_path):
    out, whole = tmp_path / "all.parquet", tmp_path / "all.json"
    code, told, progress = threadx("sweep", prices, *GRID, "--out", out, "--json", whole, "--top", 3)
    assert code == 0
    assert "Configurations: 4 of 4" in progress
    assert "Configurations tested: 4" in told
    rows = pd.read_parquet(out)
    assert rows[["fast_period", "stop_loss_pct"]].fillna(0).to_numpy().tolist() == [
        [4, 0],
        [4, 2],
        [8, 0],
        [8, 2],
    ]
    found = json.loads(whole.read_text(encoding="utf-8"))
    assert (found["rows"], found["part"], len(found["top"])) == (4, "development", 3)
    assert found["grid"] == {"fast_period": [4, 8], "stop_loss_pct": [None, 2]}
    best = [row["sharpe_ratio"] for row in found["top"]]
    assert best == sorted(best, reverse=True)
    assert best[0] == pytest.approx(rows["sharpe_ratio"].max())


def test_rows_that_are_not_shown_are_counted(threadx, prices, tmp_path):
    whole = tmp_path / "all.json"
    own = ("--entry-long", "close > n", "--exit-long", "close < 1", "-p", "n=1000000")
    _, told, _ = threadx("sweep", prices, *own, "--grid", "n=1,50000000,90000000", "--json", whole)
    assert "Shown: 1 of 3, the best first." in told
    assert "Configurations without a trade: 2" in told
    assert json.loads(whole.read_text(encoding="utf-8"))["configurations_untraded"] == 2
    _, told, _ = threadx("sweep", prices, *GRID)
    assert "Shown" not in told
    assert "without a trade" not in told


@pytest.mark.parametrize("language", ["en", "fr"])
def test_at_80_columns_no_word_of_the_table_is_cut(prices, tmp_path, monkeypatch, language):
    monkeypatch.setenv("COLUMNS", "80")
    grids = ("--grid", "fast_period=5:8", "--grid", "slow_period=30:33")
    given = (prices, *grids, "--home", tmp_path / "data", "--language", language)
    _, out, _ = commands.threadx("sweep", *given, terminal=True)
    lines = out.splitlines()
    rule = next(place for place, line in enumerate(lines) if "──" in line)
    head = " ".join(" ".join(lines[1:rule]).split())
    wanted = {"en": ["Trades", "Maximum", "drawdown"], "fr": ["Transactions", "Rendement", "Drawdown"]}
    for word in ["fast_period", "slow_period", *wanted[language]]:
        assert word in head.split()
    assert all(len(line) <= 80 for line in lines[: rule + 10])
    strategy = " ".join(lines[rule + 10 : rule + 14])
    assert "sma(close, fast_period)" in strategy
    assert "fast_period=" not in strategy, "a value that the table varies is none of the strategy's"


def test_what_was_odd_about_the_prices_is_told_before_the_figures(tmp_path, capsys):
    frame = made_up_prices(900, cycle=0.05)
    frame.iloc[400, :4] = frame.iloc[400, :4] * 3.0
    frame.index = pd.date_range("2020-01-01", periods=len(frame), freq="D", tz="UTC", name=frame.index.name)
    frame.to_csv(tmp_path / "ODD_1d.csv")
    for command in (["backtest"], ["sweep", "--grid", "fast_period=5:8"]):
        with pytest.raises(SystemExit):
            main([*command, str(tmp_path / "ODD_1d.csv"), "--home", str(tmp_path / "d"), "--language", "en"])
        first, *others = capsys.readouterr().out.splitlines()
        assert first.startswith("Prices out of proportion in 2 bars; the largest: +2")
        assert " on 2021-02-04. A split," in first
        assert not any("proportion" in line for line in others)


def test_a_row_is_what_backtest_finds(threadx, prices):
    _, told, _ = threadx("sweep", prices, "--grid", "fast_period=7", "--json", "-")
    row = json.loads(told)["top"][0]
    _, told, _ = threadx("backtest", prices, "-p", "fast_period=7", "--json", "-")
    assert row["sharpe_ratio"] == pytest.approx(json.loads(told)["metrics"]["sharpe_ratio"], rel=1e-9)


@pytest.mark.parametrize(
    "grid",
    ["fast_period", "fast_period=a:b", "fast_period=1:9:0", "fast_period=3:9:1:2", "speed=1:5",
     "fast_period=1:5", "max_bars=1:999999999", "stop_loss_pct=0.1:9e9:0.001", "fast_period=9:3"],
)  # fmt: skip
def test_a_refused_grid_is_one_clear_line(threadx, prices, tmp_path, grid):
    out = tmp_path / "all.parquet"
    code, told, error = threadx("sweep", prices, "--grid", grid, "--out", out)
    assert (code, told) == (2, "")
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error
    assert not out.exists()


def test_an_interruption_says_what_is_kept(threadx, prices, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "sweep_to_parquet", interrupted)
    code, _, error = threadx("sweep", prices, *GRID, "--out", tmp_path / "all.parquet")
    assert code == 130
    assert "all.parquet.parts" in error


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=3:6", [3, 4, 5]),
        ("a=0.1:0.4:0.1", [0.1, 0.2, 0.3]),
        ("a=20:31:5", [20, 25, 30]),
        ("a=1,off,2.5", [1, None, 2.5]),
    ],
)
def test_grids(text, values):
    name, found = module.grid_values(text)
    assert (name, list(found)) == ("a", values)


def registered(home):
    path = next(path for path in (home / "datasets").glob("*.json") if path.name != "splits.json")
    return Dataset.model_validate_json(path.read_text(encoding="utf-8"))


def counted(home):
    """What the ledger says of the only dataset."""
    ledger, dataset = Ledger(home), registered(home)
    snapshot = ledger.snapshot(dataset.family)
    return ledger.evidence(snapshot, development_hash=dataset.development_hash, source="")


def test_every_configuration_is_counted_once(threadx, prices, tmp_path):
    for _ in range(2):
        assert threadx("sweep", prices, *GRID)[0] == 0
    found = counted(tmp_path / "data")
    assert (found.trials, found.by_origin) == (4, {"sweep": 4})
    # One of the four again, by hand, and one more.
    assert threadx("backtest", prices, "-p", "fast_period=8", "-p", "stop_loss_pct=2")[0] == 0
    assert threadx("backtest", prices, "-p", "fast_period=9")[0] == 0
    found = counted(tmp_path / "data")
    assert (found.trials, found.by_origin) == (5, {"backtest": 1, "sweep": 4})


def test_a_large_sweep_counts_in_full_and_shows_a_sample(threadx, prices, tmp_path):
    grid = ["--grid", "fast_period=3:38", "--grid", "slow_period=40:70", "--grid", "stop_loss_pct=none,2"]
    for _ in range(2):
        assert threadx("sweep", prices, *grid, "--out", tmp_path / "all.parquet")[0] == 0
    found = counted(tmp_path / "data")
    assert (found.trials, found.by_origin) == (2100, {"sweep": 2100})
    assert len(found.sharpes) == len(found.hashes) == found.blocks.shape[1] == SAMPLED
    # The same configurations one by one: what is kept is a fair sample of them.
    development = load_development(registered(tmp_path / "data"), tmp_path / "data")
    values = {"fast_period": range(3, 38), "slow_period": range(40, 70), "stop_loss_pct": [None, 2.0]}
    every = {
        one.spec_hash: one
        for one in grid_trials(
            development, StrategySpec.preset("ma_crossover"), values, Costs(fee_bps=10, slippage_bps=2)
        )
    }
    assert len(every) == 2100
    assert [every[name].excess_sharpe for name in found.hashes] == found.sharpes.tolist()
    assert np.array_equal(every[found.hashes[7]].blocks, found.blocks[:, 7].astype(np.float32))
    ratios = [one.excess_sharpe for one in every.values()]
    assert found.sharpe_variance == pytest.approx(np.var(ratios, ddof=1), rel=0.25)


@pytest.mark.parametrize(
    ("grid", "picture", "more"),
    [
        pytest.param(GRID, "map.gif", [], id="no such picture"),
        pytest.param(["--grid", "fast_period=5"], "map.png", [], id="one configuration"),
        pytest.param(GRID, "map.png", ["--picture-axes", "speed"], id="no such axis"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(
    threadx, prices, tmp_path, grid, picture, more
):
    out = tmp_path / "all.parquet"
    code, told, error = threadx("sweep", prices, *grid, "--out", out, "--picture", tmp_path / picture, *more)
    assert (code, told, len(error.strip().splitlines())) == (2, "", 1)
    assert not out.exists()
    assert not (tmp_path / picture).exists()


@pytest.mark.local
def test_without_a_card_a_sweep_is_the_processor_s_and_models_leave_memory_when_asked(
    threadx, prices, monkeypatch
):
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setattr("backtest.kernels.device.there", lambda: False)
    with ollama_emulator({"large:70b": Scripted(), "small:1b": Scripted()}) as emulator:
        emulator.loaded.update({"large:70b": 8_192, "small:1b": 4_096})
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        for told in ("Unloaded from Ollama’s memory: large:70b, small:1b.", "nothing to unload"):
            code, out, err = threadx("sweep", prices, *GRID, "--engine", "cuda", "--free-models")
            assert code == 0
            assert "Configurations tested: 4" in out
            assert "No NVIDIA card can be used on this machine" in err
            assert told in err
        assert emulator.loaded == {}


@pytest.mark.local
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--engine", "dask"], "needs the address"),
        (["--engine", "dask", "--address", "127.0.0.1:9"], "No Dask scheduler answers at 127.0.0.1:9."),
        (["--engine", "processes", "--address", "tcp://127.0.0.1:9"], "has none"),
        (["--address", "tcp://127.0.0.1:9"], "has none"),
    ],
)
def test_an_engine_that_cannot_be_had_is_one_sentence(threadx, prices, monkeypatch, options, told):
    monkeypatch.setattr("backtest.engine.cluster.PATIENCE", 0.2)
    code, out, err = threadx("sweep", prices, *GRID, *options)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
