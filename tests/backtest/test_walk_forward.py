"""Folds, walk-forward and combinatorial cross-validation against the plain loop a reader would write."""

from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, RequestError, StrategySpec, run_backtest, sweep
from backtest.statistics.returns import bar_returns
from backtest.validation.folds import combinatorial_splits, make_folds
from backtest.validation.walk_forward import combinatorial_cross_validation, walk_forward
from tests.laws import cases
from tests.prices import made_up_prices

SPEC = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)
GRID = {"fast_period": [3, 5, 8, 25], "slow_period": [20, 30], "stop_loss_pct": [None, 2.0]}
COSTS = Costs(fee_bps=5, slippage_bps=1)
PRICES = made_up_prices(rows=900, cycle=0.05)


@settings(max_examples=cases(45), deadline=None)
@given(
    bars=st.integers(300, 5000),
    folds=st.integers(1, 12),
    scheme=st.sampled_from(["anchored", "rolling"]),
    embargo=st.integers(0, 20),
)
def test_tests_follow_each_other_and_training_ends_an_embargo_before(bars, folds, scheme, embargo):
    found = make_folds(bars, folds, scheme, embargo=embargo)
    assert len(found) == folds
    assert found[-1].test_stop == bars
    for one, after in pairwise(found):
        assert one.test_stop == after.test_start
    for one in found:
        assert 0 <= one.train_start < one.train_stop == one.test_start - embargo
        assert one.test_start < one.test_stop
    if scheme == "anchored":
        assert {one.train_start for one in found} == {0}
    else:
        lengths = [one.train_stop - one.train_start for one in found]
        assert max(lengths) - min(lengths) <= 1


@settings(max_examples=cases(20), deadline=None)
@given(bars=st.integers(300, 3000), groups=st.integers(2, 7), embargo=st.integers(0, 15), data=st.data())
def test_no_training_bar_lies_within_the_embargo_of_a_test(bars, groups, embargo, data):
    tested = data.draw(st.integers(1, groups - 1))
    splits = combinatorial_splits(bars, groups, tested, embargo=embargo)
    assert len(splits) == comb(groups, tested)
    times_tested = np.zeros(bars)
    for split in splits:
        forbidden = np.zeros(bars, dtype=bool)
        for start, stop in split.test:
            times_tested[start:stop] += 1
            forbidden[max(0, start - embargo) : stop + embargo] = True
        used = np.zeros(bars, dtype=bool)
        for start, stop in split.train:
            used[start:stop] = True
        assert not (used & forbidden).any()
        # What is not used is near a test: nothing else is given up.
        assert (used | forbidden).all()
    assert (times_tested == comb(groups - 1, tested - 1)).all()


@pytest.mark.parametrize("scheme", ["anchored", "rolling"])
@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_each_fold_takes_the_best_of_a_sweep_of_its_training_bars(scheme, fill):
    found = walk_forward(PRICES, SPEC, GRID, COSTS, fill, folds=4, scheme=scheme, embargo=7)
    assert found.configurations == 16
    for one, fold in zip(found.folds, make_folds(len(PRICES), 4, scheme, embargo=7), strict=True):
        train = PRICES.iloc[: fold.train_stop]
        start = PRICES.index[fold.train_start]
        terms = {"costs": COSTS, "fill": fill, "periods_per_year": 365 * 24}
        table = sweep(train, SPEC, GRID, **terms, trade_from=start)
        best = table.iloc[int(table["sharpe_ratio"].argmax())]
        assert one.fitted
        assert one.spec.params["fast_period"] == best["fast_period"]
        assert one.spec.params["slow_period"] == best["slow_period"]
        assert (one.spec.risk.stop_loss_pct or 0) == (0 if np.isnan(best["stop_loss_pct"]) else 2.0)
        alone = run_backtest(train, one.spec, **terms, trade_from=start)
        assert one.train.to_dict() == pytest.approx(alone.metrics.to_dict(), rel=1e-9)
        test = run_backtest(
            PRICES.iloc[: fold.test_stop], one.spec, **terms, trade_from=PRICES.index[fold.test_start]
        )
        assert one.test.metrics == test.metrics


def test_the_tests_join_to_one_account_without_a_gap():
    found = walk_forward(PRICES, SPEC, GRID, COSTS, folds=5)
    first = found.folds[0].fold.test_start
    assert found.returns.index.equals(PRICES.index[first:])
    grown = np.prod([1 + one.test.metrics.total_return for one in found.folds]) - 1
    assert found.metrics.total_return == pytest.approx(grown, rel=1e-12)
    assert float((1 + found.returns).prod() - 1) == pytest.approx(grown, rel=1e-12)
    sharpe = found.returns.mean() / found.returns.std() * np.sqrt(365 * 24)
    assert found.metrics.sharpe_ratio == pytest.approx(sharpe, rel=1e-9)
    assert found.metrics.n_trades == sum(one.test.metrics.n_trades for one in found.folds)


def test_later_prices_change_no_earlier_fold():
    other = PRICES.copy()
    cut = make_folds(len(PRICES), 4)[1].test_stop
    other.iloc[cut:, :4] *= 1.5
    before, after = (walk_forward(df, SPEC, GRID, COSTS, folds=4) for df in (PRICES, other))
    for one, two in zip(before.folds[:2], after.folds[:2], strict=True):
        assert one.spec.hash == two.spec.hash
        assert one.test.equity.equals(two.test.equity)
    assert not before.returns.equals(after.returns)


def test_without_a_grid_the_strategy_is_tested_as_it_is():
    found = walk_forward(PRICES, SPEC, costs=COSTS, folds=4)
    assert {one.spec.hash for one in found.folds} == {SPEC.hash}
    assert not any(one.fitted for one in found.folds)
    assert found.configurations == 1
    assert found.efficiency is None


def test_where_no_configuration_trades_the_strategy_stays_as_it_is():
    never = StrategySpec(name="never", params={"n": 5}, entry_long="close > 2 * highest(high, n)[1]")
    found = walk_forward(PRICES, never, {"n": [5, 10]}, folds=3)
    assert [(one.spec.hash, one.fitted) for one in found.folds] == [(never.hash, False)] * 3
    assert found.metrics.n_trades == 0


def test_cross_validation_chooses_by_the_pooled_sharpe_ratio_of_its_training():
    grid = {"fast_period": [3, 8], "slow_period": [20, 40]}
    found = combinatorial_cross_validation(PRICES, SPEC, grid, COSTS, groups=4, test_groups=2, embargo=6)
    assert found.paths.shape == (3, len(PRICES))
    for split, chosen in zip(found.splits, found.specs, strict=True):
        sharpes = {}
        for fast in grid["fast_period"]:
            for slow in grid["slow_period"]:
                spec = SPEC.evolve(params={"fast_period": fast, "slow_period": slow})
                parts = []
                for start, stop in split.train:
                    result = run_backtest(
                        PRICES.iloc[:stop], spec, COSTS, trade_from=PRICES.index[start], periods_per_year=8760
                    )
                    parts.append(bar_returns(result.equity_values, 10_000))
                pooled = np.concatenate(parts)
                sharpes[spec.hash] = pooled.mean() / pooled.std(ddof=1)
        assert sharpes[chosen.hash] == pytest.approx(max(sharpes.values()), rel=1e-9)
    # Every path is made of tests: its first group is one of those of the splits that test group 0.
    stop = found.splits[0].test[0][1]
    begins = []
    for split, chosen in zip(found.splits, found.specs, strict=True):
        if 0 in split.test_groups:
            result = run_backtest(PRICES.iloc[:stop], chosen, COSTS, periods_per_year=8760)
            begins.append(bar_returns(result.equity_values, 10_000))
    assert np.array_equal(found.paths[:, :stop], np.array(begins))
    annual = found.paths.mean(axis=1) / found.paths.std(axis=1, ddof=1) * np.sqrt(8760)
    assert found.sharpes == pytest.approx(annual)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param(lambda: walk_forward(PRICES.iloc[:40], SPEC, folds=20), "not_enough_bars", id="short"),
        pytest.param(lambda: walk_forward(PRICES, SPEC, scheme="random"), "unknown_scheme", id="scheme"),
        pytest.param(lambda: walk_forward(PRICES, SPEC, folds=0), "bad_request", id="no folds"),
        pytest.param(lambda: walk_forward(PRICES, SPEC, embargo=-1), "bad_request", id="embargo"),
        pytest.param(lambda: walk_forward(PRICES, SPEC, GRID, rank_by="luck"), "unknown_metric", id="metric"),
        pytest.param(
            lambda: combinatorial_cross_validation(PRICES, SPEC, test_groups=6),
            "bad_request",
            id="all tested",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(call, code):
    with pytest.raises(RequestError) as refusal:
        call()
    assert refusal.value.code == code


def test_a_stretch_shorter_than_the_warm_up_is_idle_not_an_error():
    prices = made_up_prices(1200)
    slow = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=300)
    crossed = combinatorial_cross_validation(prices, slow)
    assert (crossed.paths[:, :200] == 0.0).all()
    assert (crossed.paths[:, 400:] != 0.0).any()


def test_a_stretch_shorter_than_the_lookback_signals_nothing():
    slow = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=200)
    found = combinatorial_cross_validation(PRICES, slow, costs=COSTS, groups=6)
    assert not found.paths[:, :150].any()
    assert found.paths[:, 300:].any()
