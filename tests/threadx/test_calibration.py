"""Series without an edge and with one, and what the whole cycle makes of them."""

import json
from itertools import pairwise

import numpy as np
import pytest
from empyrical import sharpe_ratio
from scipy import stats

from backtest import Costs, run_backtest, validate_prices
from backtest.statistics.returns import bar_returns
from threadx.command import main
from threadx.jobs.calibration import BELIEVED, STRENGTHS, Case, cases, interval, run_case
from vault.packaged import packaged_table
from vault.synthetic import EDGES, NULLS, null_prices, planted_prices

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", NULLS)
def test_nulls_are_bars_without_a_drift(kind):
    tested = []
    for seed in range(20):
        prices = null_prices(kind, 600, np.random.default_rng(seed))
        assert validate_prices(prices).equals(prices)
        returns = np.diff(np.log(prices["close"]))
        tested.append(stats.ttest_1samp(returns, 0.0).pvalue)
        assert abs(stats.pearsonr(returns[1:], returns[:-1]).statistic) < 0.2
    assert sum(p < 0.05 for p in tested) <= 4


def test_real_bars_keep_their_moves_and_lose_their_order():
    generator = np.random.default_rng(3)
    shuffled = np.diff(np.log(null_prices("shuffled", 800, generator)["close"]))
    found = False
    for name in ("sp500", "nasdaq"):
        real = np.diff(np.log(validate_prices(packaged_table(name))["close"]))
        for start in range(len(real) - 800):
            part = real[start : start + 800]
            found |= abs(np.sort(part - part.mean())[-1] - np.sort(shuffled)[-1]) < 1e-3
    assert found
    flipped = np.abs(np.diff(np.log(null_prices("flipped", 800, np.random.default_rng(4))["close"])))
    # Volatility still comes in clusters: only the signs are tossed.
    assert stats.spearmanr(flipped[1:], flipped[:-1]).pvalue < 0.01


def test_clustered_volatility_clusters():
    returns = np.diff(np.log(null_prices("garch", 4000, np.random.default_rng(5))["close"]))
    assert stats.spearmanr(np.abs(returns[5:]), np.abs(returns[:-5])).pvalue < 1e-6
    assert stats.kurtosis(returns) > 1.0


@pytest.mark.parametrize("kind", EDGES)
@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_a_planted_edge_is_worth_what_is_said(kind, strength):
    costs = Costs(fee_bps=10, slippage_bps=2)
    planted = planted_prices(kind, strength, 1260, np.random.default_rng(6), costs)
    result = run_backtest(planted.prices, planted.rule, costs)
    realised = sharpe_ratio(bar_returns(result.equity_values, 10_000))
    assert realised == pytest.approx(planted.sharpe, rel=1e-6)
    assert realised == pytest.approx(strength, rel=0.05)


def test_cases_are_dealt_out_evenly():
    found = cases(8, 30, 1)
    assert [one.kind for one in found[:8]] == [*NULLS, *NULLS]
    assert {(one.kind, one.strength) for one in found[8:]} == {
        (kind, strength) for kind in EDGES for strength in STRENGTHS
    }
    assert len({one.number for one in found}) == 38


def test_intervals_are_exact():
    assert interval(5, 200) == pytest.approx(list(stats.binomtest(5, 200).proportion_ci()), abs=1e-6)
    assert interval(0, 100)[0] == 0.0
    assert interval(0, 100)[1] == pytest.approx(1 - 0.025 ** (1 / 100), abs=1e-5)
    assert interval(7, 7)[1] == 1.0


def test_the_cycle_believes_what_is_there_and_not_what_is_not():
    common = {"seed": 1, "bars": 1260, "iterations": 3}
    null = run_case(Case(number=0, kind="walk", strength=None, **common))
    edge = run_case(Case(number=1, kind="seasonal", strength=4.0, **common))
    assert null["verdict"] not in BELIEVED
    assert edge["verdict"] in BELIEVED
    assert edge["realised_sharpe"] == pytest.approx(4.0, rel=0.05)
    assert edge["holdout_p"] < 0.05 < null["combined_p"]
    assert run_case(Case(number=0, kind="walk", strength=None, **common)) == null


@pytest.mark.soak
def test_the_command_tells_rates_and_counts(tmp_path, capsys):
    out, drawn = tmp_path / "calibration.json", tmp_path / "power.svg"
    arguments = ["--null", "2", "--planted", "1", "--seed", "3", "--bars", "400", "--iterations", "1"]
    with pytest.raises(SystemExit) as left:
        main(["calibrate", *arguments, "--json", str(out), "--picture", str(drawn), "--language", "en"])
    assert left.value.code == 0
    told = capsys.readouterr()
    assert str(drawn) in told.out
    assert "2 series without an edge, 1 with one, seed 3" in drawn.read_text(encoding="utf-8")
    assert "Planted edge, Sharpe 0.5" in told.out
    lines = [line for line in told.err.splitlines() if line.startswith("Series:")]
    assert lines[-1] == "Series: 3 of 3"
    assert all(one != two for one, two in pairwise(lines))
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["null"]["count"], found["planted"]["count"]) == (2, 1)
    assert found["false_rate"] == found["null"]["believed"] / 2
    assert set(found["power"]) == {f"{strength:g}" for strength in STRENGTHS}
    assert found["power"]["0.5"] in (0.0, 1.0)
    assert sum(found["null"]["verdicts"].values()) == 2
    assert len(found["cases"]) == 3


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["calibrate", "--picture", str(tmp_path / "power.doc"), "--language", "en"])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert ".svg" in error


@pytest.mark.parametrize(("language", "told"), [("fr", "Aucune série à essayer"), ("en", "No series to try")])
def test_no_series_at_all_is_refused(capsys, tmp_path, language, told):
    asked = ["calibrate", "--null", "0", "--planted", "0", "--language", language, "--home", str(tmp_path)]
    with pytest.raises(SystemExit) as left:
        main(asked)
    assert left.value.code == 2
    assert told in capsys.readouterr().err
