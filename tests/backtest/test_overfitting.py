"""Overfitting statistics against published figures and slow references."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from backtest import RequestError
from backtest.statistics.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    observed_false_discovery_rate,
    planned_false_discovery_rate,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
    sharpe_ratio_power,
    sharpe_standard_error,
)
from tests.laws import cases

MONTHLY = {"skew": -2.448, "kurtosis": 10.164}
HEDGE_FUND = 0.036 / 0.079

PUBLISHED = [
    # López de Prado, Lipton & Zoonekynd 2025 (SSRN 5520741), asserts of the authors' code
    pytest.param(lambda: sharpe_standard_error(HEDGE_FUND, 24, **MONTHLY), 0.329, 5e-4, id="standard error"),
    pytest.param(
        lambda: probabilistic_sharpe_ratio(HEDGE_FUND, 24, **MONTHLY, form="2025"), 0.987, 5e-4, id="psr 2025"
    ),
    pytest.param(lambda: 1 - sharpe_ratio_power(0.5, 24, **MONTHLY), 0.315, 5e-4, id="chance of a miss"),
    pytest.param(lambda: planned_false_discovery_rate(0.05, 0.05, 0.685), 0.581, 5e-4, id="pfdr"),
    pytest.param(
        lambda: observed_false_discovery_rate(HEDGE_FUND, 0.5, 24, 0.05, **MONTHLY), 0.306, 5e-4, id="ofdr"
    ),
    # Bailey & López de Prado 2012, Journal of Risk 15(2)
    pytest.param(lambda: probabilistic_sharpe_ratio(HEDGE_FUND, 24, **MONTHLY), 0.913, 5e-4, id="psr 2012"),
    pytest.param(
        lambda: minimum_track_record_length(2 / 12**0.5, benchmark=1 / 12**0.5) / 12,
        3.24,
        5e-3,
        id="track record, normal",
    ),
    pytest.param(
        lambda: minimum_track_record_length(2 / 12**0.5, -0.72, 5.78, benchmark=1 / 12**0.5) / 12,
        4.99,
        5e-3,
        id="track record, hedge funds",
    ),
    # Bailey & López de Prado 2014, Journal of Portfolio Management 40(5): 250 days a year
    pytest.param(
        lambda: deflated_sharpe_ratio(2.5 / 250**0.5, 1250, -3, 10, 100, 0.5 / 250),
        0.9004,
        5e-5,
        id="dsr 100",
    ),
    pytest.param(
        lambda: deflated_sharpe_ratio(2.5 / 250**0.5, 1250, 0, 3, 88, 0.5 / 250), 0.9505, 5e-5, id="dsr 88"
    ),
    # Bailey, Borwein, López de Prado & Zhu 2014, Notices of the AMS 61(5)
    pytest.param(lambda: expected_maximum_sharpe(10), 1.57, 5e-3, id="maximum of ten"),
    pytest.param(lambda: minimum_backtest_length(45), 5.0, 5e-3, id="45 trials need five years"),
]


@pytest.mark.parametrize(("figure", "published", "tolerance"), PUBLISHED)
def test_published_figures_are_reproduced(figure, published, tolerance):
    assert figure() == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize("n_trials", [5, 50, 1000])
def test_the_expected_maximum_is_near_the_exact_integral(n_trials):
    def density(x):
        return x * n_trials * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n_trials - 1)

    exact, _ = integrate.quad(density, -10, 10)
    assert expected_maximum_sharpe(n_trials) == pytest.approx(exact, rel=0.03)


@settings(max_examples=cases(60), deadline=None)
@given(
    sharpe=st.floats(0.01, 0.5),
    benchmark=st.floats(-0.2, 0.0),
    skew=st.floats(-1.0, 1.0),
    kurtosis=st.floats(2.5, 9.0),
    confidence=st.floats(0.6, 0.99),
    form=st.sampled_from(["2012", "2025"]),
)
def test_the_minimum_length_is_where_the_probability_reaches_the_confidence(
    sharpe, benchmark, skew, kurtosis, confidence, form
):
    length = minimum_track_record_length(sharpe, skew, kurtosis, benchmark, confidence, form)
    for n_observations in (math.floor(length), math.ceil(length)):
        if n_observations >= 2:
            found = probabilistic_sharpe_ratio(sharpe, n_observations, skew, kurtosis, benchmark, form)
            assert found >= confidence - 1e-9 if n_observations >= length else found <= confidence + 1e-9


def test_a_ratio_below_the_benchmark_never_gets_there():
    assert minimum_track_record_length(0.1, benchmark=0.2) == math.inf


def test_more_trials_deflate_more():
    deflated = [deflated_sharpe_ratio(0.1, 1000, 0, 3, n, 0.002) for n in (1, 10, 100, 1000)]
    assert deflated == sorted(deflated, reverse=True)
    assert deflated[0] == probabilistic_sharpe_ratio(0.1, 1000)


def slow_logits(table, n_blocks):
    """CSCV word by word: concatenate the blocks, compute each Sharpe ratio, rank with scipy."""
    blocks = np.array_split(table, n_blocks)
    logits = []
    for half in combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[i] for i in half])
        outside = np.concatenate([blocks[i] for i in range(n_blocks) if i not in half])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1))
        ranks = stats.rankdata(outside.mean(axis=0) / outside.std(axis=0, ddof=1))
        relative = ranks[best] / (table.shape[1] + 1)
        logits.append(math.log(relative / (1 - relative)))
    return np.array(logits)


@pytest.mark.parametrize(
    ("seed", "trials", "offset"), [(0, 2, 0.0), (1, 7, 0.0), (2, 25, 0.001), (3, 10, 0.05)]
)
def test_cscv_agrees_with_a_slow_reference(seed, trials, offset):
    table = np.random.default_rng(seed).normal(offset, 0.01, (480, trials))
    found = probability_of_backtest_overfitting(table, n_blocks=8)
    expected = slow_logits(table, 8)
    np.testing.assert_allclose(found.logits, expected, atol=1e-12)
    assert found.pbo == pytest.approx((expected <= 0).mean())
    assert found.n_splits == 70


def test_columns_without_a_mean_are_overfit_for_certain():
    # The construction of the CRAN package pbo's vignette, which prints 1: what is won inside is lost outside.
    t, n = np.arange(480)[:, None], np.arange(8)[None, :]
    table = (
        0.01 * np.sin(0.37 * (t + 1) * (n + 1) + 0.11 * n**2)
        + 0.0004 * (n - 3)
        + 0.003 * np.cos(0.05 * t * (n % 3 + 1))
    )
    assert probability_of_backtest_overfitting(table - table.mean(axis=0)).pbo == 1.0


def test_a_trial_that_is_truly_better_is_not_overfit():
    table = np.random.default_rng(5).normal(0.0, 0.01, (960, 20))
    table[:, 7] += 0.01
    assert probability_of_backtest_overfitting(table).pbo == 0.0


def test_noise_is_overfit_about_half_of_the_time():
    found = [
        probability_of_backtest_overfitting(
            np.random.default_rng(seed).normal(0, 0.01, (400, 20)), n_blocks=8
        ).pbo
        for seed in range(40)
    ]
    assert 0.35 < np.mean(found) < 0.65


def test_trials_that_never_move_score_nothing():
    table = np.zeros((64, 3))
    table[:, 0] = np.random.default_rng(0).normal(0.01, 0.01, 64)
    assert probability_of_backtest_overfitting(table, n_blocks=4).pbo == 0.0


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: probabilistic_sharpe_ratio(math.nan, 10), "not_a_statistic"),
        (lambda: probabilistic_sharpe_ratio(0.1, 1), "too_few_observations"),
        (lambda: probabilistic_sharpe_ratio(1.0, 10, skew=3.0, kurtosis=1.0), "impossible_moments"),
        (lambda: expected_maximum_sharpe(0), "too_few_trials"),
        (lambda: expected_maximum_sharpe(3, -1.0), "not_a_statistic"),
        (lambda: minimum_track_record_length(0.1, confidence=1.0), "not_a_statistic"),
        (lambda: minimum_backtest_length(5, 0.0), "not_a_statistic"),
        (lambda: probability_of_backtest_overfitting(np.zeros((64, 1))), "too_few_trials"),
        (lambda: probability_of_backtest_overfitting(np.zeros((10, 3))), "too_few_observations"),
        (lambda: probability_of_backtest_overfitting(np.zeros((64, 3)), n_blocks=5), "bad_blocks"),
        (lambda: probability_of_backtest_overfitting(np.full((64, 3), np.nan)), "not_a_statistic"),
    ],
)
def test_what_makes_no_sense_is_refused(call, code):
    with pytest.raises(RequestError) as caught:
        call()
    assert caught.value.code == code


@given(
    ratio=st.floats(0.01, 0.4),
    count=st.integers(24, 5_000),
    prior=st.floats(0.01, 0.9),
    significance=st.floats(0.001, 0.3),
)
@settings(max_examples=cases(60))
def test_what_is_observed_at_the_critical_value_is_what_was_planned(ratio, count, prior, significance):
    """A Sharpe ratio just at the edge of the test is as telling as the test itself."""
    critical = stats.norm.isf(significance) / count**0.5
    planned = planned_false_discovery_rate(
        prior, significance, sharpe_ratio_power(ratio, count, significance=significance)
    )
    assert observed_false_discovery_rate(critical, ratio, count, prior) == pytest.approx(planned, rel=1e-9)


def test_shares_of_false_discoveries_are_those_of_a_simulation():
    """Half a million tests of 120 normal returns, one idea in ten with an edge."""
    draws = np.random.default_rng(20261129)
    ratio, count, prior = 0.2, 120, 0.1
    edged = draws.random(500_000) < prior
    seen = draws.normal(
        np.where(edged, ratio, 0.0), np.where(edged, (1 + ratio**2 / 2) ** 0.5, 1.0) / count**0.5
    )
    called = seen > stats.norm.isf(0.05) / count**0.5
    power = sharpe_ratio_power(ratio, count)
    assert called[edged].mean() == pytest.approx(power, abs=0.01)
    assert (~edged)[called].mean() == pytest.approx(
        planned_false_discovery_rate(prior, 0.05, power), abs=0.01
    )
    beyond = seen > 0.25
    told = observed_false_discovery_rate(0.25, ratio, count, prior)
    assert (~edged)[beyond].mean() == pytest.approx(told, abs=0.01)


def test_a_ratio_beyond_every_tail_leaves_no_doubt_and_no_impossible_figure():
    assert observed_false_discovery_rate(3.0, 0.2, 5_000, 0.01) == pytest.approx(0.0, abs=1e-12)
    assert observed_false_discovery_rate(-3.0, 0.2, 5_000, 0.25) == pytest.approx(0.75)
    for call in (
        lambda: observed_false_discovery_rate(0.1, 0.0, 100, 0.1),
        lambda: observed_false_discovery_rate(0.1, 0.2, 100, 1.0),
        lambda: planned_false_discovery_rate(0.1, 0.05, 1.5),
        lambda: sharpe_ratio_power(0.1, 100, significance=0.0),
    ):
        with pytest.raises(RequestError) as caught:
            call()
        assert caught.value.code == "not_a_statistic"
