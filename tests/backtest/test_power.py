"""What a judgement could have seen, against the verdict itself on made-up results."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backtest.statistics.returns import Moments
from backtest.validation.power import (
    SLAB,
    SOME,
    USEFUL,
    Evidence,
    edge,
    excludes_useful,
    power,
    sight,
    years_needed,
)
from backtest.validation.verdict import Search, decide
from tests.laws import cases

BARS = 252


def evidence(years=5.0, independent=20.0, opening=1):
    return Evidence(
        development_years=0.8 * years, holdout_years=0.2 * years, opening=opening, independent=independent
    )


def judged(inside, outside, known):
    """The verdict on these t-statistics, the search being so many independent trials."""
    part = [
        Moments(n_observations=bars, mean=0, deviation=1, sharpe=t / math.sqrt(bars), skew=0.0, kurtosis=3.0)
        for t, bars in (
            (inside, round(BARS * known.development_years)),
            (outside, round(BARS * known.holdout_years)),
        )
    ]
    chance = -math.expm1(known.independent * stats.norm.logcdf(inside))
    search = Search(trials=round(known.independent), sharpe_variance=0.0, familywise_p=chance)
    return decide(
        development=part[0], holdout=part[1], search=search, opening=known.opening, trades=100, findings=()
    ).value  # fmt: skip


@pytest.mark.parametrize("known", [evidence(), evidence(20.0, 300.0, 2), evidence(3.0, 1.0, 5)])
@pytest.mark.parametrize("ratio", [0.0, 1.0, 2.0, 3.0])
def test_power_is_the_share_of_edges_that_the_verdict_believes(known, ratio):
    random = np.random.default_rng(5)
    tries = 1_500
    centres = ratio * math.sqrt(known.development_years), ratio * math.sqrt(known.holdout_years)
    drawn = random.normal(centres, 1.0, (tries, 2)).tolist()
    believed = sum(judged(*one, known) in ("real", "promising") for one in drawn)
    expected = power(ratio, known)
    noise = 4 * math.sqrt(expected * (1 - expected) / tries) + 0.002
    assert believed / tries == pytest.approx(expected, abs=noise)


@settings(max_examples=cases(30), deadline=None)
@given(
    ratio=st.floats(0.0, 3.0),
    years=st.floats(1.0, 40.0),
    independent=st.floats(1.0, 1e7),
    opening=st.integers(1, 12),
)
def test_longer_and_less_searched_sees_more(ratio, years, independent, opening):
    found = power(ratio, evidence(years, independent, opening))
    assert 0.0 <= found <= 1.0
    slack = 1e-6
    assert power(ratio + 0.3, evidence(years, independent, opening)) >= found - slack
    assert power(ratio, evidence(years, 2 * independent, opening)) <= found + slack
    assert power(ratio, evidence(years, independent, opening + 1)) <= found + slack
    if opening > 10:
        assert found == 0.0


def test_the_years_needed_are_those_with_four_in_five():
    known = evidence(5.0, 50.0)
    years = years_needed(1.0, known)
    assert power(1.0, evidence(years, 50.0)) == pytest.approx(0.8, abs=0.01)
    assert years_needed(2.0, known) < years
    assert years_needed(0.05, known) is None


@pytest.mark.parametrize("independent", [1, 30, 300])
def test_what_is_expected_is_what_comes_out(independent):
    # Searches of which every second holds one edge; the best is chosen, and seen once more.
    random = np.random.default_rng(6)
    known, searches = evidence(5.0, float(independent)), 4_000
    roots = math.sqrt(known.development_years), math.sqrt(known.holdout_years)
    true = np.zeros((searches, independent))
    true[:, 0] = random.normal(0.0, SLAB, searches) * (random.random(searches) < SOME)
    inside = true + random.standard_normal(true.shape) / roots[0]
    best = inside.argmax(axis=1)
    inside, true = inside[np.arange(searches), best], true[np.arange(searches), best]
    outside = true + random.standard_normal(searches) / roots[1]
    found = [edge(*one, known) for one in zip(inside.tolist(), outside.tolist(), strict=True)]
    expected = np.array([one.expected for one in found])
    assert expected.mean() == pytest.approx(true.mean(), abs=0.04)
    # Also where much is expected, and where little is.
    for part in (expected > 0.8, expected < 0.1):
        assert expected[part].mean() == pytest.approx(true[part].mean(), abs=0.12)
    assert np.mean([one.positive for one in found]) == pytest.approx((true > 0).mean(), abs=0.03)
    missed = [(truth < one.low, truth > one.high) for one, truth in zip(found, true, strict=True)]
    assert np.mean(missed, axis=0).max() <= 0.05 + 0.012


@pytest.mark.parametrize("years", [2.0, 20.0, 80.0])
def test_a_useful_edge_is_refuted_once_in_twenty_at_most(years):
    random = np.random.default_rng(7)
    known = evidence(years)
    noise = random.standard_normal((4_000, 2)) / np.sqrt([known.development_years, known.holdout_years])
    for true, share in ((USEFUL, 0.05), (0.0, None)):
        found = np.mean([excludes_useful(*one, known) for one in (true + noise).tolist()])
        if share is not None:
            assert found == pytest.approx(share, abs=0.012)
        elif years > 50:
            assert found > 0.9


def test_nothing_on_a_long_history_is_refuted_and_on_a_short_one_undecided():
    assert sight(0.1, -0.2, evidence(40.0, 5.0)).outcome == "refuted"
    assert sight(0.1, -0.2, evidence(1.0, 5.0)).outcome == "undecided"
    assert sight(2.5, 2.0, evidence(10.0, 5.0)).outcome == "undecided"


def test_a_search_that_finds_what_luck_would_is_expected_to_hold_nothing():
    small = edge(1.2, 0.0, evidence(5.0, 300.0))
    assert abs(small.expected) < 0.05
    assert (small.low, small.high) == (0.0, 0.0)
    strong = edge(3.4, 2.0, evidence(5.0, 300.0))
    assert strong.expected == pytest.approx(edge(3.4, 2.0, evidence(5.0, 1.0)).expected, abs=0.05)
