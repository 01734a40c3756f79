"""The score that steers the cycle: bounded, fed by evidence, deaf to luck without trades."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, run_backtest
from backtest.score import beats, block_sharpes, relative_gain, score
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


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), fast=st.integers(2, 20), fee=st.sampled_from([0.0, 10.0, 100.0]))
def test_a_score_lies_between_0_and_10_and_is_its_formula(seed, fast, fee):
    spec = StrategySpec.preset("ma_crossover", fast_period=fast, slow_period=30)
    result = run_backtest(made_up_prices(400, seed=seed), spec, costs=Costs(fee_bps=fee))
    found = score(result)
    assert 0.0 <= found.value <= 10.0
    parts = 0.4 * found.sharpe + 0.2 * (found.calmar + found.profit + found.consistency)
    assert found.value == pytest.approx(10 * found.evidence * parts, abs=1e-3)


def test_doing_nothing_scores_nothing():
    spec = StrategySpec(name="never", entry_long="close < 1e-9")
    assert score(run_backtest(made_up_prices(300), spec)).value == 0.0


def test_one_lucky_trade_scores_little():
    rising = made_up_prices(600, drift=0.004)
    assert score(run_backtest(rising, StrategySpec.preset("buy_and_hold"))).value < 0.5


@pytest.mark.parametrize(
    ("challenger", "blocks", "wins"),
    [
        pytest.param(2.0, (1, 1, 1, 1, 1), False, id="a tie keeps the champion"),
        pytest.param(2.1, (1, 1, 1, 1, 1), True, id="better and nowhere worse"),
        pytest.param(2.1, (9, 0, 0, 0, 1), False, id="better by one block alone"),
        pytest.param(2.1, (2, 2, 1, 0, 0), True, id="no worse in three of five"),
        pytest.param(1.9, (9, 9, 9, 9, 9), False, id="a lower score"),
    ],
)
def test_when_a_variant_beats_the_champion(challenger, blocks, wins):
    assert beats(challenger, 2.0, blocks, (1, 1, 1, 1, 1)) is wins


@pytest.mark.parametrize(
    ("before", "now", "gain"), [(0.1, 0.2, 0.1), (2.0, 2.5, 0.25), (4.0, 4.0, 0.0), (0.0, 1.0, 1.0)]
)
def test_a_gain_is_relative_to_at_least_one(before, now, gain):
    assert relative_gain(now, before) == pytest.approx(gain)
