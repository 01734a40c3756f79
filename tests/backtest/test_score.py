"""The score that steers the cycle, and when a variant is adopted: fed by evidence, deaf to luck."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backtest import Costs, StrategySpec, run_backtest
from backtest.kernels.simulation import BARS, ENTRY_BAR, ENTRY_PRICE
from backtest.validation.score import (
    accept,
    allowed_error,
    block_sharpes,
    folds_held,
    points,
    relative_gain,
    score,
    score_walk_forward,
    skill,
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


def documented(result, closes, fee_bps):
    """The formula of docs/score.md, written down once more from trades and equity as people see them."""
    trades, bars = result.trades, len(result.equity)
    before = np.concatenate([[result.initial_capital], result.equity])
    own = before[1:] / before[:-1] - 1.0
    market = closes.pct_change().fillna(0.0).to_numpy()
    entries = result.equity.index.get_indexer(trades["entry_time"])
    shares = trades["size"] * trades["entry_price"] / before[entries]
    side = np.where(trades["side"] == "long", 1.0, -1.0)
    exposure = float((side * shares * trades["bars"]).sum()) / (bars - 1)
    in_doubt = max(1.0, fee_bps / 2) / 10_000 * 2 * float(shares.sum()) / (bars - 1)
    excess = own - exposure * market - in_doubt
    years = bars / result.periods_per_year
    skill = excess.mean() / excess.std(ddof=1) * result.periods_per_year**0.5 * years / (years + 1)
    points = 1 + 3.5 * skill if skill >= 0 else math.exp(3.5 * skill)
    return min(1.0, len(trades) / 10) * min(10.0, points)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), fast=st.integers(2, 20), fee=st.sampled_from([0.0, 10.0, 100.0]))
def test_a_score_is_its_documented_formula(seed, fast, fee):
    prices = made_up_prices(400, seed=seed)
    spec = StrategySpec.preset("ma_crossover", fast_period=fast, slow_period=30)
    result = run_backtest(prices, spec, costs=Costs(fee_bps=fee))
    assume(len(result.trades))
    assert score(result, prices["close"]).value == pytest.approx(
        documented(result, prices["close"], fee), abs=1e-3
    )


def test_a_walk_forward_score_is_that_of_its_tests_as_one_account():
    prices = made_up_prices(2000, cycle=0.05)
    spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)
    walk = walk_forward(prices, spec)
    found = score_walk_forward(walk, run_backtest(prices, spec), prices["close"])
    assert found.block_sharpes == tuple(round(one.test.metrics.sharpe_ratio, 6) for one in walk.folds)
    market = prices["close"].pct_change()[walk.returns.index]
    market[[one.test.index[0] for one in walk.folds]] = 0.0  # a fold begins flat
    slope = np.polyfit(market, walk.returns, 1)[0]
    beyond = walk.returns - walk.returns.mean() - slope * (market - market.mean())
    # Near to what a regression on the market leaves: exposure hardly follows the market's moves here.
    year = walk.periods_per_year
    around = (walk.returns.mean() - slope * market.mean()) / beyond.std() * year**0.5
    assert found.excess_sharpe == pytest.approx(around, rel=0.25)
    assert found.skill == pytest.approx(found.excess_sharpe / (1 + year / len(walk.returns)), rel=1e-4)


def test_a_settled_strategy_that_hardly_trades_earns_nothing_by_its_folds():
    prices = made_up_prices(2000, cycle=0.05)
    walk = walk_forward(prices, StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20))
    hardly = run_backtest(prices, StrategySpec.preset("buy_and_hold"))
    assert score_walk_forward(walk, hardly, prices["close"]).evidence == pytest.approx(1 / 10)


def test_doing_nothing_scores_nothing():
    spec = StrategySpec(name="never", entry_long="close < 1e-9")
    prices = made_up_prices(300)
    assert score(run_backtest(prices, spec), prices["close"]).value == 0.0


@pytest.mark.parametrize("every", [5, 20, 100])
def test_a_rising_market_gives_no_score_to_whoever_trades_often(every):
    """Held, sold and bought again: what it earns is the market's, and the costs are its own."""
    rising = made_up_prices(2000, drift=0.001, seed=4, frequency="1D")
    again = StrategySpec(name="again", entry_long="close > 0", risk={"max_bars": every})
    result = run_backtest(rising, again, costs=Costs(fee_bps=10))
    assert result.metrics.sharpe_ratio > 0.5
    assert score(result, rising["close"]).value <= 1.0
    held = run_backtest(rising, StrategySpec.preset("buy_and_hold"), costs=Costs(fee_bps=10))
    assert score(held, rising["close"]).value <= 0.2


def test_what_trades_more_for_the_same_excess_scores_less():
    """The same account bar by bar, each position sold and bought again on its way."""
    prices = made_up_prices(1500, cycle=0.05, seed=2)
    spec = StrategySpec(name="once", entry_long="close > sma(close, 20)", exit_long="close < sma(close, 20)")
    once = run_backtest(prices, spec)
    rows = once.trade_values[once.trade_values[:, BARS] >= 2]
    first, second = rows.copy(), rows.copy()
    middle = (rows[:, ENTRY_BAR] + rows[:, BARS] // 2).astype(int)
    first[:, BARS] = rows[:, BARS] // 2
    second[:, BARS] -= first[:, BARS]
    second[:, ENTRY_BAR], second[:, ENTRY_PRICE] = middle, prices["close"].to_numpy()[middle - 1]
    often = replace(once, trade_values=np.concatenate([first, second]))
    few, many = (score(one, prices["close"]) for one in (replace(once, trade_values=rows), often))
    assert few.evidence == many.evidence == 1.0
    assert many.value < few.value


def test_noise_hardly_reaches_the_target_and_skill_does():
    """The target of 8 is a skill of 2: z = 4 at the length where chance is nearest, and rarer at others."""
    years = np.array([0.25, 1.0, 3.0, 10.0, 30.0])
    noise = np.random.default_rng(8).normal(size=(200_000, 1)) / np.sqrt(years)
    assert ((skill(noise, years) >= 2.0).mean(axis=0) <= 1e-4).all()
    # The best of 300 independent strategies, the worst of lengths: still at most one search in a hundred.
    best = np.random.default_rng(9).normal(size=(4_000, 300)).max(axis=1)
    assert (skill(best, 1.0) >= 2.0).mean() <= 0.015
    assert points(2.0) == pytest.approx(8.0)
    assert points(-0.5) < points(-0.1) < points(0.0) == 1.0 < points(0.1)


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
    held = folds_held(folds, EVEN)
    found = accept(challenger, 2.0, held, 5, p_value=p_value, side_by_side=1, more_conditions=0)
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
