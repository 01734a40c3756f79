"""Series without an edge and with one, and what the whole cycle makes of them."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from empyrical import sharpe_ratio
from scipy import stats

from backtest import Costs, StrategySpec, run_backtest, validate_prices
from backtest.statistics.returns import bar_returns
from backtest.validation.trials import excess_returns, trial
from backtest.validation.verdict import VALUES
from nodes.context import OptimizationContext
from reports.belief import GOOD_VERDICTS
from tests.laws import pairs
from threadx.command import main
from threadx.defaults import CALIBRATION_SHARPES
from threadx.jobs import calibration
from threadx.jobs.calibration import Case, cases, interval, run_case
from vault.datasets import load_development, register
from vault.ledger import Ledger
from vault.packaged import packaged_table
from vault.splits import HOLDOUT_SHARE
from vault.synthetic.edges import EDGES, EDGES_INTRADAY, EDGES_KEPT, EVERY_EDGE, planted_prices
from vault.synthetic.nulls import NULLS, NULLS_INTRADAY, NULLS_KEPT, null_prices

pytestmark = pytest.mark.long


KINDS = {**NULLS, **NULLS_KEPT, **NULLS_INTRADAY}


def test_no_kind_is_both_tuned_on_and_kept():
    assert not NULLS.keys() & NULLS_KEPT.keys()
    assert not EDGES.keys() & EDGES_KEPT.keys()
    assert len(NULLS_KEPT) >= 2
    assert len(EDGES_KEPT) >= 2


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"drift", "reversal"}))
def test_nulls_are_bars_without_a_drift(kind):
    tested = []
    for seed in range(20):
        prices = null_prices(kind, 600, np.random.default_rng(seed))
        assert validate_prices(prices).equals(prices)
        returns = np.diff(np.log(prices["close"]))
        tested.append(stats.ttest_1samp(returns, 0.0).pvalue)
        assert abs(stats.pearsonr(returns[1:], returns[:-1]).statistic) < 0.2
    assert sum(p < 0.05 for p in tested) <= 4


SIDES = ("long", "short")
RISKS = ({"trailing_stop_pct": 1}, {"stop_loss_pct": 0.5}, {"take_profit_pct": 0.5}, {})
PATHS = ("walk", "garch", "leverage", "jumps", "regimes", "bounce", "hours")


@pytest.mark.parametrize(("kind", "risk", "side"), pairs(PATHS, RISKS, SIDES))
def test_no_stop_target_or_reversal_earns_on_a_series_that_nothing_can_time(kind, risk, side):
    """Filled at its level on a path without a drift, an order is fair (optional stopping), costs left out."""
    fallen, risen = "close < close[1]", "close > close[1]"
    enter, leave = (fallen, risen) if side == "long" else (risen, fallen)
    told = {f"entry_{side}": "close > 0"} if risk else {f"entry_{side}": enter, f"exit_{side}": leave}
    prices = null_prices(kind, 15_000, np.random.default_rng(8))
    result = run_backtest(prices, StrategySpec(name="x", risk=risk, **told), Costs(fee_bps=0, slippage_bps=0))
    excess = excess_returns(result, prices["close"])[1:]
    assert abs(excess.mean() / excess.std() * np.sqrt(len(excess))) < 4.5


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


def test_a_drift_pays_who_holds_and_turns_where_the_holdout_begins():
    sharpes = []
    for kind in ("drift", "reversal"):
        returns = np.array(
            [
                np.diff(np.log(null_prices(kind, 1000, np.random.default_rng(seed))["close"]))
                for seed in range(60)
            ]
        )
        start = 1000 - int(1000 * HOLDOUT_SHARE) - 1
        parts = returns[:, :start], returns[:, start:]
        sharpes.append([part.mean() / part.std() * np.sqrt(252) for part in parts])
    (up, still_up), (before, after) = sharpes
    # 60 series of 800 and of 200 days: standard errors of 0.07 and 0.15.
    assert [up, still_up, before, after] == pytest.approx([0.7, 0.7, 0.7, -0.7], abs=0.45)
    assert up == pytest.approx(0.7, abs=0.22)


def test_leverage_lets_falls_raise_volatility_and_bounces_reverse():
    def after_falls(kind):
        returns = np.diff(np.log(null_prices(kind, 20_000, np.random.default_rng(5))["close"]))
        return stats.spearmanr(returns[:-1], returns[1:] ** 2).statistic

    # The standard error of a rank correlation of 20,000 pairs is 0.007.
    assert after_falls("leverage") < -0.025 < after_falls("garch")
    bounced = np.diff(np.log(null_prices("bounce", 60_000, np.random.default_rng(5))["close"]))
    # Roll 1984: the covariance of successive returns is minus the square of half the spread.
    assert np.cov(bounced[1:], bounced[:-1])[0, 1] == pytest.approx(-(0.002**2), rel=0.35)


def test_clustered_volatility_clusters():
    returns = np.diff(np.log(null_prices("garch", 4000, np.random.default_rng(5))["close"]))
    assert stats.spearmanr(np.abs(returns[5:]), np.abs(returns[:-5])).pvalue < 1e-6
    assert stats.kurtosis(returns) > 1.0


def test_hours_tell_how_far_prices_move_and_not_which_way():
    prices = null_prices("hours", 5000, np.random.default_rng(5))
    hours = prices.index.hour
    assert (len(prices), sorted(set(hours))) == (35_000, [9, 10, 11, 12, 13, 14, 15])
    within = np.log(prices["close"] / prices["open"])
    deviations = within.groupby(hours).std()
    # 5,000 of each: a standard error of 1 % of a deviation.
    assert deviations[[9, 15]].to_numpy() == pytest.approx(2 * deviations[12], rel=0.06)
    returns = np.log(prices["close"]).diff().dropna()
    assert stats.f_oneway(*(part for _, part in returns.groupby(returns.index.hour))).pvalue > 0.001
    assert abs(stats.spearmanr(returns[1:], returns[:-1]).statistic) < 4.5 / np.sqrt(len(returns))
    days = np.log(prices["close"][hours == 15]).diff().dropna()
    assert days.std() == pytest.approx(0.01, rel=0.04)


def test_an_overnight_edge_comes_between_the_last_close_and_the_next_open():
    planted = planted_prices("overnight", 3.0, 1260, np.random.default_rng(6), Costs(fee_bps=10))
    prices, up = planted.prices, 1.0 if "hour == 14" in (planted.rule.entry_long or "") else -1.0
    night = np.log(prices["open"] / prices["close"].shift())[1:]
    nights = up * night[night.index.hour == 9]
    assert nights.mean() / nights.std() * np.sqrt(252) > 3.0
    assert night[night.index.hour > 9].abs().max() < 1e-12
    assert abs(np.log(prices["close"].iloc[-1] / prices["open"].iloc[0])) < 0.02, "no drift for who holds"


@pytest.mark.parametrize("kind", [*EVERY_EDGE])
@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_a_planted_edge_is_worth_what_is_said(kind, strength):
    costs = Costs(fee_bps=10, slippage_bps=2)
    planted = planted_prices(kind, strength, 1260, np.random.default_rng(6), costs)
    result = run_backtest(planted.prices, planted.rule, costs)
    year = 252 * len(planted.prices) // 1260
    realised = sharpe_ratio(bar_returns(result.equity_values, 10_000), annualization=year)
    assert realised == pytest.approx(planted.sharpe, rel=1e-6)
    assert realised == pytest.approx(strength, rel=0.05)


def test_cases_are_dealt_out_evenly():
    for asked, nulls, edges in (
        ({}, NULLS, EDGES),
        ({"kept": True}, NULLS_KEPT, EDGES_KEPT),
        ({"intraday": True}, NULLS_INTRADAY, EDGES_INTRADAY),
        (
            {"kept": True, "intraday": True},
            {**NULLS_KEPT, **NULLS_INTRADAY},
            {**EDGES_KEPT, **EDGES_INTRADAY},
        ),
    ):
        twice, each = 2 * len(nulls), len(edges) * len(CALIBRATION_SHARPES)
        found = cases(twice, each, 1, **asked)
        assert [one.kind for one in found[:twice]] == [*nulls, *nulls]
        assert {(one.kind, one.strength) for one in found[twice:]} == {
            (kind, strength) for kind in edges for strength in CALIBRATION_SHARPES
        }
        assert len({one.number for one in found}) == twice + each
    assert {one.strength for one in cases(0, 6, 1, strengths=(1.0, 1.5))} == {1.0, 1.5}


def test_an_edge_that_was_missed_is_told_by_where_it_was_lost(tmp_path):
    costs = Costs(fee_bps=10, slippage_bps=2)
    planted = planted_prices("seasonal", 4.0, 1260, np.random.default_rng(6), costs)
    dataset = register(planted.prices, symbol="X", timeframe="1d", home=tmp_path)
    context, holding = OptimizationContext(home=str(tmp_path)), StrategySpec.preset("ma_crossover")
    near = planted.rule.evolve(risk={"stop_loss_pct": 20.0})

    def lost(champion):
        return calibration._lost(planted.rule, champion, dataset, context, "r")

    assert lost(near) == "not_believed"
    assert lost(holding) == "not_proposed"
    prices = load_development(dataset, tmp_path)
    looked = [
        trial(run_backtest(prices, spec, context.costs, context.fill), prices["close"])
        for spec in (near, holding)
    ]
    Ledger(tmp_path).count(
        dataset.family, looked, development_hash=dataset.development_hash, origin="proposal", source="r"
    )
    assert lost(holding) == "not_kept"
    assert lost(StrategySpec.preset("buy_and_hold")) == "not_kept"


def test_p_values_that_are_too_small_are_seen():
    uniform = (np.arange(200) + 0.5) / 200

    def spread(values):
        return calibration._p_values([{"development_p": float(one)} for one in values], "development_p")

    assert spread(uniform)["too_small_p"] > 0.9
    assert spread(uniform)["above_uniform"] == pytest.approx(1 / 400, abs=1e-6)
    assert spread(uniform)["below"] == {"0.01": 0.01, "0.05": 0.05, "0.1": 0.1, "0.25": 0.25, "0.5": 0.5}
    assert spread(uniform**2)["too_small_p"] < 1e-6
    careful = spread(np.sqrt(uniform))
    assert careful["too_small_p"] > 0.9
    assert careful["not_uniform_p"] < 1e-6
    # The largest of u - u**2 is a quarter, at a half.
    assert careful["below_uniform"] == pytest.approx(0.25, abs=0.01)
    assert careful["above_uniform"] < 0.01
    assert careful["too_large_p"] < 1e-6
    assert spread(uniform**2)["above_uniform"] == pytest.approx(0.25, abs=0.01)
    assert spread([])["below"] is None


def test_intervals_are_exact():
    assert interval(5, 200) == pytest.approx(list(stats.binomtest(5, 200).proportion_ci()), abs=1e-6)
    assert interval(0, 100)[0] == 0.0
    assert interval(0, 100)[1] == pytest.approx(1 - 0.025 ** (1 / 100), abs=1e-5)
    assert interval(7, 7)[1] == 1.0


def test_the_cycle_believes_what_is_there_and_not_what_is_not():
    common = {"seed": 1, "bars": 1260, "iterations": 3}
    null = run_case(Case(number=0, kind="walk", strength=None, **common))
    edge = run_case(Case(number=1, kind="seasonal", strength=4.0, **common))
    assert null["verdict"] not in GOOD_VERDICTS
    assert edge["verdict"] in GOOD_VERDICTS
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
    assert all(str(path) in told.out for path in (out, drawn))
    assert "2 series without an edge, 1 with one, seed 3" in drawn.read_text(encoding="utf-8")
    assert "Planted edge, Sharpe 0.5" in told.out
    lines = [line for line in told.err.splitlines() if line.startswith("Series:")]
    assert lines[-1] == "Series: 3 of 3"
    assert all(one != two for one, two in pairwise(lines))
    found = json.loads(out.read_text(encoding="utf-8"))
    assert (found["null"]["count"], found["planted"]["count"]) == (2, 1)
    assert found["false_rate"] == found["null"]["believed"] / 2
    assert set(found["null"]["p_values"]) == set(calibration.P_VALUES)
    assert sum(found["planted"]["lost"].values()) + found["planted"]["believed"] == 1
    assert "Where the others were lost" in told.out
    assert set(found["power"]) == {f"{strength:g}" for strength in CALIBRATION_SHARPES}
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


def test_a_case_may_be_a_pool_of_one_edge_on_noise_of_their_own(tmp_path):
    """The same rule pays on each, their moves have nothing in common; all of it is judged as one."""
    drawn = [
        planted_prices(
            "momentum", 2.0, 600, np.random.default_rng(n), Costs(), drawn_by=np.random.default_rng(5)
        )
        for n in range(2)
    ]
    assert drawn[0].rule.params == drawn[1].rule.params
    moves = [np.diff(np.log(one.prices["close"])) for one in drawn]
    assert abs(np.corrcoef(moves)[0, 1]) < 0.2
    (case,) = cases(0, 1, 7, bars=400, iterations=1, pooled=2)
    alone, pooled = (run_case(replace(case, pooled=pooled)) for pooled in (1, 2))
    assert pooled["verdict"] in VALUES
    assert pooled["limit"] > alone["limit"]
    assert pooled["trials"] > 100
