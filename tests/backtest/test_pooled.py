"""What is believed of many instruments at once, against a plain loop over single backtests."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest import Costs, StrategySpec, run_backtest
from backtest.kernels.simulation import ENTER_LONG, EXIT_LONG
from backtest.statistics.overfitting import familywise_p_value
from backtest.validation.attribution import attribution
from backtest.validation.score import score, score_walk_forward
from backtest.validation.stress import StressCase, stress_tests
from backtest.validation.stress.causality import foresight, look_ahead
from backtest.validation.traded import backtest_of, opened, shown_prices, stress_case
from backtest.validation.trials import average_exposure, excess_returns, grid_looks, trial, turnover
from backtest.validation.verdict import among
from backtest.validation.walk_forward import combinatorial_cross_validation, walk_forward
from tests.backtest.test_universe import COSTS, SPEC, markets
from tests.prices import made_up_prices

GRID = {"fast_period": [3, 6], "slow_period": [12, 20]}


def slow_excess(df, result):
    """Own returns less holding with the average exposure, bar by bar, from trades and prices alone."""
    closes = df["close"].to_numpy()
    equity = np.concatenate([[result.initial_capital], result.equity.to_numpy()])
    held = 0.0
    for trade in result.trades.to_dict("records"):
        before = equity[df.index.get_loc(trade["entry_time"])]
        sign = 1.0 if trade["side"] == "long" else -1.0
        held += sign * trade["size"] * trade["entry_price"] / before * trade["bars"]
    exposure = held / (len(df) - 1)
    market = np.concatenate([[0.0], closes[1:] / closes[:-1] - 1.0])
    return pd.Series(equity[1:] / equity[:-1] - 1.0 - exposure * market, index=df.index), exposure


def slow_mean(series):
    """Time by time the mean over the instruments listed then; one without a bar adds nothing."""
    times = sorted(set().union(*(one.index for one in series)))
    return pd.Series(
        [
            sum(one.get(moment, 0.0) for one in series)
            / sum(one.index[0] <= moment <= one.index[-1] for one in series)
            for moment in times
        ],
        index=times,
    )


def test_the_pooled_excess_is_over_holding_each_instrument_with_its_own_exposure():
    found = backtest_of(markets(), SPEC, COSTS, "next_open")
    alone = {name: slow_excess(df, run_backtest(df, SPEC, COSTS)) for name, df in markets().items()}
    expected = slow_mean([series for series, _ in alone.values()])
    np.testing.assert_allclose(excess_returns(found), expected, atol=1e-12)
    # 450 bars of A and C, of which 200 alone; then all three; then A and B.
    shares = {
        "A": (200 / 2 + 250 / 3 + 150 / 2) / 600,
        "B": (250 / 3 + 150 / 2) / 600,
        "C": (200 / 2 + 250 / 3) / 600,
    }
    exposure = sum(shares[name] * exposure for name, (_, exposure) in alone.items())
    assert average_exposure(found) == pytest.approx(exposure)
    told = attribution(found, None, np.random.default_rng(0))
    assert told.timing == pytest.approx(expected.mean() * found.periods_per_year)
    assert turnover(found) > 0.0


def test_a_look_is_the_trial_of_its_configuration_on_the_pool_and_on_each():
    every = opened(markets(), COSTS, "next_open")
    looks = list(grid_looks(every, SPEC, {**GRID, "stop_loss_pct": [None, 2.0]}, 1))
    assert len(looks) == 8
    for look in looks[::3]:
        values = {name: value for name, value in look.values.items() if value is not None}
        spec = StrategySpec.preset("ma_crossover", **values)
        pooled = trial(backtest_of(markets(), spec, COSTS, "next_open"))
        assert look.trial.spec_hash == spec.hash
        assert look.trial.excess_sharpe == pytest.approx(pooled.excess_sharpe)
        np.testing.assert_allclose(look.trial.blocks, pooled.blocks, atol=1e-7)
        for name, df in markets().items():
            own = trial(run_backtest(df, spec, COSTS), df["close"])
            assert look.trial.each[name].excess_sharpe == pytest.approx(own.excess_sharpe)
        assert look.trades == sum(len(run_backtest(df, spec, COSTS).trades) for df in markets().values())


def test_one_instrument_is_judged_as_its_own_pool():
    df = made_up_prices(rows=700, cycle=0.05, seed=3)
    pool = {"A": df}
    alone, pooled = (backtest_of(one, SPEC, COSTS, "next_open") for one in (df, pool))
    assert score(pooled) == score(alone, df["close"])
    walks = [walk_forward(one, SPEC, GRID, COSTS, plateau=True, settle=True) for one in (df, pool)]
    assert walks[1].spec.hash == walks[0].spec.hash
    np.testing.assert_allclose(walks[1].returns, walks[0].returns, atol=1e-12)
    scores = score_walk_forward(walks[0], alone, df["close"]), score_walk_forward(walks[1], pooled)
    assert scores[1].value == pytest.approx(scores[0].value, abs=1e-3)
    paths = [combinatorial_cross_validation(one, SPEC, costs=COSTS) for one in (df, pool)]
    np.testing.assert_allclose(paths[1].paths, paths[0].paths, atol=1e-12)
    tested = [
        stress_tests(stress_case(one, SPEC, COSTS, "next_open", generator=np.random.default_rng(5)))
        for one in (df, pool)
    ]
    for one, other in zip(*tested, strict=True):
        assert (one.name, one.outcome) == (other.name, other.outcome)
        assert other.figure == (None if one.figure is None else pytest.approx(one.figure, rel=1e-6))


def test_knowing_the_future_of_one_instrument_fails_the_pool():
    def peeking(prices):
        """Buys before a rise and sells before a fall: signals of prices that were not there yet."""
        rises = prices["close"].shift(-1) > prices["close"]
        return np.where(rises, ENTER_LONG, EXIT_LONG).astype(np.uint8)

    pool = {name: made_up_prices(rows=400, seed=seed) for name, seed in (("A", 1), ("B", 2))}
    generator = np.random.default_rng(0)
    case = stress_case(pool, SPEC, Costs(), "close", generator=generator)
    assert look_ahead(case).outcome == "passed"
    first, second = case.parts
    leak = StressCase.open(pool["B"], SPEC, Costs(), "close", generator=generator, source=peeking)
    assert look_ahead(replace(case, parts=(first, leak))).outcome == "failed"
    shares = [foresight(replace(case, parts=parts)).figure for parts in ((second,), (leak,), (first, leak))]
    assert shares[1] > 0.99
    assert shares[0] < shares[2] < shares[1]


def market_with_edge(seed, market, sharpe=1.0, bars=1000, signals=6):
    """Daily bars whose next move a public signal foretells a little; the other signals foretell nothing."""
    random = np.random.default_rng([seed, market])
    told = random.choice([-1.0, 1.0], (bars, signals))
    foretold = np.concatenate([[0.0], told[:-1, 0]])
    moves = random.normal(0.0, 0.01, bars) + 0.01 * sharpe / np.sqrt(365) * foretold
    close = 100.0 * np.cumprod(1.0 + moves)
    named = {f"s{number}": told[:, number] for number in range(signals)}
    columns = dict.fromkeys(("open", "high", "low", "close"), close)
    index = pd.date_range("2020-01-01", periods=bars, freq="D")
    return pd.DataFrame({**columns, "volume": np.ones(bars), **named}, index=index)


def signal(number):
    name = f"s{number}"
    return StrategySpec(
        name=name,
        params={},
        entry_long=f"{name} > 0",
        entry_short=f"{name} < 0",
        inputs={name: {"kind": "none"}},
    )


def chance(pool, seed):
    """The family-wise p-value of the foretelling signal among all of them, as a verdict counts it."""
    found = [trial(backtest_of(pool, signal(number), Costs(), "close")) for number in range(6)]
    blocks = np.column_stack([one.blocks for one in found]).astype(float)
    return familywise_p_value(blocks, 0, np.random.default_rng(seed))


def test_independent_instruments_are_found_and_copies_of_one_are_not():
    """Four of Sharpe 1 pooled are recognised as one of Sharpe 2 would be; four copies of one stay one."""
    alone, independent, copies = [], [], []
    for seed in range(6):
        pool = {f"M{number}": market_with_edge(seed, number) for number in range(4)}
        first = pool["M0"]
        alone.append(chance({"M0": first}, seed))
        independent.append(chance(pool, seed))
        copies.append(chance(dict.fromkeys(pool, first), seed))
    assert np.median(independent) < 0.2 * np.median(alone)
    assert sum(p < 0.05 for p in independent) > sum(p < 0.05 for p in alone)
    np.testing.assert_allclose(copies, alone, rtol=1e-6)


def test_a_basket_is_what_a_chart_of_a_pool_shows():
    pool = {name: made_up_prices(rows=300, seed=seed) for name, seed in (("A", 1), ("B", 2))}
    result = backtest_of(pool, SPEC, COSTS, "next_open")
    shown = shown_prices(pool, result)
    returns = pd.DataFrame({name: df["close"].pct_change() for name, df in pool.items()}).mean(axis=1)
    np.testing.assert_allclose(shown["close"], 100.0 * (1.0 + returns.fillna(0.0)).cumprod())
    assert set(result.trades["instrument"]) == {"A", "B"}
    assert len(result.trades) == sum(len(run_backtest(df, SPEC, COSTS).trades) for df in pool.values())


@pytest.mark.parametrize(
    ("value", "adjusted", "told"),
    [
        ("real", 0.001, "real"),
        ("real", 0.01, "promising"),
        ("real", 0.3, "unproven"),
        ("promising", 0.001, "promising"),
        ("overfit", 0.9, "unproven"),
    ],
)
def test_a_verdict_on_one_of_many_is_never_better_than_its_adjusted_p(value, adjusted, told):
    assert among(value, adjusted) == told
