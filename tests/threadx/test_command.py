"""The `threadx` command as a person uses it: exit codes, one clear line, whole files or none."""

import json
import re
from pathlib import Path

import click
import pandas as pd
import pytest

from prompts import Words
from tests.laws import some
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.scripted import scripted_models
from threadx import optimize
from threadx.command import build, main

ROOT = Path(__file__).resolve().parents[2]
RULES = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)] + ["--search", "single"]


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    return path


@pytest.fixture
def threadx(tmp_path, capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments)])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


def broken(frame, how):
    frame = frame.reset_index()
    match how:
        case "unsorted":
            frame = frame.iloc[[1, 0, *range(2, len(frame))]]
        case "duplicate":
            frame.loc[10, "time"] = frame.loc[9, "time"]
        case "not a number":
            frame.loc[10, "close"] = float("nan")
        case "negative":
            frame.loc[10, ["open", "high", "low", "close"]] *= -1
        case "high below low":
            frame.loc[10, "high"] = frame.loc[10, "low"] * 0.9
        case "no close":
            frame = frame.drop(columns="close")
        case "too short":
            frame = frame.head(15)
    return frame


@pytest.mark.parametrize(
    "how", ["unsorted", "duplicate", "not a number", "negative", "high below low", "no close", "too short"]
)
def test_bad_prices_get_one_line_and_exit_2(tmp_path, threadx, how):
    path = tmp_path / "bad.csv"
    broken(made_up_prices(300), how).to_csv(path, index=False)
    code, out, err = threadx("optimize", path, *RULES, "--home", tmp_path / "home")
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "home" / "runs").exists() or not list((tmp_path / "home" / "runs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["backtest", "nowhere.csv"], "nowhere.csv", id="missing file"),
        pytest.param(["backtest", "sample:moon"], "moon", id="unknown sample"),
        pytest.param(["backtest", "PRICES", "-s", "ma_crossovr"], "ma_crossovr", id="unknown strategy"),
        pytest.param(["backtest", "PRICES", "-p", "speed=3"], "speed", id="unknown parameter"),
        pytest.param(["backtest", "PRICES", "-p", "fast_period=99999"], "99999", id="out of bounds"),
        pytest.param(["backtest", "PRICES", "-p", "fast_period"], "fast_period", id="not a pair"),
        pytest.param(["backtest", "PRICES", "-p", "fast_period=ten"], "ten", id="not a number"),
        pytest.param(["backtest", "PRICES", "--entry-long", "close > > 3"], "9", id="position of a mistake"),
        pytest.param(["backtest", "PRICES", "--entry-long", "clos > 3"], "close", id="nearest known name"),
        pytest.param(
            ["sweep", "PRICES", "--rank-by", "sharp_ratio"],
            ": sharpe_ratio",
            id="nearest choice",
        ),
        pytest.param(["backtest", "PRICES", "--fee-bps", "-1"], "fee_bps", id="negative fee"),
        pytest.param(["backtest", "PRICES", "--fee-bps", "abc"], "--fee-bps", id="fee that is no number"),
        pytest.param(["backtest"], "DATA", id="nothing to read"),
        pytest.param(["backtest", "PRICES", "--no-such"], "--no-such", id="unknown option"),
        pytest.param(["bcktest"], "bcktest", id="unknown command"),
        pytest.param(["optimize", "PRICES", "--analyst", "g4f:moon"], "moon", id="unknown model"),
        pytest.param(["optimize", "PRICES", "--max-iterations", "0"], "max_iterations", id="no iterations"),
        pytest.param(["optimize", "PRICES", "--strategy-file", "nowhere.json"], "nowhere.json", id="no file"),
        pytest.param(["optimize", "PRICES", "--run", "../x"], "../x", id="a run outside the folder"),
        pytest.param(["runs", "resume", "nobody"], "nobody", id="unknown run"),
        pytest.param(["runs", "show", "nobody"], "nobody", id="unknown run to show"),
        pytest.param(["ensemble", "run", "--as-of", "yesterday"], "yesterday", id="no such hour"),
        pytest.param(["backtest", "PRICES", "--timeframe", "30m"], "30m", id="contradicted timeframe"),
        pytest.param(["optimize", "PRICES", "--timeframe", "1d"], "1h", id="contradicted when optimising"),
        pytest.param(["sweep", "PRICES", "-g", "fast_period=3", "--timeframe", "x"], "x", id="no timeframe"),
        pytest.param(["data", "check", "PRICES", "--timeframe", "4h"], "1h", id="contradicted when checked"),
        pytest.param(["backtest", "PRICES", "--gaps", "mend"], "--gaps", id="unknown policy for gaps"),
        pytest.param(["sweep", "PRICES", "-g", "fast_period=2:1e30"], "5000000", id="endless grid"),
        pytest.param(["sweep", "PRICES", "-g", "max_bars=1:1e300:0.5"], "5000000", id="endless real grid"),
        pytest.param(
            ["sweep", "PRICES", "-g", "fast_period=3", "-g", "FAST_PERIOD=4"], "FAST_PERIOD", id="grid twice"
        ),
        pytest.param(["backtest", "PRICES", "--language", "de"], "--language", id="unknown language"),
    ],
)
@pytest.mark.parametrize("language", some(["fr", "en"], ["fr"]))
def test_bad_usage_gets_one_line_and_exit_2(tmp_path, prices, threadx, arguments, told, language):
    given = [str(prices) if part == "PRICES" else part for part in arguments]
    if "--language" not in given:
        given = ["--language", language, *given]
    if "bcktest" not in given:
        given += ["--home", str(tmp_path / "home")]
    code, out, err = threadx(*given)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert told in re.sub("(?<=[0-9])[\u202f,](?=[0-9]{3})", "", err)  # thousands stand apart
    assert "Traceback" not in err
    runs = tmp_path / "home" / "runs"
    assert not runs.exists() or not list(runs.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path, prices, threadx):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, _, err = threadx("optimize", prices, *RULES, "--home", tmp_path / "file")
    assert code == 2
    assert str(tmp_path / "file") in err


def test_backtest_prints_figures_and_writes_the_whole_result(tmp_path, prices, threadx):
    path = tmp_path / "out.json"
    code, out, _ = threadx(
        "backtest",
        prices,
        "-p",
        "stop_loss_pct=2",
        "--json",
        path,
        "--home",
        tmp_path / "home",
        "--language",
        "en",
    )
    assert code == 0
    assert "Sharpe ratio" in out
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["metrics"]["n_trades"] == len(whole["trades"])
    assert whole["part"] == "development"
    assert len(whole["equity"]["value"]) == whole["dataset"]["development_rows"]
    assert whole["strategy"]["risk"]["stop_loss_pct"] == 2.0


def test_only_all_opens_the_holdout_and_it_is_counted(tmp_path, prices, threadx):
    opened = tmp_path / "home" / "datasets" / "holdout_openings.jsonl"
    threadx("backtest", prices, "--home", tmp_path / "home")
    assert not opened.exists()
    code, out, _ = threadx("backtest", prices, "--all", "--json", "-", "--home", tmp_path / "home")
    whole = json.loads(out)
    assert code == 0
    assert len(whole["equity"]["value"]) == 1500
    assert len(opened.read_text(encoding="utf-8").splitlines()) == 1


def test_optimize_tells_its_verdict(tmp_path, prices, threadx):
    places = ("--home", tmp_path, "--language", "en")
    code, told, _ = threadx("optimize", prices, *RULES, "--max-iterations", "1", *places)
    assert code == 0
    assert told.count("Verdict: ") == 1


def test_optimize_shows_progress_on_the_side_and_json_on_standard_output(tmp_path, prices, threadx):
    code, out, err = threadx(
        "optimize",
        prices,
        *RULES,
        "--max-iterations",
        "2",
        "--json",
        "-",
        "--home",
        tmp_path / "h",
        "--language",
        "en",
    )
    assert code == 0
    whole = json.loads(out)
    assert whole["iterations"] == 2
    assert "[1/2] Analyst working" in err
    assert "debate" in err
    folder = tmp_path / "h" / "runs" / whole["run"]["id"]
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == whole
    code, out, _ = threadx("runs", "list", "--home", tmp_path / "h")
    assert whole["run"]["id"][:15] in out
    code, out, _ = threadx("runs", "show", whole["run"]["id"], "--json", "-", "--home", tmp_path / "h")
    assert json.loads(out) == whole
    code, out, _ = threadx("runs", "report", whole["run"]["id"], "--home", tmp_path / "h", "--language", "en")
    assert out.index("## Verdict") < out.index("## Champion") < out.index("## Audit")
    assert all(change["description"] in out for change in whole["applied_changes"])


def test_a_run_without_any_answer_exits_1(tmp_path, prices, threadx, monkeypatch):
    scripted_models(monkeypatch, {})
    code, out, _ = threadx(
        "optimize", prices, "--strategist", "a,b", "--max-iterations", "1", "--home", tmp_path
    )
    assert code == 1
    assert "échoué" in out


@pytest.mark.parametrize(
    "command",
    [[], ["backtest"], ["optimize"], ["runs"], ["data"], ["ensemble"], ["ensemble", "run"], ["doctor"]],
)
def test_help_teaches_in_both_languages(threadx, command):
    french = threadx(*command, "--help")
    english = threadx("--language", "en", *command, "--help")
    assert french[0] == english[0] == 0
    assert "Afficher cette aide" in french[1]
    assert "Show this help" in english[1]
    assert "Usage:" in english[1]
    assert not [words for words in ("Usage:", "Options:", "Commands:", "[default") if words in french[1]]
    assert "Afficher" not in english[1]


HEADINGS = {
    "en": ["Data", "Strategy", "Costs", "Models and roles", "Budgets and convergence", "Output"],
    "fr": ["Données", "Stratégie", "Coûts", "Modèles et rôles", "Budgets et convergence", "Sortie"],
}
OF_COMMAND = {"optimize": [0, 1, 2, 3, 4, 5], "review": [0, 1, 2, 3, 4, 5], "backtest": [0, 1, 2, 5]}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", ["optimize", "review", "backtest", "sweep"])
def test_help_tells_every_option_once_and_under_a_heading(threadx, name, language):
    code, out, _ = threadx(name, "--help", "--language", language)
    assert code == 0
    colon = "\u00a0:" if language == "fr" else ":"
    headings = [f"{HEADINGS[language][place]}{colon}" for place in OF_COMMAND.get(name, [0, 1, 2, 5])]
    told = out.splitlines()
    assert [line for line in told if line in headings] == headings
    assert "Options:" not in told
    built = build(Words(language)).get_command(None, name)
    offered = [param.opts[0] for param in built.params if isinstance(param, click.Option)]
    places = {
        match.group(1): place
        for place, line in enumerate(told)
        if (match := re.match(r"  (?:-\w, )?(--[a-z0-9-]+)", line))
    }
    assert sorted(places) == sorted([*offered, "--help"])
    assert min(places.values()) > told.index(headings[0])
    # All under the last heading that comes before them: models are not data.
    if name == "optimize":
        assert told.index(headings[3]) < places["--analyst"] < told.index(headings[4]) < places["--patience"]


def test_columns_and_times_of_many_layouts_are_read_alike(tmp_path, threadx):
    frame = made_up_prices(400, cycle=0.05)
    epoch = frame.reset_index(names="Open time")
    epoch["Open time"] = epoch["Open time"].astype("datetime64[ms]").astype("int64")
    layouts = {
        "iso.csv": lambda path: frame.to_csv(path),
        "upper.parquet": lambda path: frame.rename(columns=str.upper).to_parquet(path),
        "epoch.feather": lambda path: epoch.assign(extra=1).to_feather(path),
        "records.json": lambda path: frame.reset_index(names="date").to_json(
            path, orient="records", date_format="iso"
        ),
    }
    found = []
    for name, write in layouts.items():
        write(tmp_path / name)
        code, out, err = threadx(
            "backtest",
            tmp_path / name,
            "--symbol",
            "X",
            "--json",
            "-",
            "--home",
            tmp_path / name.split(".")[0],
        )
        assert code == 0, err
        found.append(json.loads(out)["metrics"])
    assert all(metrics == pytest.approx(found[0], nan_ok=True) for metrics in found)


# --- interrupted and resumed --------------------------------------------------------------------


def test_a_finished_run_gives_its_result_again(tmp_path, prices, threadx):
    threadx("optimize", prices, *RULES, "--max-iterations", "1", "--run", "r", "--home", tmp_path)
    code, out, _ = threadx("runs", "resume", "r", "--json", "-", "--home", tmp_path)
    assert code == 0
    assert json.loads(out) == json.loads(
        (tmp_path / "runs" / "r" / "result.json").read_text(encoding="utf-8")
    )


def test_a_name_that_is_taken_is_refused(tmp_path, prices, threadx):
    threadx("optimize", prices, *RULES, "--max-iterations", "1", "--run", "r", "--home", tmp_path)
    before = (tmp_path / "runs" / "r" / "result.json").read_bytes()
    code, _, err = threadx("optimize", prices, *RULES, "--run", "r", "--home", tmp_path)
    assert code == 2
    assert "r" in err
    assert (tmp_path / "runs" / "r" / "result.json").read_bytes() == before


def test_frames_with_a_time_column_are_optimised_too(tmp_path):
    frame = made_up_prices(600, cycle=0.05).reset_index(names="timestamp")
    result = optimize(
        frame,
        params={"fast_period": 5},
        symbol="BTCUSDT",
        timeframe="1h",
        home=str(tmp_path),
        max_iterations=1,
        **ALL_RULES,
    )
    assert isinstance(frame, pd.DataFrame)
    assert result.details["dataset"]["symbol"] == "BTCUSDT"


def test_an_ensemble_that_nobody_can_speak_for_fails_with_the_reason(tmp_path, threadx, monkeypatch):
    scripted_models(monkeypatch, {})
    code, out, err = threadx("ensemble", "run", "--data", "sample", "--models", "away", "--home", tmp_path)
    assert (code, out) == (1, "")
    assert "Aucun agent n’a pu se prononcer" in err
    assert not list(tmp_path.glob("llm_summary/*/summary.json"))


@pytest.fixture
def gappy(tmp_path):
    path = tmp_path / "GAPS_1h.parquet"
    frame = made_up_prices(900, cycle=0.05)
    frame.drop(frame.index[[50, 51, 52, 300]]).to_parquet(path)
    return path


@pytest.mark.parametrize("language", ["fr", "en"])
def test_gaps_are_told_filled_or_refused(tmp_path, gappy, threadx, language):
    base = ["--language", language, "--home", str(tmp_path / "home")]
    code, out, _ = threadx("backtest", gappy, *base)
    assert (code, "--gaps" in out) == (0, True)
    code, out, _ = threadx("backtest", gappy, *base, "--json", "-")
    accepted = json.loads(out)
    assert accepted["gaps"] == {"count": 2, "missing_bars": 4, "policy": "accept"}
    code, out, _ = threadx("backtest", gappy, *base, "--gaps", "fill", "--json", "-")
    filled = json.loads(out)
    assert filled["gaps"] == {"count": 2, "missing_bars": 4, "policy": "fill"}
    assert len(filled["equity"]["time"]) == len(accepted["equity"]["time"]) + 4
    for command in (["backtest"], ["optimize", *RULES], ["sweep", "-g", "fast_period=3"], ["data", "check"]):
        code, out, err = threadx(*command, gappy, *base, "--gaps", "refuse")
        assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
        assert "4" in err


def test_volume_missing_in_the_holdout_stops_before_the_run(tmp_path, threadx):
    frame = made_up_prices(900, cycle=0.05)
    frame.iloc[-1, frame.columns.get_loc("volume")] = float("nan")
    frame.to_parquet(tmp_path / "a.parquet")
    given = ["--entry-long", "volume > sma(volume, 5)", "--home", str(tmp_path / "home"), "--language", "en"]
    code, out, err = threadx("optimize", tmp_path / "a.parquet", *RULES, *given)
    assert (code, out, len(err.strip().splitlines())) == (2, "", 1)
    assert "row 900" in err
    runs = tmp_path / "home" / "runs"
    assert not runs.exists() or not list(runs.iterdir())


def test_a_sweep_tells_why_combinations_were_left_out(tmp_path, threadx, prices):
    given = ["-g", "fast_period=5,30", "-g", "slow_period=20", "--home", tmp_path / "home"]
    code, out, _ = threadx("sweep", prices, *given, "--language", "en")
    assert code == 0
    assert "1: periods or thresholds in the wrong order" in out
