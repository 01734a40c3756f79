"""A population: what is surveyed, which candidates are kept, when one leads, and what people are told."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest import Costs, StrategySpec, run_backtest
from nodes.context import OptimizationContext
from nodes.optimization.evidence.evidence import gather_evidence
from nodes.optimization.evidence.items import bars_a_day, session
from nodes.optimization.schemas import MOST_MEMBERS, Proposal
from nodes.optimization.survey import configured, surveyed
from nodes.optimization.trials import elites
from nodes.optimization.trials.archive import LEAST_LEAD, archived, leads, member, usual_day
from nodes.optimization.trials.proposing import sorted_by
from nodes.optimization.trials.seeds import FAMILIES, seeds
from nodes.optimization.trials.trial import t_statistic
from prompts import Words
from record.record import RunRecord
from record.run_tables import TRIALS, read_table
from reports.population import candidate_table, population_lines
from tests.nodes.optimization.test_rules import weekly
from tests.optimization_runs import dataset_reference, run_graph
from tests.prices import made_up_prices
from vault.datasets import load_development, register
from vault.readers.options import Reading
from vault.registered import find_registered


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(data folder, final state, events) of a population's run on prices that rise on Wednesdays."""
    home = tmp_path_factory.mktemp("home")
    state, events = run_graph(home, prices=weekly(), search="population", max_iterations=2, target_score=10)
    return home, state, events


@pytest.fixture(scope="module")
def survey(run):
    return next(event["data"] for event in run[2] if event["kind"] == "survey")


def registered(home):
    reference = dataset_reference(home, weekly())
    return find_registered(reference, home, reading=Reading())


def test_the_survey_finds_what_the_given_strategy_does_not_trade(survey):
    champion = StrategySpec.model_validate(survey["champion"]["spec"])
    assert champion.name == "weekday"
    assert survey["champion"]["excess_t"] == max(one["excess_t"] for one in survey["archive"])


def test_an_excess_t_is_that_of_returns_over_holding_with_the_same_exposure(run, survey):
    """By its definition, bar by bar, from the trades of an ordinary backtest."""
    home, state, _ = run
    prices = load_development(registered(home), home)
    spec = StrategySpec.model_validate(survey["champion"]["spec"])
    result = run_backtest(prices, spec, costs=Costs(fee_bps=10.0, slippage_bps=2.0))
    own = result.equity.pct_change().fillna(result.equity.iloc[0] / 10_000.0 - 1.0).to_numpy()
    market = prices["close"].pct_change().fillna(0.0).to_numpy()
    account = np.concatenate([[10_000.0], result.equity.to_numpy()])
    held = 0.0
    for trade in result.trades.itertuples():
        entry = prices.index.get_loc(trade.entry_time)
        sign = 1.0 if trade.side == "long" else -1.0
        held += sign * trade.size * trade.entry_price / account[entry] * trade.bars
    excess = own - held / (len(own) - 1) * market
    t = excess.mean() / excess.std(ddof=1) * np.sqrt(len(excess))
    assert survey["champion"]["excess_t"] == pytest.approx(t, rel=1e-3)
    assert state["champion"]["excess_t"] >= survey["champion"]["excess_t"]


def test_every_configuration_is_a_trial_of_the_ledger(run, survey):
    home, state, _ = run
    trials = read_table(RunRecord(home, state["run_id"]).folder, TRIALS)
    looks = surveyed(registered(home), OptimizationContext(home=str(home)), None)
    hashes = {look.trial.spec_hash for _, look in looks}
    assert survey["configurations"] == len(looks) == len(hashes) > 200
    assert hashes <= set(trials["hash"])
    assert state["judgement"]["overfitting"]["trials"] >= len(hashes)


@pytest.mark.parametrize("intraday", [False, True])
def test_a_seed_becomes_the_strategy_that_was_tested(intraday, tmp_path):
    prices = None if intraday else weekly(600)
    reference = dataset_reference(tmp_path, prices, timeframe="1h" if intraday else "1d")
    found = surveyed(
        find_registered(reference, tmp_path, reading=Reading()), OptimizationContext(home=str(tmp_path)), 90
    )
    assert len(found) == 90
    assert {configured(seed, look).hash for seed, look in found} == {
        look.trial.spec_hash for _, look in found
    }
    told = {seed.family for seed in seeds(24 if intraday else 1)}
    assert {seed.family for seed, _ in found} <= told <= FAMILIES
    assert ("weekday" in told) is not intraday


OF_DAILY_BARS = "de8949d1cc52478f65b4b0a9e226feb9e7ed295c8b200c0ab9a2949f4b9e7b42"
"""SHA-256 of the sorted hashes of the 355 configurations of daily bars at commit 11e3f85, with whose survey
the published calibration was drawn."""


def test_daily_bars_are_surveyed_as_when_the_calibration_was_drawn(tmp_path):
    reference = dataset_reference(tmp_path, weekly(), timeframe="1d")
    looks = surveyed(
        find_registered(reference, tmp_path, reading=Reading()), OptimizationContext(home=str(tmp_path)), None
    )
    found = sorted(look.trial.spec_hash for seed, look in looks if seed.family != "month")
    assert (len(found), hashlib.sha256("\n".join(found).encode()).hexdigest()) == (355, OF_DAILY_BARS)


@pytest.mark.parametrize(("day", "scales"), [(2, (2, 1)), (6, (6, 2)), (13, (13, 4)), (48, (48, 7))])
def test_windows_span_the_same_days_whatever_the_bars(day, scales):
    """Every window of daily bars, in bars of those days; half of them once more over hours."""
    trends = [seed for seed in seeds(day) if seed.family == "trend"]
    windows = [seed.grid["n"] for seed in trends]
    days = [10, 15, 20, 30, 40, 60, 100, 200]
    assert windows == [[scales[0] * n for n in days], [scales[1] * n for n in days[::2]]]
    pullback = next(seed for seed in seeds(day) if seed.family == "pullback")
    assert f"sma(close, {5 * day})" in pullback.spec.exit_long
    held = next(seed for seed in seeds(day) if seed.family == "breakout")
    assert held.grid["max_bars"] == [day * n for n in (1, 3, 5, 10)]
    assert held.spec.bounds()["n"].high >= 200 * day
    for bars in (390, 1440):
        grids = [math.prod(map(len, seed.grid.values())) for seed in seeds(bars)]
        assert sum(grids) < 1.6 * sum(math.prod(map(len, seed.grid.values())) for seed in seeds(1))


def test_every_hour_of_an_exchange_that_closes_is_a_window():
    """Bars from half past nine, as shares have: what is bought at 14:30's close is held over the night."""
    days = pd.bdate_range("2024-01-01", periods=30)
    shares = pd.DatetimeIndex([day + pd.Timedelta(minutes=570 + 60 * n) for day in days for n in range(7)])
    assert session(shares) == (9, 10, 11, 12, 13, 14, 15)
    assert session(pd.date_range("2024-01-01", periods=500, freq="4h")) == ()
    found = seeds(7, session(shares))
    bought, sold = (seed.spec for seed in found if seed.family == "hours_14_15")
    assert (bought.entry_long, bought.exit_long) == (sold.entry_short, sold.exit_short)
    prices = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), 100.0), index=shares)
    trades = run_backtest(prices.assign(volume=1.0), bought.only("long")).trades
    assert {
        (one.hour, other.hour)
        for one, other in zip(trades["entry_time"][:-1], trades["exit_time"][:-1], strict=True)
    } == {(15, 9)}
    assert {f"hours_{hour}_{hour + 1}" for hour in range(9, 16)} < {seed.family for seed in found}


def test_bars_a_day_are_those_of_a_usual_day():
    sessions = pd.date_range("2024-01-01 14:30", periods=13, freq="30min")
    days = pd.bdate_range("2024-01-01", periods=30)
    index = pd.DatetimeIndex([time + (day - days[0]) for day in days for time in sessions])
    assert bars_a_day(index) == 13
    assert bars_a_day(index[:-10]) == 13, "a short day is not the usual one"
    assert bars_a_day(pd.date_range("2024-01-01", periods=500, freq="4h", tz="Europe/Paris")) == 6
    assert bars_a_day(days) == bars_a_day(pd.date_range("2024-01-01", periods=30, freq="W")) == 1


def test_the_survey_finds_a_turn_of_the_month(tmp_path):
    """Prices that rise by 0.6 % from the last of a month to its third day, and move at random else."""
    random = np.random.default_rng(3)
    index = pd.date_range("2015-01-01", periods=1500, freq="D")
    lifted = (index.day <= 3) | (index.day >= 29)
    close = 100.0 * np.exp(
        np.cumsum(random.normal(0.0, 0.008, len(index)) + np.where(lifted, 0.006, -0.0006))
    )
    opening = np.concatenate(([100.0], close[:-1]))
    spread = [np.maximum(opening, close) * 1.002, np.minimum(opening, close) * 0.998]
    prices = pd.DataFrame(
        {"open": opening, "high": spread[0], "low": spread[1], "close": close, "volume": 1.0}, index=index
    )
    reference = dataset_reference(tmp_path, prices, timeframe="1d")
    looks = surveyed(
        find_registered(reference, tmp_path, reading=Reading()), OptimizationContext(home=str(tmp_path)), None
    )
    seed, _ = max(looks, key=lambda one: t_statistic(one[1].trial))
    assert seed.family == "month"


def test_a_limit_leaves_half_of_the_backtests_to_proposals(tmp_path):
    state, events = run_graph(tmp_path, search="population", max_backtests=41, max_iterations=1)
    survey = next(event["data"] for event in events if event["kind"] == "survey")
    assert survey["configurations"] == 20
    assert len({one["family"] for one in survey["archive"]}) > 3
    assert state["result"]["trials"] <= 41
    assert any(trial["backtests"] for trial in state["history"][0]["trials"])


def one(spec, excess_t, *, trades=50, held=3.0, given=False):
    told = spec.model_dump(mode="json")
    return member(
        spec=told,
        given=told,
        grid={},
        excess_t=excess_t,
        trades=trades,
        bars_held=held,
        iteration=0,
        given_first=given,
    )


def crossover(fast, slow=50):
    return StrategySpec.preset("ma_crossover", fast_period=fast, slow_period=slow)


def test_the_archive_keeps_one_candidate_a_family_holding_time_and_side():
    close, better = one(crossover(4), 2.0), one(crossover(5), 2.5)
    longer = one(crossover(6), 1.0, held=30.0)
    both = one(crossover(7).both_sides(), 0.5)
    other = one(StrategySpec.preset("supertrend"), 0.2)
    found = archived([close, better, longer, both, other], "", 1)
    assert [entry["hash"] for entry in found] == [one["hash"] for one in (better, longer, both, other)]
    assert [entry["number"] for entry in found] == [1, 2, 3, 4]


def test_the_given_strategy_and_the_champion_stay_whatever_their_rank():
    given, champion = one(crossover(3), -3.0, trades=0, given=True), one(crossover(4), -1.0)
    rivals = [
        one(StrategySpec.preset("supertrend", period=5 + n), 1.0 + n, held=held)
        for n, held in enumerate((1.0, 4.0, 10.0, 50.0))
    ]
    rivals += [
        one(StrategySpec.preset(name, period=20 + n), float(n), held=held)
        for name in ("adx_trend", "keltner_breakout")
        for n, held in enumerate((1.0, 4.0, 10.0, 50.0))
    ]
    found = archived([given, champion, *rivals], champion["hash"], 1)
    assert len(found) == MOST_MEMBERS
    assert {given["hash"], champion["hash"]} <= {entry["hash"] for entry in found}
    values = [entry["excess_t"] for entry in found]
    assert values == sorted(values, reverse=True)


def test_few_trades_are_no_ground_for_a_place():
    assert archived([one(crossover(4), 9.0, trades=9)], "", 1) == []


def test_holding_times_are_told_in_days_whatever_the_bars():
    """Days of 48 bars: 5 and 20 hours, 3, 10 and 30 days are apart; of 3 and 4 days one stays."""
    hours_and_days = [10, 40, 3 * 48, 10 * 48, 30 * 48]
    told = [one(crossover(4 + n), 1.0 - n / 10, held=held) for n, held in enumerate(hours_and_days)]
    near = one(crossover(20), 0.1, held=4 * 48)
    assert [entry["hash"] for entry in archived([*told, near], "", 48)] == [entry["hash"] for entry in told]
    assert len(archived([*told, near], "", 1)) == 2, "bars of half an hour, told as if they were days"
    often, long, _ = elites.cell(40, 1000, 3.0, [0.1], 1)
    assert elites.cell(40, 48_000, 3.0 * 48, [0.1], 48)[:2] == (often, long + 1), "within a day stands before"
    frequent = [elites.cell(trades, 48_000, 5.0, [0.1], 48)[0] for trades in (100, 2000)]
    assert frequent[0] < frequent[1]


def test_a_run_of_before_tells_holding_times_in_bars(tmp_path):
    prices = made_up_prices(1500, frequency="30min")
    dataset = register(prices, symbol="T", timeframe="30m", home=tmp_path)
    assert usual_day(dataset, OptimizationContext(home=str(tmp_path))) == 48
    assert usual_day(dataset, OptimizationContext(home=str(tmp_path), intraday="bars")) == 1


@pytest.mark.parametrize(
    ("lead", "more", "expected"),
    [(LEAST_LEAD, 0, False), (LEAST_LEAD * 1.1, 0, True), (LEAST_LEAD * 1.1, 1, False), (0.6, 1, True)],
)
def test_a_lead_within_the_noise_of_the_ranking_changes_no_champion(lead, more, expected):
    assert leads(2.0 + lead, 2.0, more) is expected


def adjust(base, parameter="d"):
    change = {"kind": "param_adjustment", "parameter": parameter, "value": 3}
    return Proposal.model_validate({"hypothesis": 0, "base": base, "change": change})


def test_a_proposal_may_change_any_candidate(run):
    _, state, _ = run
    evidence = gather_evidence(state, 3)
    fast = next(entry for entry in evidence.archive if "fast_period" in entry["spec"]["params"])
    usable, refused = sorted_by(evidence, [adjust(fast["number"], "fast_period")], "en")
    assert not refused
    (found,) = usable
    assert found["spec"]["params"] == {**fast["spec"]["params"], "fast_period": 3}
    assert found["sentence"].startswith(f"Candidate C{fast['number']} {fast['family']}: ")


@pytest.mark.parametrize(("language", "said"), [("en", "no candidate 12"), ("fr", "pas de candidat 12")])
def test_a_candidate_that_does_not_exist_is_refused(run, language, said):
    _, state, _ = run
    evidence = gather_evidence(state, 3)
    evidence = replace(evidence, archive=evidence.archive[:3])
    _, refused = sorted_by(evidence, [adjust(12)], language)
    assert said in refused[0]["reason_refused"]


def test_rules_propose_changes_of_several_candidates(run):
    _, _, events = run
    bases = [event["data"]["base"] for event in events if event["kind"] == "proposal"]
    assert 0 in bases
    assert len({base for base in bases if base}) >= 2


def test_roles_are_shown_the_candidates_and_may_cite_them(run):
    _, state, _ = run
    evidence = gather_evidence(state, 3)
    named = [item for item in evidence.items if item["name"] == "candidate"]
    assert [item["id"] for item in named] == [f"C{entry['number']}" for entry in state["archive"]]
    assert {item["id"] for item in named} <= set(evidence.ids)


def test_no_significance_is_asked_for_inside_the_search(run):
    _, _, events = run
    tested = [event["data"] for event in events if event["node"] == "backtest_variant"]
    assert tested
    assert all(variant["p_value"] is None for variant in tested)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_your_strategy_is_told_beside_the_best_found(run, language):
    home, state, _ = run
    result = RunRecord(home, state["run_id"]).run_result()
    words = Words(language)
    told = " ".join(population_lines(result, words))
    own = next(entry for entry in result["archive"] if entry["given_first"])
    assert words.number(own["excess_t"]) in told
    assert words.number(state["champion"]["excess_t"]) in told
    assert "weekday" in told
    assert "ma_crossover" in told
    assert "--search single" in told
    head, rows = candidate_table(result["archive"], words)
    assert {len(row) for row in rows} == {len(head)}


def test_a_person_s_name_for_a_strategy_is_no_family(tmp_path):
    own = StrategySpec(
        name="AAPL secret", entry_long="close > sma(close, 30)", exit_long="close < sma(close, 30)"
    )
    state, events = run_graph(
        tmp_path,
        prices=weekly(900),
        search="population",
        max_iterations=1,
        given={"params": {}, "spec": own.model_dump(mode="json")},
    )
    items = [event["data"] for event in events if event["kind"] == "evidence"]
    assert "secret" not in json.dumps(items)
    assert [entry["family"] for entry in state["archive"] if entry["given_first"]] == ["own"]


def test_a_single_champion_is_searched_without_a_survey(tmp_path):
    state, events = run_graph(tmp_path, max_iterations=1)
    assert "archive" not in state["result"]
    assert not [event for event in events if event["kind"] == "survey"]


def test_a_run_of_an_earlier_version_had_one_champion(run, tmp_path):
    home, state, _ = run
    about = RunRecord(home, state["run_id"]).about()
    for name in ("search", "ranges", "gate", "intraday"):
        del about["context"][name]
    folder = tmp_path / "runs" / "old"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    then = RunRecord(tmp_path, "old").about()["context"]
    assert {name: then[name] for name in ("search", "ranges", "gate", "intraday")} == {
        "search": "single",
        "ranges": "thinned",
        "gate": "sharpe",
        "intraday": "bars",
    }
