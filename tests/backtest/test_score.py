"""The score that steers the cycle, and when a variant is adopted: fed by evidence, deaf to luck."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, run_backtest
from backtest.validation.score import (
    accept,
    allowed_error,
    block_sharpes,
    relative_gain,
    score,
    score_walk_forward,
    sharpe_less_error,
)
from backtest.validation.walk_forward import walk_forward
from tests.prices import made_up_prices


def test_block_sharpes_are_the_sharpe_ratio_of_each_block():
    random = np.random.default_rng(1)
    returns = random.normal(0.001, 0.01, 1000)
    equity = pd.Series(100.0 * np.concatenate([[1.0], np.cumprod(1 + returns)]))
    found = block_sharpes(equity, 252.0, blocks=4)
    for position, figure in enumerate(found):
        part = returns[250 * position : 250 * (position + 1)]
        assert figure == pytest.approx(part.mean() / part.std(ddof=1) * 252**0.5, abs=1e-6)


def test_a_flat_block_counts_as_nothing():
    assert block_sharpes(pd.Series(np.full(101, 5.0)), 252.0) == (0.0,) * 5


def part(value, full):
    """The formula of docs/score.md, written down once more."""
    return 0.1 * math.exp(value / full) if value < 0 else 0.1 + 0.9 * min(1.0, value / full)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), fast=st.integers(2, 20), fee=st.sampled_from([0.0, 10.0, 100.0]))
def test_a_score_is_its_documented_formula(seed, fast, fee):
    spec = StrategySpec.preset("ma_crossover", fast_period=fast, slow_period=30)
    result = run_backtest(made_up_prices(400, seed=seed), spec, costs=Costs(fee_bps=fee))
    metrics = result.metrics
    assume(metrics.profit_factor is not None)
    years = 400 / result.periods_per_year
    error = math.sqrt((1 + 0.5 * metrics.sharpe_ratio**2 / result.periods_per_year) / years)
    parts = (
        0.4 * part(metrics.sharpe_ratio - error, 2.0)
        + 0.2 * part(metrics.calmar_ratio, 2.0)
        + 0.2 * part(metrics.profit_factor - 1.0, 1.0)
        + 0.2 * np.mean([figure > 0 for figure in block_sharpes(result.equity, result.periods_per_year)])
    )
    found = score(result)
    assert 0.0 <= found.value <= 10.0
    assert found.value == pytest.approx(10 * min(1.0, metrics.n_trades / 30) * parts, abs=1e-3)


def test_a_walk_forward_score_is_made_of_the_folds():
    prices = made_up_prices(2000, cycle=0.05)
    spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)
    walk = walk_forward(prices, spec)
    found = score_walk_forward(walk, run_backtest(prices, spec))
    assert found.block_sharpes == tuple(round(one.test.metrics.sharpe_ratio, 6) for one in walk.folds)
    assert found.consistency == np.mean([one.test.metrics.sharpe_ratio > 0 for one in walk.folds])


def test_a_settled_strategy_that_hardly_trades_earns_nothing_by_its_folds():
    prices = made_up_prices(2000, cycle=0.05)
    walk = walk_forward(prices, StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20))
    hardly = run_backtest(prices, StrategySpec.preset("buy_and_hold"))
    assert score_walk_forward(walk, hardly).evidence == pytest.approx(1 / 30, abs=1e-6)


def test_a_short_history_lowers_a_sharpe_ratio():
    """Lo 2002: of a Sharpe ratio near zero the standard error is one over the root of the years."""
    assert sharpe_less_error(0.0, 252, 252.0) == pytest.approx(-1.0)
    assert sharpe_less_error(0.0, 4 * 252, 252.0) == pytest.approx(-0.5)
    assert sharpe_less_error(None, 252, 252.0) is None


def test_doing_nothing_scores_nothing():
    spec = StrategySpec(name="never", entry_long="close < 1e-9")
    assert score(run_backtest(made_up_prices(300), spec)).value == 0.0


def test_one_lucky_trade_scores_little():
    rising = made_up_prices(600, drift=0.004)
    assert score(run_backtest(rising, StrategySpec.preset("buy_and_hold"))).value < 0.5


EVEN = (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("challenger", "folds", "p_value", "reason"),
    [
        pytest.param(2.0, EVEN, 0.001, "lower_score", id="a tie keeps the champion"),
        pytest.param(1.9, (9, 9, 9, 9, 9), 0.001, "lower_score", id="a lower score"),
        pytest.param(2.1, (9, 0, 0, 0, 1), 0.001, "uneven", id="better by one fold alone"),
        pytest.param(2.1, (2, 2, 1, 0, 0), 0.001, "better", id="no worse in three of five"),
        pytest.param(2.1, EVEN, 0.21, "luck", id="luck may explain it"),
        pytest.param(2.1, EVEN, None, "luck", id="never compared"),
        pytest.param(2.1, EVEN, 0.19, "better", id="luck hardly explains it"),
    ],
)
def test_when_a_variant_is_adopted(challenger, folds, p_value, reason):
    found = accept(challenger, 2.0, folds, EVEN, p_value=p_value, side_by_side=1, more_conditions=0)
    assert (found.reason, found.accepted) == (reason, reason == "better")


@pytest.mark.parametrize(
    ("side_by_side", "more", "allowed"),
    [
        pytest.param(1, 0, 0.2, id="one alone"),
        pytest.param(4, 0, 0.05, id="shared by four"),
        pytest.param(4, 1, 0.025, id="a condition more halves it"),
        pytest.param(4, 3, 0.00625, id="each of three does"),
        pytest.param(4, -2, 0.05, id="fewer conditions earn nothing"),
    ],
)
def test_complexity_and_company_have_a_price(side_by_side, more, allowed):
    assert allowed_error(side_by_side, more) == pytest.approx(allowed)


@pytest.mark.parametrize(
    ("before", "now", "gain"), [(0.1, 0.2, 0.1), (2.0, 2.5, 0.25), (4.0, 4.0, 0.0), (0.0, 1.0, 1.0)]
)
def test_a_gain_is_relative_to_at_least_one(before, now, gain):
    assert relative_gain(now, before) == pytest.approx(gain)
