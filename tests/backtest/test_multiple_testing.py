"""Haircuts, data-snooping tests, autocorrelation and clusters of trials, against other implementations."""

import math

import numpy as np
import pytest
from arch.bootstrap import SPA, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from backtest import RequestError
from backtest.statistics.overfitting import (
    adjusted_p_values,
    autocorrelation_adjusted_sharpe,
    data_snooping,
    effective_trials,
    haircut_sharpe_ratio,
    sharpe_ratio,
    unseen_clusters,
)
from tests.laws import cases

THEIR_NAMES = {"bonferroni": "bonferroni", "holm": "holm", "bhy": "fdr_by"}


def test_the_published_holm_example():
    # Harvey & Liu 2015, six p-values
    found = adjusted_p_values([0.005, 0.009, 0.0128, 0.0135, 0.045, 0.06], "holm")
    assert found == pytest.approx([0.03, 0.045, 0.0512, 0.0512, 0.09, 0.09], abs=5e-5)


def test_the_sharpe_ratio_over_a_benchmark():
    # esvhd/pypbo, tests/test_metrics.py
    returns = [0.259, 0.198, 0.364, -0.081, 0.057, 0.055, 0.188, 0.317, 0.24, 0.184, -0.01, 0.526]
    assert sharpe_ratio(returns, 0.05) == pytest.approx(0.834364, abs=1e-5)


@settings(max_examples=cases(12), deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.sampled_from(sorted(THEIR_NAMES)))
def test_adjusted_p_values_are_those_of_statsmodels(p_values, method):
    expected = multipletests(p_values, method=THEIR_NAMES[method])[1]
    assert adjusted_p_values(p_values, method) == pytest.approx(expected)


def test_a_haircut_takes_off_what_the_other_tests_cost():
    random = np.random.default_rng(0)
    table = random.normal(0.0, 0.01, (500, 40))
    table[:, 3] += 0.0018
    ratios = [sharpe_ratio(column) for column in table.T]
    theirs = [stats.ttest_1samp(column, 0.0).pvalue for column in table.T]
    for method in THEIR_NAMES:
        found = haircut_sharpe_ratio(ratios[3], 500, ratios, method)
        assert found.p_value == pytest.approx(theirs[3], rel=1e-6)
        expected = multipletests(theirs, method=THEIR_NAMES[method])[1][3]
        assert found.adjusted_p_value == pytest.approx(expected, rel=1e-6)
        assert 2 * stats.t.sf(found.sharpe * math.sqrt(500), 499) == pytest.approx(expected, rel=1e-6)
        assert found.haircut == pytest.approx(1 - found.sharpe / ratios[3])
    alone = haircut_sharpe_ratio(ratios[3], 500, [ratios[3]])
    assert alone.haircut == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=cases(6), deadline=None)
@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8),
    st.integers(0, 40),
    st.sampled_from(sorted(THEIR_NAMES)),
)
def test_tests_whose_outcome_is_not_known_count_as_worthless_ones(p_values, unknown, method):
    expected = multipletests([*p_values, *[1.0] * unknown], method=THEIR_NAMES[method])[1]
    found = adjusted_p_values(p_values, method, len(p_values) + unknown)
    assert found == pytest.approx(expected[: len(p_values)])


def test_a_haircut_grows_with_tests_that_are_only_counted():
    ratios = [0.2, 0.1, 0.05]
    known = haircut_sharpe_ratio(0.2, 500, ratios, "bonferroni")
    many = haircut_sharpe_ratio(0.2, 500, ratios, "bonferroni", n_tests=3_000)
    assert many.adjusted_p_value == pytest.approx(1_000 * known.adjusted_p_value)
    assert many.sharpe < known.sharpe


def test_a_ratio_worth_nothing_among_many_is_cut_to_nothing():
    ratios = [0.02, *np.linspace(-0.05, 0.015, 99)]
    assert haircut_sharpe_ratio(0.02, 500, ratios, "bonferroni").haircut == 1.0


@pytest.mark.parametrize(
    ("persistence", "form"), [(0.3, "sample"), (0.3, "ar1"), (-0.25, "sample"), (-0.25, "ar1")]
)
def test_dependent_returns_are_annualised_as_their_sums_are(persistence, form):
    # What annualising means: the ratio of sums of q bars, from so long a series that both are exact.
    random = np.random.default_rng(1)
    noise = random.normal(0.0, 0.01, 400_000)
    returns = np.empty_like(noise)
    returns[0] = noise[0]
    for t in range(1, len(noise)):
        returns[t] = persistence * returns[t - 1] + noise[t]
    returns += 0.0005 - returns.mean()
    sums = returns[: len(returns) // 12 * 12].reshape(-1, 12).sum(axis=1)
    found = autocorrelation_adjusted_sharpe(returns, 12, lags=8, form=form)
    assert found == pytest.approx(sums.mean() / sums.std(), rel=0.02)
    assert (found < sharpe_ratio(returns) * math.sqrt(12)) == (persistence > 0)


def test_independent_returns_are_annualised_by_the_root():
    returns = np.random.default_rng(2).normal(0.001, 0.01, 200_000)
    for form in ("sample", "ar1"):
        found = autocorrelation_adjusted_sharpe(returns, 252, lags=2, form=form)
        assert found == pytest.approx(sharpe_ratio(returns) * math.sqrt(252), rel=0.02)


def test_bets_are_counted_not_their_copies():
    random = np.random.default_rng(3)
    bets = random.normal(0.0005, 0.01, (400, 5))
    copies = np.repeat(bets, 8, axis=1) + random.normal(0.0, 0.003, (400, 40))
    found = effective_trials(np.column_stack([copies, np.zeros(400)]))
    assert (found.raw, found.effective) == (41, 5)
    assert found.labels.tolist() == [*np.repeat(np.arange(5), 8), -1]
    ratios = [sharpe_ratio(column) for column in copies.T]
    assert found.sharpe_variance == pytest.approx(np.var(ratios, ddof=1))
    assert found.cluster_variance == pytest.approx(
        np.var([sharpe_ratio(bet) for bet in bets.T], ddof=1), rel=0.2
    )


def test_what_was_not_compared_adds_as_many_bets_as_the_rest_suggests():
    random = np.random.default_rng(6)
    bets = random.normal(0.0, 0.01, (400, 6))
    # Six bets with many near copies each, three in four of which nobody can compare: still six.
    copies = np.repeat(bets, 20, axis=1) + random.normal(0.0, 0.002, (400, 120))
    assert effective_trials(copies, of=480).effective == 6
    # Trials of which none is like another: those not compared will be new bets as well.
    alone = random.normal(0.0, 0.01, (400, 40))
    assert effective_trials(alone, of=100).effective == 100
    assert effective_trials(alone, of=10_000).effective == 40 + 40 * 39 / 2
    # Drawn at random from a known number of bets, the estimate comes near it.
    labels = random.integers(0, 60, 80)
    seen = len(set(labels.tolist()))
    assert seen < 50
    assert seen + unseen_clusters(np.unique(labels, return_inverse=True)[1], 1_000) == pytest.approx(
        60, abs=12
    )


def test_unrelated_trials_are_all_counted_and_order_does_not_matter():
    table = np.random.default_rng(4).normal(0.0, 0.01, (300, 30))
    found, turned = effective_trials(table), effective_trials(table[:, ::-1])
    assert found.effective == turned.effective == 30
    assert found.cluster_variance == pytest.approx(found.sharpe_variance)


def test_trials_that_never_trade_are_no_bets():
    found = effective_trials(np.zeros((50, 4)))
    assert (found.raw, found.effective, found.sharpe_variance) == (4, 0, 0.0)


def test_snooping_is_seen_through_and_skill_is_not():
    random = np.random.default_rng(5)
    fooled = seen_through = 0
    for _ in range(60):
        noise = random.normal(0.0, 0.01, (200, 30))
        best = noise[:, noise.mean(axis=0).argmax()]
        fooled += stats.ttest_1samp(best, 0.0).pvalue < 0.10
        found = data_snooping(noise, random, replications=200)
        assert found.spa_lower <= found.spa_consistent <= found.spa_upper
        seen_through += min(found.spa_consistent, found.reality_check) >= 0.10
    # The best of 30 has a p-value below 10 % in 4 of 5 cases; the tests let pass 10 %, give or take 4.
    assert fooled > 40
    assert seen_through > 46
    skilled = random.normal(0.0, 0.01, (400, 50))
    skilled[:, 9] += 0.0025
    assert data_snooping(skilled, np.random.default_rng(6)).spa_consistent < 0.05
    # Against a benchmark that has the same skill nothing is left.
    against = data_snooping(skilled + 0.001, np.random.default_rng(6), benchmark=skilled[:, 9] + 0.001)
    assert against.spa_consistent > 0.10


@pytest.mark.parametrize(("rows", "trials", "persistence"), [(60, 1, 0.0), (200, 12, 0.5), (512, 40, -0.2)])
def test_p_values_of_snooping_are_those_of_arch(rows, trials, persistence):
    random = np.random.default_rng(rows)
    table = random.normal(0.0, 0.01, (rows, trials))
    for row in range(1, rows):
        table[row] += persistence * table[row - 1]
    table += np.linspace(-0.004, 0.001, trials)  # some far below what the consistent p-value recentres
    found = data_snooping(table, np.random.default_rng(3), replications=500)
    lengths = optimal_block_length(table)["stationary"].fillna(1.0)
    assert found.block_length == max(1, round(float(lengths.median())))
    seed = int(np.random.default_rng(3).integers(2**63))
    theirs = SPA(np.zeros(rows), -table, block_size=found.block_length, reps=500, seed=seed)
    theirs.compute()
    ours = {"lower": found.spa_lower, "consistent": found.spa_consistent, "upper": found.spa_upper}
    assert ours == pytest.approx(dict(theirs.pvalues), abs=1e-12)
    assert found.reality_check == found.spa_upper


def test_the_reality_check_is_the_bootstrap_that_white_describes():
    table = np.random.default_rng(7).normal(0.0003, 0.01, (120, 6))
    found = data_snooping(table, np.random.default_rng(8), replications=4000)
    random = np.random.default_rng(9)
    means = table.mean(axis=0)
    fresh = random.random((4000, 120)) < 1 / found.block_length
    begins = random.integers(120, size=(4000, 120))
    reached = 0
    for drawn, places in zip(fresh.tolist(), begins.tolist(), strict=True):
        at, bars = 0, []
        for step in range(120):
            at = places[step] if step == 0 or drawn[step] else (at + 1) % 120
            bars.append(at)
        reached += (table[bars].mean(axis=0) - means).max() > means.max()
    assert found.reality_check == pytest.approx(reached / 4000, abs=0.03)


def test_long_tables_are_summed_to_stretches():
    table = np.random.default_rng(10).normal(0.0, 0.01, (5000, 3))
    found = data_snooping(table, np.random.default_rng(11), replications=100)
    assert found.rows == 512


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: adjusted_p_values([], "holm"), "too_few_trials"),
        (lambda: adjusted_p_values([1.2], "holm"), "not_a_statistic"),
        (lambda: adjusted_p_values([0.2], "sidak"), "unknown_method"),
        (lambda: haircut_sharpe_ratio(-0.1, 100, [-0.1]), "not_a_statistic"),
        (lambda: haircut_sharpe_ratio(0.1, 100, [0.2]), "too_few_trials"),
        (lambda: effective_trials(np.zeros((5, 0))), "too_few_trials"),
        (lambda: effective_trials(np.full((5, 2), np.nan)), "not_a_statistic"),
        (lambda: data_snooping(np.zeros((100, 3)), np.random.default_rng(0)), "too_few_trials"),
        (lambda: data_snooping(np.zeros((10, 3)), np.random.default_rng(0)), "too_few_observations"),
        (lambda: autocorrelation_adjusted_sharpe([0.1, 0.2], 12), "too_few_observations"),
    ],
)
def test_what_makes_no_sense_is_refused(call, code):
    with pytest.raises(RequestError) as caught:
        call()
    assert caught.value.code == code


@pytest.mark.parametrize("replications", [99, 400])
def test_of_so_many_resamples_none_is_no_chance_of_zero(replications):
    """The certain case: what every bar gains, no resample of it reaches by chance."""
    certain = np.random.default_rng(2).normal(0.05, 0.001, (200, 3))
    found = data_snooping(certain, np.random.default_rng(3), replications=replications)
    assert found.spa_consistent == found.reality_check == 1.0 / (replications + 1)
