"""Grids that make no sense: refused at once with their size, or combination by combination with a count."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from backtest import BacktestError, RequestError, StrategySpec, run_backtest, sweep, sweep_to_parquet
from backtest.engine.sweep import MOST_CONFIGURATIONS, grid_axes
from prompts import text
from tests.prices import made_up_prices

PRICES = made_up_prices(rows=600, frequency="1h")
CROSS = StrategySpec.preset("ma_crossover")

SIZES: dict[str, tuple[Mapping[str, Iterable[Any]], int]] = {
    "a long range": ({"fast_period": range(2, 10**9)}, 10**9 - 2),
    "a range longer than an index can be": ({"fast_period": range(10**30)}, 10**30),
    "counted in whole": (
        {"fast_period": range(2, 100), "slow_period": range(5, 400), "max_bars": range(1, 1001)},
        98 * 395 * 1_000,
    ),
    "a product beyond 64 bits": (
        {"fast_period": range(2**40), "slow_period": range(2**40), "max_bars": range(2**40)},
        2**120,
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_an_absurd_grid_is_refused_with_its_count(name: str) -> None:
    grid, count = SIZES[name]
    with pytest.raises(RequestError) as caught:
        sweep(PRICES, CROSS, grid)
    assert caught.value.code == "grid_too_large"
    assert caught.value.fields == {"count": count, "limit": MOST_CONFIGURATIONS}
    assert f"{count:,d}" in text("backtest.error.grid_too_large", "en", **caught.value.fields)


def test_values_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # `backtest.sweep` is the function; the module of that name is had by importing it.
    monkeypatch.setattr(importlib.import_module("backtest.engine.sweep"), "MOST_CONFIGURATIONS", 40)
    with pytest.raises(RequestError, match="grid_too_large"):
        grid_axes(CROSS, {"fast_period": itertools.cycle([5, 6])})
    with pytest.raises(BacktestError, match="parameter_out_of_bounds"):
        grid_axes(CROSS, {"fast_period": itertools.count(90)})


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(BacktestError, match="repeated_name"):
        sweep(PRICES, CROSS, {"fast_period": [3], "Fast_Period": [4]})


def test_a_downward_range_counts_as_it_is_long() -> None:
    assert len(sweep(PRICES, CROSS, {"fast_period": range(10, 0, -3)[:3]})) == 3


HIGHER = StrategySpec(
    name="higher", params={"n": 5}, entry_long='at("1d", close > sma(close, n))', exit_long="close < open"
)


def test_combinations_beyond_the_higher_timeframe_are_dropped_and_counted(tmp_path: Path) -> None:
    # 600 hours are 25 days: an average of 25 of them exists, one of 26 does not.
    grid = {"n": [5, 24, 25, 26, 400]}
    table = sweep(PRICES, HIGHER, grid)
    assert table["n"].tolist() == [5, 24, 25]
    assert table.attrs["dropped_by"] == {"not_enough_higher_bars": 2}
    for n, found in zip(table["n"], table["total_return"], strict=True):
        assert run_backtest(PRICES, HIGHER.evolve(params={"n": n})).metrics.total_return == found
    with pytest.raises(BacktestError, match="not_enough_higher_bars"):
        run_backtest(PRICES, HIGHER.evolve(params={"n": 26}))
    streamed = sweep_to_parquet(PRICES, HIGHER, grid, tmp_path / "a.parquet")
    assert (streamed.rows, streamed.dropped_by) == (3, {"not_enough_higher_bars": 2})


def test_a_timeframe_that_is_not_higher_stops_the_sweep() -> None:
    spec = StrategySpec(name="x", params={"n": 5}, entry_long='at("30m", close) > sma(close, n)')
    with pytest.raises(BacktestError, match="timeframe_not_higher"):
        sweep(PRICES, spec, {"n": [3, 4]})


def test_values_that_parameters_make_together_are_dropped_and_counted() -> None:
    spec = StrategySpec(
        name="x",
        params={"slow": 20, "fast": 5},
        entry_long="close > sma(close, slow - fast)",
        exit_long="close < close[slow - fast] * (1 - 1 / (slow - 9))",
    )
    table = sweep(PRICES, spec, {"slow": [8, 9, 10], "fast": [8, 9, 10]})
    # Of 9 combinations slow > fast holds in 3: (9, 8), (10, 8), (10, 9); of these slow is 9 in one.
    assert table[["slow", "fast"]].to_numpy().tolist() == [[10, 8], [10, 9]]
    assert sum(table.attrs["dropped_by"].values()) == 7
    assert set(table.attrs["dropped_by"]) <= {"bad_period", "negative_lag", "constant_division_by_zero"}


def test_a_value_that_is_wrong_by_itself_stops_the_sweep() -> None:
    spec = StrategySpec(name="x", params={"n": 5}, entry_long="rsi(close, n) < 30")
    with pytest.raises(BacktestError, match="bad_period"):
        sweep(PRICES, spec, {"n": [1, 2, 3]})


def test_an_order_that_makes_no_sense_is_refused_alone_and_counted_in_a_sweep() -> None:
    with pytest.raises(BacktestError, match="parameter_order"):
        StrategySpec.preset("ma_crossover", fast_period=20, slow_period=20)
    table = sweep(PRICES, CROSS, {"fast_period": [5, 20, 40], "slow_period": [10, 20]})
    assert table.attrs["dropped_by"] == {"parameter_order": 4}
    assert table[["fast_period", "slow_period"]].to_numpy().tolist() == [[5, 10], [5, 20]]
    own = StrategySpec(name="x", params={"fast": 3, "slow": 8}, entry_long="macd(close, fast, slow, 2) > 0")
    assert sweep(PRICES, own, {"fast": [3, 9], "slow": [8]}).attrs["dropped_by"] == {"parameter_order": 1}
