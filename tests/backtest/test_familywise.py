"""The chance of the best of many trials: against theory, whatever its size, and for what is only counted."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from backtest.statistics.overfitting import Unseen, familywise_p_value
from tests.laws import cases, combined, pairs

BLOCKS = 256
NEAR = 0.25
"""Twice the noise of the resampling, as a share of a p-value."""


def related(trials, correlation, seed, *, blocks=BLOCKS):
    """Normal returns over blocks, every pair correlated as told, exactly; t-statistics are 0."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((blocks, trials + 1))
    table -= table.mean(axis=0)
    table, _ = np.linalg.qr(table)
    table *= math.sqrt(blocks - 1)
    return math.sqrt(correlation) * table[:, :1] + math.sqrt(1.0 - correlation) * table[:, 1:]


def p_of(table, t, *, seed=1, **options):
    """The p-value of the first trial, lifted to this t-statistic."""
    lifted = table.copy()
    lifted[:, 0] += t * table[:, 0].std(ddof=1) / math.sqrt(len(table))
    return familywise_p_value(lifted, 0, np.random.default_rng(seed), **options)


def theory(trials, correlation, t):
    """P(the largest of equally correlated standard normals reaches t)."""

    def beyond(common):
        least = (t - math.sqrt(correlation) * common) / math.sqrt(1.0 - correlation)
        return stats.norm.pdf(common) * -math.expm1(trials * stats.norm.logcdf(least))

    return integrate.quad(beyond, -10, 12, points=[0.0, t], limit=400)[0]


@pytest.mark.parametrize(
    ("trials", "t", "correlation"), pairs((1, 20, 150), (1.0, 2.5, 4.0, 6.0), (0.0, 0.5, 0.9, 0.99))
)
def test_it_is_that_of_theory_however_small(trials, t, correlation):
    # Normal returns over 256 blocks are resampled with nearly normal means, their tails a little thinner.
    expected = theory(trials, correlation, t)
    assert p_of(related(trials, correlation, 3), t) == pytest.approx(expected, rel=0.6 if t > 5 else NEAR)


@settings(max_examples=cases(4), deadline=None)
@given(
    seed=st.integers(0, 10_000),
    trials=st.integers(2, 30),
    copies=st.integers(1, 300),
    noise=st.sampled_from([0.0, 1e-4, 1e-2]),
    t=st.floats(0.0, 7.0),
)
def test_copies_and_noise_variants_of_what_was_tried_cost_next_to_nothing(seed, trials, copies, noise, t):
    random = np.random.default_rng(seed)
    table = random.standard_normal((BLOCKS, trials))
    table -= table.mean(axis=0)
    chosen = random.integers(0, trials, copies)
    again = table[:, chosen] + noise * random.standard_normal((BLOCKS, copies))
    again -= again.mean(axis=0)
    before, after = p_of(table, t), p_of(np.column_stack([table, again]), t)
    assert after <= before * (1.0 + NEAR + 20.0 * noise)
    assert after >= before * (1.0 - NEAR)


@settings(max_examples=cases(4), deadline=None)
@given(
    seed=st.integers(0, 10_000), trials=st.integers(1, 60), more=st.integers(1, 150), t=st.floats(2.0, 7.0)
)
def test_unrelated_trials_cost_what_theory_says(seed, trials, more, t):
    # Nothing of unrelated trials reaches t where nothing of one part does and nothing of the other. Two
    # columns tell little of the tails of a hundred others, so that each part is asked itself.
    table = related(trials + more, 0.0, seed)
    parts = (table[:, :trials], table[:, trials:])
    apart = sum(math.log1p(-min(p_of(part, t), 0.999)) for part in parts)
    assert math.log1p(-min(p_of(table, t), 0.999)) == pytest.approx(apart, rel=2 * NEAR)


@pytest.mark.parametrize(("t", "count"), combined((3.5, 6.0, 8.0), (1_000, 1_320_000)))
def test_what_was_not_compared_costs_as_much_as_what_was_drawn_of_it(t, count):
    unrelated, copies = related(200, 0.0, 5), related(200, 0.9999, 5)
    drawn = Unseen(count=count, columns=range(200))
    assert p_of(unrelated, t, unseen=[drawn]) == pytest.approx(
        min(1.0, p_of(unrelated, t) * (200 + count) / 200), rel=NEAR
    )
    assert p_of(copies, t, unseen=[drawn]) <= min(1.0, p_of(copies, t) * (1.0 + 0.08 * count / 200))
    # Of a search of which nothing was drawn nobody knows that it holds copies.
    for nothing in (Unseen(count=count), Unseen(count=count, columns=range(5))):
        assert p_of(copies, t, unseen=[nothing]) == pytest.approx(
            min(1.0, p_of(copies, t) + count * p_of(copies[:, :1], t)), rel=NEAR
        )


def test_a_million_near_copies_do_not_end_all_belief():
    # An excess Sharpe ratio of 3.4 over five years, and a sweep of 1.32 million crossovers beside it.
    random = np.random.default_rng(8)
    days = random.standard_normal((BLOCKS, 6))
    places = random.random((256, 6)) ** 4
    table = np.column_stack(
        [random.standard_normal(BLOCKS), days @ (places / places.sum(axis=1, keepdims=True)).T]
    )
    table -= table.mean(axis=0)
    sweep = Unseen(count=1_320_000 - 256, columns=range(1, 257))
    assert p_of(table, 3.4 * math.sqrt(5), unseen=[sweep]) < 1e-6
    assert p_of(table, 0.5 * math.sqrt(5), unseen=[sweep]) > 0.5


@settings(max_examples=cases(4), deadline=None)
@given(seed=st.integers(0, 10_000), t=st.floats(-3.0, 9.0), count=st.integers(0, 10_000_000))
def test_it_is_a_chance_and_more_trials_never_help(seed, t, count):
    table = related(40, 0.3, seed)
    found = p_of(table, t)
    assert 0.0 < found <= 1.0
    assert found <= p_of(table, t, unseen=[Unseen(count=count, columns=range(40))]) <= 1.0
    assert found <= p_of(table, t, unseen=[Unseen(count=count)]) <= 1.0


def test_skewed_returns_are_resampled_as_they_are():
    # Far out the tail of a skewed mean is not the normal one: a long plain bootstrap is the reference.
    random = np.random.default_rng(4)
    table = random.exponential(1.0, (60, 3))
    table -= table.mean(axis=0)
    t = 3.3
    long = random.multinomial(60, np.full(60, 1 / 60), size=100_000) @ table / 60
    reached = (long / (table.std(axis=0, ddof=1) / math.sqrt(60))).max(axis=1) >= t
    assert p_of(table, t) == pytest.approx(reached.mean(), rel=NEAR)
    assert reached.mean() > 1.8 * stats.norm.sf(t) * 3


def test_what_no_resample_reaches_has_the_resolution_of_the_draws():
    steady = 1.0 + 1e-6 * np.random.default_rng(0).standard_normal((30, 4))
    assert familywise_p_value(steady, 2, np.random.default_rng(1)) == pytest.approx(1 / 4_001)
