"""Scores against an independent count, baselines, weights that follow the record, nothing from the future."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.ensemble.scores.outcomes import NEGATIVE, NEUTRAL, POSITIVE, MarketHistory, read_history
from nodes.ensemble.scores.scoring import Scorer, brier, likeliest
from nodes.ensemble.scores.stances import stances_path
from nodes.ensemble.scores.track_record import (
    LIMITS,
    factor,
    is_due,
    keep_standing,
    standing_as_of,
    standing_path,
)
from providers.calls_log import read_lines

BEGIN = pd.Timestamp("2022-01-01")
DAYS = 700


def prices(seed=1, days=DAYS, planted=None):
    """Daily closes by a random walk; `planted` replaces them from that day on."""
    moves = np.random.default_rng(seed).normal(0.0, 0.01, days)
    close = 100.0 * np.exp(np.cumsum(moves))
    if planted is not None:
        close[planted:] = 1e6
    return pd.Series(close, index=pd.date_range(BEGIN, periods=days))


def market(series):
    return MarketHistory(series.index.to_numpy().astype("datetime64[D]"), series.to_numpy())


def hour(day, at=12):
    return (BEGIN + pd.Timedelta(days=day, hours=at)).to_pydatetime().replace(tzinfo=UTC)


def line(when, shares, *, live=True, model="ollama:m", voice="technical"):
    return {
        "hour": f"{when:%Y%m%d%H}",
        "live": live,
        "voices": {voice: {"model": model, "7d": shares, "30d": shares}},
    }


def test_brier_of_hand():
    assert brier([0.5, 0.3, 0.2], POSITIVE) == pytest.approx(0.25 + 0.09 + 0.04)
    assert brier([0, 1, 0], NEUTRAL) == 0.0
    assert brier([1, 0, 0], NEGATIVE) == 2.0


@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3))
def test_the_truth_has_the_best_expected_brier(masses):
    truth = np.array(masses) / sum(masses)
    voices = (truth, [1 / 3] * 3, [0, 1, 0])
    expected = [sum(p * brier(said, k) for k, p in enumerate(truth)) for said in voices]
    assert expected[0] == min(expected)


def test_of_equal_probabilities_neutral_is_the_likeliest():
    assert likeliest([0.4, 0.4, 0.2]) == NEUTRAL
    assert likeliest([0.4, 0.2, 0.4]) == POSITIVE


def test_a_days_close_is_known_from_the_next_midnight_on():
    history = market(prices())
    assert history.days[history.known(hour(100, 23))] == np.datetime64("2022-04-10")
    assert history.days[history.known(hour(101, 0))] == np.datetime64("2022-04-11")


def test_outcome_against_a_slow_count():
    series = prices()
    history = market(series)
    for day in range(120, 600, 37):
        for horizon, length in (("7d", 7), ("30d", 30)):
            found = history.outcome(hour(day), horizon, hour(day + length))
            known = series.iloc[:day]  # the day's own close is not known at noon
            past = [
                known.iloc[place + length] / known.iloc[place] - 1 for place in range(len(known) - length)
            ]
            size = 0.5 * np.std(past[-365:], ddof=1)
            move = series.iloc[day + length - 1] / series.iloc[day - 1] - 1
            assert found.move == pytest.approx(move)
            assert found.threshold == pytest.approx(size)
            assert found.outcome == (POSITIVE if move > size else NEGATIVE if move < -size else NEUTRAL)
            counts = np.array(
                [sum(m > size for m in past), sum(abs(m) <= size for m in past), sum(m < -size for m in past)]
            )
            assert found.climatology == pytest.approx((counts + 1) / (counts.sum() + 3))


def test_before_the_horizon_has_fully_passed_there_is_no_score():
    history = market(prices())
    end = hour(207)
    assert history.outcome(hour(200), "7d", end - timedelta(hours=1)) is None
    assert history.outcome(hour(200), "7d", end) is not None


def test_without_prices_near_the_end_there_is_no_score():
    history = market(prices(days=300))
    assert history.outcome(hour(290), "30d", hour(400)) is None


def test_weekends_without_prices_are_no_gap():
    series = prices()
    history = market(series[series.index.day_of_week < 5])
    sunday = datetime(2023, 3, 5, 12, tzinfo=UTC)
    found = history.outcome(sunday, "7d", sunday + timedelta(days=7))
    weekdays = series[series.index.day_of_week < 5]
    assert found.move == pytest.approx(weekdays["2023-03-10"] / weekdays["2023-03-03"] - 1)


def test_scores_against_a_slow_count():
    history, rng = market(prices()), np.random.default_rng(5)
    hours = [hour(day, at) for day in range(150, 400) for at in (0, 12)]
    said = {when: rng.dirichlet([2, 2, 2]).tolist() for when in hours}
    scorer = Scorer(history)
    scorer.add(line(when, said[when]) for when in hours)
    as_of = hour(380)
    scorer.advance(as_of)
    row = next(row for row in scorer.rows() if row["horizon"] == "7d")
    done = [(said[when], history.outcome(when, "7d", as_of)) for when in hours]
    done = [(shares, found) for shares, found in done if found]
    assert row["n"] == len(done) == sum(when + timedelta(days=7) <= as_of for when in hours)
    assert row["windows"] == (as_of - hours[0]) // timedelta(days=7)
    one_hot = np.eye(3)
    truth = np.array([one_hot[found.outcome] for _, found in done])
    shares = np.array([shares for shares, _ in done])
    climate = np.array([found.climatology for _, found in done])
    assert row["brier"] == pytest.approx(((shares - truth) ** 2).sum(axis=1).mean(), abs=1e-4)
    assert row["brier_climatology"] == pytest.approx(((climate - truth) ** 2).sum(axis=1).mean(), abs=1e-4)
    assert row["brier_no_change"] == pytest.approx(((one_hot[1] - truth) ** 2).sum(axis=1).mean(), abs=1e-4)
    assert row["hit_rate"] == pytest.approx((shares.argmax(axis=1) == truth.argmax(axis=1)).mean(), abs=1e-4)
    assert row["skill"] == pytest.approx(1 - row["brier"] / row["brier_climatology"], abs=1e-3)
    flat, happened = shares.ravel(), truth.ravel()
    bins = np.minimum((flat * 10).astype(int), 9)
    gap = sum(abs(flat[bins == b].sum() - happened[bins == b].sum()) for b in range(10)) / len(flat)
    assert row["calibration_error"] == pytest.approx(gap, abs=1e-4)
    assert sum(one["n"] for one in row["calibration"]) == len(flat)


def test_a_clairvoyant_gains_and_a_contrarian_loses_weight(tmp_path):
    history = market(prices())
    for voice, chosen in (("technical", 0), ("macro", 1)):
        scorer = Scorer(history)
        for day in range(150, 600):
            found = history.outcome(hour(day), "7d", hour(day + 7))
            shares = [0.05, 0.05, 0.05]
            shares[(found.outcome + chosen) % 3] = 0.9
            scorer.add([line(hour(day), shares, voice=voice)])
        scorer.advance(hour(650))
        factors = keep_standing(tmp_path / voice, hour(650), scorer)
        assert (factors[voice] > 1.5) == (chosen == 0)
        assert (factors[voice] < 0.7) == (chosen == 1)
        assert factors["sentiment"] == 1.0


@given(st.floats(-3, 1), st.integers(0, 1000))
def test_the_factor_is_shrunk_and_bounded(skill, windows):
    found = factor(skill, windows)
    assert LIMITS[0] <= found <= LIMITS[1]
    assert factor(skill, 0) == 1.0
    assert abs(np.log(factor(skill, 3))) <= abs(np.log(factor(skill, 300))) + 1e-3


def test_what_a_model_says_of_the_past_is_no_record(tmp_path):
    history = market(prices())
    found = {}
    for model in ("ollama:m", "rules"):
        scorer = Scorer(history)
        for day in range(150, 600):
            truth = history.outcome(hour(day), "7d", hour(day + 7)).outcome
            shares = [0.9 if k == truth else 0.05 for k in range(3)]
            scorer.add([line(hour(day), shares, live=False, model=model)])
        scorer.advance(hour(650))
        found[model] = keep_standing(tmp_path / model.replace(":", "_"), hour(650), scorer)["technical"]
    assert found["ollama:m"] == 1.0
    assert found["rules"] > 1.5


def test_a_run_reads_the_record_of_its_hour_and_no_later_one(tmp_path):
    scorer = Scorer(market(prices()))
    keep_standing(tmp_path, hour(100), scorer)
    path = standing_path(tmp_path)
    path.write_text(
        path.read_text(encoding="utf-8").replace('"technical":1.0', '"technical":2.0'), encoding="utf-8"
    )
    assert standing_as_of(tmp_path, hour(99))["technical"] == 1.0
    assert standing_as_of(tmp_path, hour(100))["technical"] == 2.0
    assert standing_as_of(tmp_path / "other", hour(100))["technical"] == 1.0
    assert not is_due(tmp_path, hour(100, 20))
    assert is_due(tmp_path, hour(101))
    assert is_due(tmp_path, hour(99))


def test_a_planted_future_changes_no_score_before_it():
    planted = 500
    tallies = []
    for series in (prices(), prices(planted=planted)):
        scorer = Scorer(market(series))
        scorer.add(line(hour(day), [0.5, 0.3, 0.2]) for day in range(150, 650))
        scorer.advance(hour(planted, 0))
        tallies.append(scorer.rows())
    assert tallies[0] == tallies[1]


def test_the_market_is_the_mean_of_the_price_files(tmp_path):
    for ticker, seed in (("A", 1), ("B", 2)):
        close = prices(seed)
        frame = pd.DataFrame({"date": close.index, "Open": close.values, "High": close.values * 1.01})
        frame = frame.assign(Low=close.values * 0.99, Close=close.values, Volume=1.0)
        folder = tmp_path / f"prices/ticker={ticker}"
        folder.mkdir(parents=True)
        frame.to_parquet(folder / "prices.parquet", index=False)
    found = read_history(tmp_path, tmp_path / "home")
    mean = (prices(1).pct_change() + prices(2).pct_change()).dropna() / 2
    assert np.diff(np.log(found.levels)) == pytest.approx(np.log1p(mean.to_numpy()[1:]))
    assert read_history(tmp_path / "home", tmp_path) is None
    assert not stances_path(tmp_path).exists()
    assert list(read_lines(stances_path(tmp_path))) == []
