"""One hypothesis a market, declared before anybody looks: judged once, at one trial, and no second door."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

import threadx
from backtest import Costs, StrategySpec, run_backtest
from backtest.statistics.returns import Moments, moments
from backtest.validation.power import Evidence, power
from backtest.validation.trials import excess_returns
from backtest.validation.verdict import Search, decide
from prompts import Words
from reports.belief import sight_lines
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.audit.checking import check_run
from threadx.command import main
from threadx.tools import declare_tool
from vault import seals
from vault.datasets import find_dataset, load_development, open_holdout
from vault.errors import MarketError

IDEA = "what fell for three bars rises"
DIP = StrategySpec(name="dip", entry_long="close < lowest(low, 3)[1]", exit_long="close > sma(close, 5)")
QUICK = {"max_iterations": 1, "use_debate": False, **ALL_RULES}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """(folder, prices, result of the first run, of the second) after a declaration."""
    folder = tmp_path_factory.mktemp("declare")
    prices = made_up_prices(900, cycle=0.05, frequency="1D")
    prices.to_csv(folder / "TEST_1d.csv")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(seals, "now", lambda: datetime(2024, 5, 1, tzinfo=UTC))
        threadx.declare(folder / "TEST_1d.csv", DIP, text=IDEA, home=folder / "h", costs=Costs(fee_bps=3))
    results = [
        threadx.optimize(str(folder / "TEST_1d.csv"), run=run, home=str(folder / "h"), **QUICK)
        for run in ("first", "second")
    ]
    return folder, prices, *results


def test_the_first_run_judges_it_at_one_trial_and_the_next_one_no_more(judged):
    folder, _, first, second = judged
    told = first.details["declared"]
    assert (told["text"], told["declared_by"], told["declared_at"][:10]) == (IDEA, "person", "2024-05-01")
    assert "declared" not in second.details
    dataset = find_dataset(first.details["dataset"]["development_hash"], folder / "h")
    prices = load_development(dataset, folder / "h")
    frame, start, _ = open_holdout(dataset, folder / "h", reader="a test")
    parts = [
        run_backtest(prices, DIP, Costs(fee_bps=3)),
        run_backtest(frame, DIP, Costs(fee_bps=3), trade_from=frame.index[start]),
    ]
    inside, outside = (
        moments(excess_returns(part, rows["close"]))
        for part, rows in zip(parts, (prices, frame), strict=True)
    )
    alone = decide(
        development=inside,
        holdout=outside,
        search=Search(trials=1, sharpe_variance=0.0),
        opening=1,
        trades=sum(len(part.trades) for part in parts),
        findings=(),
    )
    assert told["verdict"]["development_p"] == pytest.approx(alone.naive_p, rel=1e-6)
    assert told["verdict"]["combined_p"] == pytest.approx(alone.combined_p, rel=1e-6)
    assert first.details["overfitting"]["trials"] > 100, "the search beside it is charged in full"


def test_every_face_tells_it_apart_from_the_search(judged, capsys):
    folder, _, first, _ = judged
    lines = sight_lines(first.details, Words("en"))
    assert lines[-1].startswith(
        "Declared beforehand on 2024-05-01 by a person, apart from the search and counted as one trial:"
        f" “{IDEA}”"
    )
    with pytest.raises(SystemExit) as left:
        main(["runs", "show", "first", "--home", str(folder / "h"), "--language", "fr"])
    assert left.value.code == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Déclaré d’avance le 2024-05-01 par une personne" in out
    assert IDEA in (folder / "h" / "runs" / "first" / "report.md").read_text(encoding="utf-8")


def test_its_figures_can_be_computed_again(judged):
    folder = judged[0]
    found = check_run("first", folder / "h")
    assert found.agrees, [row for row in found.rows if not row.agrees][:5]
    assert "declared.verdict.combined_p" in {row.name for row in found.rows}


@pytest.mark.parametrize(
    "noise",
    [pytest.param(0.0, id="the same prices"), pytest.param(1e-4, id="with noise, under another name")],
)
def test_a_market_has_one(judged, noise):
    folder, prices, *_ = judged
    again = prices.copy()
    moved = np.exp(np.random.default_rng(2).normal(0.0, noise, len(prices)))
    for name in ("open", "high", "low", "close"):
        again[name] *= moved
    with pytest.raises(MarketError) as caught:
        threadx.declare(again, DIP, text="another", home=folder / "h", symbol="OTHER")
    assert caught.value.code == "declared_before"
    (sealed,) = (folder / "h" / "declared").glob("*.json")
    hidden = sealed.rename(folder / "hidden")
    try:  # whoever removes it has looked all the same
        with pytest.raises(MarketError) as caught:
            threadx.declare(again, DIP, text="another", home=folder / "h", symbol="OTHER")
        assert caught.value.code == "declared_late"
    finally:
        hidden.rename(sealed)


@pytest.mark.parametrize("text", [" ", "x" * 501])
def test_an_idea_is_a_text_of_a_sentence_or_two(tmp_path, capsys, text):
    path = tmp_path / "TEST_1d.csv"
    made_up_prices(300, frequency="1D").to_csv(path)
    for language in ("fr", "en"):
        with pytest.raises(SystemExit) as left:
            main(
                [
                    "declare",
                    str(path),
                    f"--text={text}",
                    "--home",
                    str(tmp_path / "h"),
                    "--language",
                    language,
                ]
            )
        told = capsys.readouterr().err
        assert (left.value.code, len(told.strip().splitlines())) == (2, 1), told
    with pytest.raises(MarketError, match="declared_text"):
        threadx.declare(path, DIP, text=text, home=tmp_path / "h")


def test_after_a_look_there_is_nothing_left_to_declare(tmp_path, capsys):
    path = tmp_path / "TEST_1d.csv"
    made_up_prices(300, frequency="1D").to_csv(path)
    common = [str(path), "--home", str(tmp_path / "h"), "--language", "en"]
    with pytest.raises(SystemExit) as left:
        main(["backtest", *common])
    assert left.value.code == 0
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["declare", *common, "--text", IDEA, "-s", "rsi_reversion"])
    told = capsys.readouterr()
    assert left.value.code == 2
    assert "Too late to declare" in told.err
    assert "1 configuration was already tried" in told.err.replace("\n", " ")
    assert not list((tmp_path / "h" / "declared").glob("*.json"))


def test_the_command_seals_and_tells_the_fingerprint(tmp_path, capsys):
    path = tmp_path / "TEST_1d.csv"
    made_up_prices(300, frequency="1D").to_csv(path)
    with pytest.raises(SystemExit) as left:
        main(
            [
                *("declare", str(path), "--text", IDEA, "-s", "rsi_reversion", "--direction", "below"),
                *("--json", "-", "--home", str(tmp_path / "h"), "--language", "en"),
            ]
        )
    assert left.value.code == 0
    told = json.loads(capsys.readouterr().out)
    (sealed,) = (tmp_path / "h" / "declared").glob("*.json")
    content = json.loads(sealed.read_text(encoding="utf-8"))
    assert content["fingerprint"] == told.pop("fingerprint")
    assert content["declaration"] == told
    sealed.write_text(sealed.read_text(encoding="utf-8").replace("below", "above"), encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        threadx.optimize(str(path), home=str(tmp_path / "h"), **QUICK)
    assert caught.value.code == "damaged_declaration"


def test_a_model_declares_by_a_tool_and_may_remember(tmp_path, capsys):
    path = tmp_path / "TEST_1d.csv"
    made_up_prices(900, cycle=0.05, frequency="1D").to_csv(path)
    tool = declare_tool("ollama:unheard-of:7b", home=tmp_path / "h", language="en")
    asked = {"data": str(path), "strategy": {"preset": "rsi_reversion"}, "text": IDEA, "direction": "above"}
    assert "fingerprint" in json.loads(tool.invoke(asked))
    assert "already declared" in json.loads(tool.invoke(asked))["error"]
    assert "direction" in json.loads(tool.invoke({**asked, "direction": "up"}))["error"]
    told = threadx.optimize(str(path), home=str(tmp_path / "h"), **QUICK).details["declared"]
    assert told["declared_by"] == "ollama:unheard-of:7b"
    assert {"code": "memory", "fields": {"models": "ollama:unheard-of:7b"}, "speaks_for": False} in told[
        "verdict"
    ]["reasons"]


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0.009), (1.0, 0.38), (1.5, 0.72)])
def test_its_own_share_of_error_is_that_of_one_trial(ratio, expected):
    """Four years and one: what `power` promises comes out of `decide` on made-up results."""
    assert power(ratio, Evidence(development_years=4, holdout_years=1, opening=1, independent=1)) == (
        pytest.approx(expected, abs=0.006)
    )
    random = np.random.default_rng(6)
    believed = 0
    for _ in range(3_000):
        seen = [
            Moments(
                n_observations=252 * years,
                mean=0.0,
                deviation=1.0,
                sharpe=random.normal(ratio, years**-0.5) / 252**0.5,
                skew=0.0,
                kurtosis=3.0,
            )
            for years in (4, 1)
        ]
        verdict = decide(
            development=seen[0],
            holdout=seen[1],
            search=Search(trials=1, sharpe_variance=0.0),
            opening=1,
            trades=100,
            findings=(),
        )
        believed += verdict.value in ("real", "promising")
    assert believed / 3_000 == pytest.approx(expected, abs=0.03 if ratio else 0.006)
