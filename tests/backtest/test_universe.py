"""One strategy on many instruments: against the plain loop over `run_backtest` that a reader would write."""

import itertools

import numpy as np
import pandas as pd
import pytest

from backtest import (
    Costs,
    PriceError,
    RequestError,
    StrategySpec,
    portfolio,
    run_backtest,
    sweep,
    universe,
    weights,
)
from backtest.validation.folds import make_folds
from prompts.texts import LANGUAGES
from tests.prices import made_up_prices

SPEC = StrategySpec.preset("ma_crossover", fast_period=3, slow_period=12)
GRID = {"fast_period": [3, 6, 15], "slow_period": [12, 20], "stop_loss_pct": [None, 2.0]}
COSTS = Costs(fee_bps=5, slippage_bps=1)


def markets():
    """Three instruments: one with holes, one that is listed late, one that is delisted."""
    first, second, third = (made_up_prices(rows=600, seed=seed, cycle=0.05) for seed in (1, 2, 3))
    return {"A": first.drop(first.index[[50, 51, 300]]), "B": second.iloc[200:], "C": third.iloc[:450]}


def slow_pool(results, capital):
    """Mean return of those listed, time by time, from results by instrument."""
    times = sorted(set().union(*(one.index for one in results)))
    found = []
    for moment in times:
        listed = [one for one in results if one.index[0] <= moment <= one.index[-1]]
        total = 0.0
        for one in listed:
            if moment in one.index:
                place = one.index.get_loc(moment)
                before = one.equity.iloc[place - 1] if place else capital
                total += one.equity.iloc[place] / before - 1.0
        found.append(total / len(listed))
    return pd.Series(found, index=times)


def test_the_pool_is_the_mean_of_what_is_listed():
    found = universe.run_backtest(markets(), SPEC, COSTS)
    alone = {name: run_backtest(df, SPEC, COSTS) for name, df in markets().items()}
    for name, one in alone.items():
        assert found.by_instrument[name].metrics == one.metrics
    expected = slow_pool(list(alone.values()), 10_000.0)
    pooled = found.pooled
    np.testing.assert_allclose(pooled.returns, expected, atol=1e-14)
    assert list(pooled.returns.index) == list(expected.index)
    metrics = pooled.metrics
    assert metrics.sharpe_ratio == pytest.approx(expected.mean() / expected.std() * np.sqrt(24 * 365))
    curve = (1.0 + expected).cumprod()
    assert metrics.total_return == pytest.approx(curve.iloc[-1] - 1.0)
    assert metrics.max_drawdown == pytest.approx((curve / curve.cummax().clip(lower=1.0) - 1.0).min())
    trades = pd.concat([one.trades for one in alone.values()])
    assert metrics.n_trades == len(trades)
    assert metrics.win_rate == pytest.approx((trades["pnl"] > 0).mean())
    assert metrics.avg_trade == pytest.approx(trades["return"].mean())
    assert metrics.expectancy == pytest.approx(trades["pnl"].mean() / 3)
    assert metrics.exposure == pytest.approx(
        trades["bars"].sum() / sum(len(one.index) for one in alone.values())
    )


def test_what_is_missing_is_told_and_not_filled_in():
    found = universe.run_backtest(markets(), SPEC, COSTS)
    assert found.table["missing"].to_dict() == {"A": 3, "B": 0, "C": 0}
    assert found.table["bars"].to_dict() == {"A": 597, "B": 400, "C": 450}
    assert found.returns.isna().sum().to_dict() == {"A": 3, "B": 200, "C": 150}
    holding = universe.run_backtest(markets(), StrategySpec.preset("buy_and_hold"))
    assert holding.pooled.excess.abs().mean() < 0.1 * holding.pooled.returns.abs().mean()


def test_one_instrument_is_its_own_pool():
    df = markets()["A"]
    alone, found = run_backtest(df, SPEC, COSTS), universe.run_backtest({"A": df}, SPEC, COSTS)
    told = found.pooled.metrics.to_dict()
    assert told == pytest.approx(alone.metrics.to_dict(), rel=1e-9)


def test_zones_are_moments():
    plain = {name: df.tz_localize("UTC") for name, df in markets().items()}
    mixed = plain | {"B": plain["B"].tz_convert("Asia/Tokyo")}
    one, other = (universe.run_backtest(each, SPEC, COSTS, periods_per_year=8760) for each in (plain, mixed))
    pd.testing.assert_series_equal(one.pooled.returns, other.pooled.returns)


def test_a_pooled_row_is_the_backtest_of_its_configuration():
    found = universe.sweep(markets(), SPEC, GRID, COSTS, workers=1)
    assert len(found.pooled) == 10  # a fast period of 15 beside 12 makes no sense
    assert found.pooled.attrs["dropped"] == 2 * 1 + 0 or found.pooled.attrs["dropped"] == 12 - len(
        found.pooled
    )
    pd.testing.assert_frame_equal(found.by_instrument["B"], sweep(markets()["B"], SPEC, GRID, COSTS))
    for row in found.pooled.to_dict("records")[::3]:
        stop = None if np.isnan(row["stop_loss_pct"]) else row["stop_loss_pct"]
        spec = StrategySpec.preset(
            "ma_crossover",
            fast_period=row["fast_period"],
            slow_period=row["slow_period"],
            stop_loss_pct=stop,
        )
        alone = universe.run_backtest(markets(), spec, COSTS)
        told = alone.pooled.metrics.to_dict()
        assert {name: row[name] for name in told} == pytest.approx(told, rel=1e-9)
        assert row["instruments_up"] == (alone.table["total_return"] > 0).sum()


def test_a_walk_forward_chooses_once_for_all():
    grid = {"fast_period": [3, 6], "slow_period": [12, 20]}
    found = universe.walk_forward(markets(), SPEC, grid, COSTS, folds=3, workers=1, settle=True)
    clock = sorted(set().union(*(df.index for df in markets().values())))
    folds = make_folds(len(clock), 3)
    assert [one.fold for one in found.folds] == folds

    def on(spec, start, stop):
        """A backtest of the clock's bars from `start` to `stop`, those before for warm-up."""
        cut = {name: df[df.index <= clock[stop - 1]] for name, df in markets().items()}
        cut = {name: df for name, df in cut.items() if len(df) and df.index[-1] >= clock[start]}
        return [run_backtest(df, spec, COSTS, trade_from=clock[start]) for df in cut.values()]

    rows = universe.sweep(markets(), SPEC, grid, COSTS).pooled.to_dict("records")
    for one in found.folds:
        ratios = []
        for row in rows:
            params = {name: row[name] for name in ("fast_period", "slow_period")}
            spec = StrategySpec.preset("ma_crossover", **params)
            returns = slow_pool(on(spec, one.fold.train_start, one.fold.train_stop), 10_000.0)
            ratios.append((returns.mean() / returns.std(), spec.hash))
        assert one.spec.hash == max(ratios)[1]
        tested = slow_pool(on(one.spec, one.fold.test_start, one.fold.test_stop), 10_000.0)
        there = found.returns[tested.index[0] : tested.index[-1]]
        np.testing.assert_allclose(there, tested, atol=1e-14)
    assert found.metrics.total_return == pytest.approx((1 + found.returns).prod() - 1)
    assert found.metrics.n_trades == sum(one.test.n_trades for one in found.folds)
    pooled = universe.sweep(markets(), SPEC, grid, COSTS).pooled
    best = pooled.loc[pooled["sharpe_ratio"].idxmax()]
    assert found.spec.params["fast_period"] == best["fast_period"]


def test_who_is_refused_is_named():
    bad = markets()["B"].copy()
    bad.iloc[3, 3] = -1.0
    with pytest.raises(RequestError) as caught:
        universe.run_backtest({"A": markets()["A"], "B": bad}, SPEC)
    assert caught.value.code == "instrument_refused"
    assert isinstance(caught.value.fields["reason"], PriceError)
    assert caught.value.fields["name"] == "B"
    with pytest.raises(RequestError, match="no_instruments"):
        universe.sweep({}, SPEC, GRID)
    zones = {"A": markets()["A"], "B": markets()["B"].tz_localize("UTC")}
    with pytest.raises(RequestError, match="instrument_time_zone"):
        universe.walk_forward(zones, SPEC)


LENGTHS = ["30min", "4h", "D", "7D"]
DOORS = {
    "backtest": lambda held: universe.run_backtest(held, SPEC),
    "sweep": lambda held: universe.sweep(held, SPEC, GRID),
    "walk_forward": lambda held: universe.walk_forward(held, SPEC),
    "closes": portfolio.closes,
    "sides": lambda held: weights.sides(held, SPEC),
    "portfolio": lambda held: portfolio.run_portfolio(held, pd.DataFrame()),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(LENGTHS, 2)])
def test_bars_of_several_lengths_are_refused(door, one, other):
    """Years apart too, where only weeks without a bar lie between them."""
    held = {
        "A": made_up_prices(300, seed=1).set_axis(pd.date_range("2010", periods=300, freq=one)),
        "B": made_up_prices(300, seed=2).set_axis(pd.date_range("2020", periods=300, freq=other)),
    }
    with pytest.raises(RequestError, match="instrument_timeframe") as caught:
        DOORS[door](held)
    for language in LANGUAGES:
        assert "{" not in caught.value.sentence(language)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("held", [None, "A", [made_up_prices(300)]], ids=["none", "word", "list"])
def test_tables_without_names_are_refused(door, held):
    with pytest.raises(RequestError, match="not_by_name"):
        DOORS[door](held)


def test_instruments_that_never_trade_together_are_one_account():
    """One ends ten years before the other begins: its weeks tell the year, and not the pause."""
    parts = {
        name: made_up_prices(400, seed=1).set_axis(pd.date_range(begin, periods=400, freq="D"))
        for name, begin in (("A", "2010"), ("B", "2020"))
    }
    assert universe.run_backtest(parts, SPEC).pooled.bars_per_year.value == pytest.approx(365, rel=0.005)
