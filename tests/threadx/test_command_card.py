"""The card of a backtest, read from a pipe as people read it, against slow arithmetic on the file itself."""

import csv
import json
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import threadx
from backtest import Costs, StrategySpec, run_backtest
from backtest.engine.card import under_water
from prompts import Words
from tests import commands
from tests.laws import some
from tests.prices import made_up_prices

HEADS = {
    "fr": {
        "total": "Rendement total",
        "drawdown": "Drawdown maximal",
        "water": "Durée sous l’eau",
        "longest": "Plus longue durée sous l’eau",
        "period": "Période",
        "capital": "Capital",
        "trades": "Transactions",
        "best": "Meilleure",
        "worst": "Pire",
        "lost": "Compte perdu",
        "verdict": "n’est pas un verdict",
        "held back": r"ne voit pas les barres à partir du (\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)",
    },
    "en": {
        "total": "Total return",
        "drawdown": "Maximum drawdown",
        "water": "Time under water",
        "longest": "Longest time under water",
        "period": "Period",
        "capital": "Capital",
        "trades": "Trades",
        "best": "Best",
        "worst": "Worst",
        "lost": "Account lost",
        "verdict": "is not a verdict",
        "held back": r"Bars from (\d{4}-\d\d-\d\d(?: \d\d:\d\d)?) on are kept for the verdict",
    },
}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def called(*arguments, language="fr"):
    """(exit code, output, errors) of a backtest."""
    return commands.threadx("backtest", *arguments, "--language", language, terminal=True)


def called_from_a_shell(*arguments):
    """The same in a process of its own."""
    command = [sys.executable, "-m", "threadx", "backtest", *map(str, arguments), "--language", "fr"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def written(tmp_path, scale=1.0):
    """A file of prices as a spreadsheet would have it, every digit kept."""
    frame = made_up_prices(500, cycle=0.05)
    frame[["open", "high", "low", "close"]] *= scale
    path = tmp_path / "COIN_1h.csv"
    frame.to_csv(path, index_label="time")
    return path


def closes_of(path, last):
    """Closes up to a time, read line by line."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [(row["time"], float(row["close"])) for row in csv.DictReader(lines)]
    return [close for time, close in rows if pd.Timestamp(time) <= last]


def slow_water(values, capital):
    """(bars under water, longest stretch) by a loop."""
    peak, below, longest, run = capital, 0, 0, 0
    for value in values:
        peak = max(peak, value)
        run = run + 1 if value < peak else 0
        below += value < peak
        longest = max(longest, run)
    return below, longest


def slow_drawdown(values, capital):
    peak, worst = capital, 0.0
    for value in values:
        peak = max(peak, value)
        worst = min(worst, value / peak - 1.0)
    return worst


def row(out, head):
    """Cells of a table's row or of a fact."""
    line = next(line for line in out.splitlines() if line.strip().startswith(head))
    return [cell for cell in re.split(r"\s{2,}", line.strip()) if cell]


@pytest.mark.parametrize("scale", [1.0, 1e-9])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_card_agrees_with_slow_arithmetic_on_the_file(tmp_path, language, scale):
    path, told = written(tmp_path, scale), tmp_path / "result.json"
    code, out, err = called(
        *(path, "-s", "ma_crossover", "-p", "stop_loss_pct=2", "--capital", "5000"),
        *("--json", told, "--home", tmp_path / "home"),
        language=language,
    )
    heads, words = HEADS[language], Words(language)
    assert (code, err) == (0, words("command.home", home=str(tmp_path / "home")) + "\n")
    result = json.loads(told.read_text(encoding="utf-8"))
    equity = result["equity"]["value"]
    closes = closes_of(path, pd.Timestamp(result["card"]["last"]))
    assert len(closes) == len(equity) == result["card"]["bars"]

    held = [5000.0 * close / closes[0] for close in closes]
    assert row(out, heads["total"])[1:] == [
        words.percent(equity[-1] / 5000.0 - 1.0),
        words.percent(closes[-1] / closes[0] - 1.0),
    ]
    assert row(out, heads["drawdown"])[1:] == [
        words.percent(slow_drawdown(values, 5000.0)) for values in (equity, held)
    ]
    waters = [slow_water(values, 5000.0) for values in (equity, held)]
    assert row(out, heads["water"])[1:] == [words.percent(below / len(closes)) for below, _ in waters]
    for cell, (_, longest) in zip(row(out, heads["longest"])[1:], waters, strict=True):
        assert cell.startswith(f"{words.number(longest)} bar")

    # Trades by how they ended are all trades, and their profits are what the account gained.
    exits = result["card"]["trades_by_exit"]
    assert sum(one["trades"] for one in exits) == len(result["trades"]) == result["metrics"]["n_trades"]
    assert math.isclose(sum(one["profit"] for one in exits), equity[-1] - 5000.0, rel_tol=1e-9, abs_tol=1e-6)
    for one in exits:
        ours = [trade for trade in result["trades"] if trade["exit_reason"] == one["reason"]]
        assert one["won"] == sum(trade["pnl"] > 0 for trade in ours)
    best = max(result["trades"], key=lambda trade: trade["return"])
    assert row(out, heads["best"])[1].startswith(words.percent(best["return"], 2))
    assert best["entry_time"][:10] in row(out, heads["best"])[1]
    assert words.number(5000.0) in row(out, heads["capital"])[1]
    flat = out.replace("\n", " ")
    assert heads["verdict"] in flat
    # What the file holds and the card does not is said, and from when on.
    split = re.search(heads["held back"], flat)
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    assert split is not None
    end = rows[-1].split(",")[0].replace(" ", "T")
    assert result["card"]["last"] < split[1].replace(" ", "T") < end
    code, out, _ = called(path, "--all", "--home", tmp_path / "home", language=language)
    assert code == 0
    assert not re.search(heads["held back"], out.replace("\n", " "))

    # Prices of trades keep their digits, however small: each entry lies at a bar's open, slippage aside.
    opens = pd.read_csv(path).set_index("time")["open"]
    for trade in result["trades"]:
        slipped = opens[trade["entry_time"].replace("T", " ")] * (1 + 2e-4)
        assert math.isclose(trade["entry_price"], slipped, rel_tol=1e-12)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_card_says_that_the_account_was_lost(tmp_path, language):
    closes = 100 * 1.02 ** np.arange(300)
    times = pd.date_range("2022-01-01", periods=300, freq="D")
    path = tmp_path / "UP_1d.csv"
    pd.DataFrame(
        {"open": closes, "high": closes, "low": closes, "close": closes, "volume": 1.0}, index=times
    ).to_csv(path, index_label="time")
    code, out, _ = called(path, "--entry-short", "close > 0", "--home", tmp_path / "h", language=language)
    assert code == 0
    assert HEADS[language]["lost"] in out
    assert not re.search(r"\b(nan|inf|None)\b", out)


@pytest.mark.parametrize("suffix", some(["png", "svg", "pdf", "html"], ["pdf", "html"]))
def test_the_picture_is_written_in_the_form_its_name_says(tmp_path, suffix):
    path, drawn = written(tmp_path), tmp_path / f"card.{suffix}"
    code, out, err = called(path, "--picture", drawn, "--home", tmp_path / "h")
    assert (code, len(err.splitlines())) == (0, 1), err
    assert str(drawn) in out.replace("\n", "")
    begin = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF", "html": b"<!DOCTYPE html>"}[suffix]
    assert drawn.read_bytes().lstrip().startswith(begin)


def test_a_shell_gets_the_very_same(tmp_path):
    path = written(tmp_path)
    here, there = (
        one(path, "--home", tmp_path / "h", "--json", "-") for one in (called, called_from_a_shell)
    )
    assert there == here


@pytest.mark.parametrize(
    "wrong", [("--picture", "card.bmp"), ("--capital", "0"), ("--capital", "-5"), ("--capital", "nan")]
)
def test_what_cannot_be_is_said_in_one_line_and_counts_nothing(tmp_path, wrong):
    home = tmp_path / "h"
    code, out, err = called(written(tmp_path), *wrong, "--home", home)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert not (home / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("values", "capital"),
    [
        ([], 1.0),
        ([1.0, 1.0], 1.0),
        ([2.0, 1.0, 1.5, 2.0, 1.0], 1.0),
        ([0.5, 0.9, 1.1], 1.0),
        ([3.0, 2.0, 4.0, 3.0, 3.0, 3.0], 1.0),
        *((np.random.default_rng(seed).normal(0, 1, 200).cumsum() + 50, 50.0) for seed in range(20)),
    ],
)
def test_time_under_water_is_that_of_a_loop(values, capital):
    found = under_water(values, capital)
    below, longest = slow_water(values, capital)
    assert found.longest == longest
    assert found.share == (below / len(values) if len(values) else 0.0)
    if longest:
        peak = max([capital, *values[: found.since]])
        assert values[found.since] < peak
        if found.until is not None:
            assert values[found.until] >= peak
            assert found.until - found.since == longest


def test_python_gives_the_same_card_short_reprs_and_a_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("THREADX_LANGUAGE", "en")
    frame = made_up_prices(500, cycle=0.05)
    result = threadx.backtest(frame, "ma_crossover", {"stop_loss_pct": 2}, symbol="X", home=tmp_path)
    told = repr(result)
    assert len(told.splitlines()) == 1
    assert len(told) < 200
    assert "ma_crossover" in told
    assert Words("en").percent(result.metrics.total_return) in told
    held = frame["close"].to_numpy()[: len(result.index)]
    assert Words("en").percent(held[-1] / held[0] - 1.0) in told
    page = result._repr_html_()
    assert page.count("<table>") == 2
    assert "Buy and hold" in page
    assert result.verdict is None
    drawn = tmp_path / "account.svg"
    chart = result.plot(drawn)
    assert drawn.read_text(encoding="utf-8").lstrip().startswith("<svg")
    account, *_ = chart.to_dict()["datasets"].values()
    assert {point["what"] for point in account} == {"Account", "Buy and hold"} or len(account) > 10
    # The engine's own result is short too, and so is a result without a trade.
    plain = run_backtest(frame, StrategySpec(name="never", params={}, entry_long="close > 1e12"), Costs())
    assert "never" in repr(plain)
    assert len(repr(plain)) < 200
