"""The stationary bootstrap against arch, a slow reference, and what it must find on made-up series."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from empyrical import cagr, calmar_ratio, max_drawdown, sharpe_ratio, sortino_ratio

from backtest import RequestError
from backtest.statistics.bootstrap import (
    block_length,
    block_lengths,
    paired_difference,
    resample,
    return_intervals,
    trade_intervals,
)


def autocorrelated(size, seed, persistence=0.4, mean=0.0005):
    random = np.random.default_rng(seed)
    noise = random.normal(0.0, 0.01, size)
    found = np.empty(size)
    found[0] = noise[0]
    for t in range(1, size):
        found[t] = persistence * found[t - 1] + noise[t]
    return found + mean


RETURNS = autocorrelated(500, 1)


def test_block_lengths_are_those_of_arch_and_the_longest_column_counts():
    other = autocorrelated(500, 2, persistence=0.8)
    expected = optimal_block_length(np.column_stack([RETURNS, other]))["stationary"]
    assert block_length(RETURNS) == pytest.approx(expected[0])
    assert block_length(np.column_stack([RETURNS, other])) == pytest.approx(expected.max())
    assert block_length(np.zeros(50)) == 1.0


@pytest.mark.parametrize("persistence", [-0.6, -0.1, 0.0, 0.3, 0.95])
@pytest.mark.parametrize("size", [10, 11, 25, 64, 300, 2000])
def test_block_lengths_of_any_series_are_those_of_arch(size, persistence):
    table = np.column_stack([autocorrelated(size, seed, persistence) for seed in range(8)])
    with np.errstate(all="ignore"):  # the last lag of the shortest series leaves theirs nothing to divide by
        expected = optimal_block_length(table)["stationary"].fillna(1.0)
    assert block_lengths(table) == pytest.approx(expected.to_numpy(), rel=1e-9)


def test_every_resample_is_measured_as_a_walk_over_its_bars_would():
    length, replications, size = 4.0, 20, len(RETURNS)
    both = np.column_stack([RETURNS, RETURNS[::-1]])
    found = resample(both, np.random.default_rng(3), length=length, replications=replications)
    draws = np.random.default_rng(3).integers(0, 2**64, size=(replications, size), dtype=np.uint64)
    for row, sums in zip(draws, found, strict=True):
        bars, at = [], 0
        for step, draw in enumerate(int(one) for one in row):
            fresh = step == 0 or (draw >> 32) / 2**32 < 1 / length
            at = (draw % 2**32) * size // 2**32 if fresh else (at + 1) % size
            bars.append(at)
        for column in (0, 1):
            path = both[bars, column]
            curve = np.concatenate([[1.0], np.cumprod(1 + path)])
            expected = [
                path.mean(),
                path.std(ddof=1),
                np.sqrt(np.mean(np.minimum(path, 0) ** 2)),
                curve[-1],
                (curve / np.maximum.accumulate(curve) - 1).min(),
            ]
            assert sums[column] == pytest.approx(expected, rel=1e-9)


def test_intervals_agree_with_those_of_arch():
    found = return_intervals(RETURNS, 252, np.random.default_rng(4), length=6.0, replications=4000)
    theirs = StationaryBootstrap(6.0, RETURNS, seed=np.random.default_rng(5))
    measures = {
        "sharpe_ratio": lambda x: sharpe_ratio(x),
        "sortino_ratio": lambda x: sortino_ratio(x),
        "max_drawdown": lambda x: max_drawdown(x),
        "cagr": lambda x: cagr(x),
        "calmar_ratio": lambda x: calmar_ratio(x),
    }
    expected = theirs.conf_int(
        lambda x: np.array([measure(x) for measure in measures.values()]), reps=1500, method="percentile"
    )
    for place, name in enumerate(measures):
        width = expected[1, place] - expected[0, place]
        assert found[name].low == pytest.approx(expected[0, place], abs=0.08 * width)
        assert found[name].high == pytest.approx(expected[1, place], abs=0.08 * width)


def test_blocks_keep_the_dependence_that_single_bars_lose():
    def width(length):
        found = return_intervals(RETURNS, 252, np.random.default_rng(6), length=length)["sharpe_ratio"]
        return found.high - found.low

    # An autocorrelation of 0.4 makes the mean's variance (1 + 0.4) / (1 - 0.4) times as large.
    assert 1.2 < width(15.0) / width(1.0) < 1.8


def test_a_series_that_does_not_move_has_no_ratio():
    found = return_intervals(np.zeros(100), 252, np.random.default_rng(7), replications=50)
    assert found["sharpe_ratio"] is None
    assert found["calmar_ratio"] is None
    assert (found["max_drawdown"].low, found["max_drawdown"].high) == (0.0, 0.0)


def test_trade_intervals_cover_what_is_known_exactly():
    # 60 of 100 trades win: the win rate's 95 % interval is that of a binomial.
    profits = np.where(np.arange(100) < 60, 2.0, -1.0)
    found = trade_intervals(profits, profits / 100, np.random.default_rng(8), replications=5000)
    assert (found["win_rate"].low, found["win_rate"].high) == pytest.approx((0.50, 0.70), abs=0.011)
    assert found["profit_factor"].low == pytest.approx(0.50 * 2 / 0.50, abs=0.1)
    assert found["avg_trade"].low == pytest.approx(found["expectancy"].low / 100)
    assert trade_intervals([1.0], [0.1], np.random.default_rng(8))["win_rate"] is None


def test_what_moves_both_cancels_out():
    random = np.random.default_rng(9)
    champion = autocorrelated(600, 10)
    challenger = champion + random.normal(0.0004, 0.001, 600)
    found = paired_difference(challenger, champion, 252, np.random.default_rng(11))
    assert found.mean == pytest.approx(challenger.mean() - champion.mean())
    assert found.mean_interval.low > 0.0
    assert found.mean_p_value < 0.01
    assert found.sharpe_p_value < 0.01
    alone = return_intervals(challenger, 252, np.random.default_rng(11))["sharpe_ratio"]
    paired = found.sharpe_interval
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


def test_equal_series_are_no_better_than_each_other():
    found = paired_difference(RETURNS, RETURNS, 252, np.random.default_rng(12), replications=100)
    assert (found.mean, found.sharpe, found.mean_p_value, found.sharpe_p_value) == (0.0, 0.0, 1.0, 1.0)


def test_chance_passes_as_often_as_its_p_value_says():
    random = np.random.default_rng(13)
    below = 0
    for _ in range(200):
        first, second = random.normal(0.0, 0.01, (2, 250))
        found = paired_difference(first, second, 252, random, length=1.0, replications=200)
        below += found.mean_p_value <= 0.10
    # 10 % of 200 with a standard deviation of 4.2
    assert 8 <= below <= 34


def test_the_same_generator_gives_the_same_figures():
    first, second = (return_intervals(RETURNS, 252, np.random.default_rng(14)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("returns", "code"),
    [
        pytest.param([0.01] * 5, "too_few_observations", id="short"),
        pytest.param([0.01] * 20 + [float("nan")], "not_a_statistic", id="nan"),
    ],
)
def test_what_is_no_return_series_is_refused(returns, code):
    with pytest.raises(RequestError) as refusal:
        return_intervals(returns, 252, np.random.default_rng(0))
    assert refusal.value.code == code
