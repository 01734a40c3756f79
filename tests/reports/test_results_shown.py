"""Results as a console, a notebook and `runs list` show them, and `threadx.sweep` beside the engine's own."""

import json
import sqlite3

import pandas as pd
import pytest

import threadx
from backtest import Costs, StrategySpec, sweep
from prompts import Words
from reports.markdown import optimization_report
from reports.review_markdown import review_report
from reports.tables import figures_table
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.command import main


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which one run was judged, one was a review, and one was killed."""
    folder = tmp_path_factory.mktemp("home")
    path = folder / "TEST_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    rules = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)]
    common = ["--home", str(folder / "h"), *rules]
    for command, run in (("optimize", "judged"), ("review", "reviewed"), ("optimize", "killed")):
        extra = ["--max-iterations", "1"] if command == "optimize" else []
        with pytest.raises(SystemExit) as left:
            main([command, str(path), "--run", run, "-p", "fast_period=7", *extra, *common])
        assert left.value.code == 0
    (folder / "h" / "runs" / "killed" / "result.json").unlink()
    # Graphs called by a program name a preset and carry no whole strategy.
    about = folder / "h" / "runs" / "killed" / "run.json"
    begun = json.loads(about.read_text(encoding="utf-8"))
    begun["input"] |= {"spec": None, "strategy": begun["input"]["spec"]["name"]}
    about.write_text(json.dumps(begun), encoding="utf-8")
    return folder / "h"


@pytest.fixture
def called(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments)])
        assert left.value.code == 0
        return capsys.readouterr().out

    return call


def trials(home):
    with sqlite3.connect(home / "ledger.sqlite") as ledger:
        return sum(ledger.execute(f"select count(*) from {table}").fetchone()[0] for table in ("trials",))


def result_of(home, run):
    return json.loads((home / "runs" / run / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_list_tells_instrument_strategy_status_and_verdict(home, called, language):
    out = called("runs", "list", "--home", home, "--language", language)
    told = json.loads(called("runs", "list", "--home", home, "--language", language, "--json", "-"))
    verdict = result_of(home, "judged")["verdict"]["value"]
    by_run = {line["run"]: line for line in told}
    assert {run: line["verdict"] for run, line in by_run.items()} == {
        "judged": verdict,
        "reviewed": None,
        "killed": None,
    }
    assert {run: line["status"] for run, line in by_run.items()} == {
        "judged": "finished",
        "reviewed": "finished",
        "killed": "interrupted",
    }
    assert [line["run"] for line in told] == ["killed", "reviewed", "judged"]
    for line in told:
        assert (line["strategy"], line["data"].endswith("TEST_1h.csv")) == ("ma_crossover", True)
    assert (by_run["judged"]["symbol"], by_run["judged"]["timeframe"]) == ("TEST", "1h")
    words = Words(language)
    row = next(line for line in out.splitlines() if line.startswith("judged\t"))
    for key in (f"verdict.short.{verdict}", "command.run_status.finished"):
        assert words(key) in row
    assert "TEST 1h" in row
    assert "ma_crossover" in row


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_score_beside_other_measures_says_which_bars_it_is_of(home, called, monkeypatch, language):
    monkeypatch.setenv("THREADX_LANGUAGE", language)
    words = Words(language)
    faces = {
        run: called("runs", "show", run, "--home", home, "--language", language)
        for run in ("judged", "reviewed")
    }
    judged = result_of(home, "judged")
    faces["report"] = optimization_report(judged, words)
    faces["reviewed report"] = review_report(result_of(home, "reviewed"), words)
    faces["notebook"] = threadx.OptimizationResult.from_details(
        judged, home / "runs" / "judged"
    )._repr_html_()
    walked = {"fr": "tests glissants (walk-forward)", "en": "walk-forward tests"}[language]
    for face, told in faces.items():
        plain = " ".join(told.replace("\\*", "*").split())
        assert "Score (0–10)*" in plain, face
        note = plain[plain.index("* ", plain.index("Score (0–10)*") + len("Score (0–10)*")) :]
        assert walked in note, face


def test_a_score_of_an_earlier_version_is_shown_as_what_it_was(home):
    """Before 2026-11-28 `parts` held sharpe, calmar, profit and consistency."""
    judged, words = result_of(home, "judged"), Words("en")
    assert "It measures skill" in figures_table(judged, words)[2]
    for strategy in ("initial", "champion"):
        for part in ("development", "holdout"):
            judged[strategy][part]["parts"] = {
                "sharpe": 0.4,
                "calmar": 0.2,
                "profit": 0.3,
                "consistency": 0.5,
            }
            judged[strategy][part]["score"] = 6.9
    _, rows, note = figures_table(judged, words)
    assert "an earlier version" in note
    assert rows[0][1:] == ["6.90"] * 4


def test_an_optimisation_shows_itself_short_with_its_verdict_and_its_picture(home, tmp_path, monkeypatch):
    monkeypatch.setenv("THREADX_LANGUAGE", "en")
    details = result_of(home, "judged")
    result = threadx.OptimizationResult.from_details(details, home / "runs" / "judged")
    assert result.verdict == details["verdict"]["value"]
    told = repr(result)
    assert len(told.splitlines()) == 1
    assert len(told) < 200
    assert f"verdict: {Words('en')(f'verdict.short.{result.verdict}')}" in told
    assert result._repr_html_().count("<tr>") > 5
    drawn = tmp_path / "holdout.png"
    result.plot(drawn)
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_sweep_gives_the_rows_of_the_engine_and_counts_them(tmp_path):
    frame = made_up_prices(600, cycle=0.05)
    grid = {"fast_period": range(3, 8), "slow_period": [10, 20]}
    table = threadx.sweep(
        frame, "ma_crossover", grid, {"stop_loss_pct": 2}, costs=Costs(fee_bps=5), home=tmp_path, symbol="X"
    )
    spec = StrategySpec.preset("ma_crossover", stop_loss_pct=2)
    seen = threadx.backtest(frame, spec, home=tmp_path, symbol="X").prices
    assert len(seen) < len(frame)  # the development part alone
    expected = sweep(seen, spec, grid, Costs(fee_bps=5))
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert table.attrs["dropped"] == expected.attrs["dropped"]
    # A second time the same rows are the same trials; a ninth value is one more for each slow average.
    before = trials(tmp_path)
    threadx.sweep(frame, spec, grid, costs=Costs(fee_bps=5), home=tmp_path, symbol="X")
    assert trials(tmp_path) == before
    threadx.sweep(
        frame, spec, {**grid, "fast_period": range(3, 9)}, costs=Costs(fee_bps=5), home=tmp_path, symbol="X"
    )
    assert trials(tmp_path) == before + 2


def test_the_table_of_another_sweep_is_another_file(tmp_path):
    prices = made_up_prices(300, cycle=0.05)
    for grid in ({"fast_period": [5, 6, 7]}, {"slow_period": [30, 40]}):
        for costs in (Costs(), Costs(fee_bps=25.0)):
            threadx.sweep(prices, "ma_crossover", grid, symbol="BTC", costs=costs, home=tmp_path)
            threadx.sweep(prices, "ma_crossover", grid, symbol="BTC", costs=costs, home=tmp_path)
    kept = [pd.read_parquet(path) for path in (tmp_path / "sweeps").glob("*.parquet")]
    assert sorted(map(len, kept)) == [2, 2, 3, 3]
    with pytest.raises(RuntimeError) as refused:
        threadx.sweep(prices, "ma_crossover", {}, home=tmp_path)
    assert refused.value.code == "empty_grid"
