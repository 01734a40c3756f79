"""Whole backtests and sweeps: no look-ahead, warm-up, equal rows, purity, refusals."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import (
    PRESETS,
    BacktestError,
    Costs,
    StrategySpec,
    run_backtest,
    run_pieces,
    sweep,
    validate_prices,
)
from prompts import text

COSTS = Costs(fee_bps=10, slippage_bps=2)


def market(bars: int = 1_500, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, bars)))
    opening = np.concatenate(([100.0], close[:-1])) * (1 + random.normal(0, 0.003, bars))
    return pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * (1 + np.abs(random.normal(0, 0.004, bars))),
            "low": np.minimum(opening, close) * (1 - np.abs(random.normal(0, 0.004, bars))),
            "close": close,
            "volume": random.integers(1, 1_000, bars).astype(float),
        },
        index=pd.date_range("2023-01-01", periods=bars, freq="h", tz="UTC"),
    )


def rich() -> StrategySpec:
    return StrategySpec(
        name="rich",
        params={"n": 20, "floor": 18},
        entry_long="crosses_above(close, ema(close, n)) and adx(14) > floor and volume > 0",
        exit_long="close < lowest(low, n)[1] or macd_histogram < 0",
        entry_short="close < donchian_lower(n)[1] and rsi > 20 and not rising(close, 2)",
        exit_short="crosses_above(close, bollinger_middle(close, n))",
        risk={"stop_loss_atr": 3.0, "trailing_stop_pct": 4.0, "take_profit_pct": 9.0, "max_bars": 60},
    )


SPECS = {**{name: StrategySpec.preset(name, stop_loss_pct=3.0) for name in PRESETS}, "rich": rich()}


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("name", SPECS)
def test_later_bars_change_nothing_before_them(name: str, fill: Any) -> None:
    df = market()
    whole = run_backtest(df, SPECS[name], costs=COSTS, fill=fill)
    for cut in (300, 701, 1_100):
        part = run_backtest(df.iloc[:cut], SPECS[name], costs=COSTS, fill=fill)
        np.testing.assert_array_equal(part.equity.iloc[:-1], whole.equity.iloc[: cut - 1])
        done = part.trades[part.trades["exit_reason"] != "end_of_data"]
        pd.testing.assert_frame_equal(done, whole.trades.iloc[: len(done)])


def test_the_result_has_the_documented_shape() -> None:
    df = market()
    before = df.copy()
    result = run_backtest(df, rich(), costs=COSTS)
    pd.testing.assert_frame_equal(df, before)
    assert list(result.trades.columns) == [
        "side", "entry_time", "entry_price", "exit_time", "exit_price", "size", "pnl", "return",
        "exit_reason", "bars",
    ]  # fmt: skip
    assert result.equity.index.equals(df.index)
    assert set(result.trades["side"]) == {"long", "short"}
    assert (result.trades["exit_time"] >= result.trades["entry_time"]).all()
    assert result.trades["pnl"].sum() == pytest.approx(result.equity.iloc[-1] - 10_000)
    assert result.metrics.total_return == pytest.approx(result.equity.iloc[-1] / 10_000 - 1)
    assert result.metrics.n_trades == len(result.trades) > 20
    assert result.periods_per_year == 8_760
    again = run_backtest(df, rich(), costs=COSTS)
    assert again.metrics == result.metrics
    assert again.equity.equals(result.equity)


def test_no_trade_gives_an_empty_table_of_the_same_columns() -> None:
    result = run_backtest(market(), StrategySpec(name="never", entry_long="close < 1e-9"))
    assert len(result.trades) == 0
    assert "exit_reason" in result.trades
    assert (result.equity == 10_000).all()


def test_warm_up_bars_prepare_indicators_and_nothing_else() -> None:
    df = market()
    start = df.index[400]
    result = run_backtest(df, rich(), costs=COSTS, trade_from=start)
    assert result.equity.index[0] == start
    assert (result.trades["entry_time"] > start).all()
    # What happens before is irrelevant as long as indicators see it: a signal mask says the same.
    masked = df.copy()
    masked.loc[masked.index < start, "volume"] = 0.0
    only_long = rich().evolve(entry_short=None, exit_short=None)
    one = run_backtest(df, only_long, costs=COSTS, trade_from=start)
    other = run_backtest(masked, only_long, costs=COSTS)
    pd.testing.assert_frame_equal(one.trades, other.trades)
    np.testing.assert_array_equal(one.equity, other.equity.loc[start:])


def test_trade_from_is_read_in_the_zone_of_the_data() -> None:
    df = market(200)
    first = run_backtest(df, StrategySpec.preset("buy_and_hold"), trade_from="2023-01-03")
    assert first.equity.index[0] == pd.Timestamp("2023-01-03", tz="UTC")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown fill": ({"fill": "mid"}, "unknown_fill"),
    "no capital": ({"initial_capital": 0.0}, "bad_request"),
    "no year": ({"periods_per_year": float("nan")}, "bad_request"),
    "start after the end": ({"trade_from": "2030-01-01"}, "bad_time_limit"),
    "unreadable start": ({"trade_from": "soon"}, "bad_time_limit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    settings, code = REFUSED[name]
    with pytest.raises(BacktestError) as caught:
        run_backtest(market(100), StrategySpec.preset("buy_and_hold"), **settings)
    assert caught.value.code == code
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


def test_too_few_bars_are_refused_before_a_bar_is_computed() -> None:
    spec = StrategySpec.preset("ma_crossover", slow_period=400)
    with pytest.raises(BacktestError) as caught:
        run_backtest(market(400), spec)
    assert (caught.value.code, caught.value.fields) == ("not_enough_bars", {"needed": 401, "bars": 400})
    assert run_backtest(market(401), spec).metrics.n_trades <= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_a_row_of_a_sweep_is_a_backtest(workers: int) -> None:
    df = market(600)
    spec = StrategySpec.preset("ma_crossover", take_profit_pct=8.0)
    grid = {
        "fast_period": range(5, 30, 8),
        "slow_period": [20, 21.0],
        "stop_loss_pct": [None, 2.0],
        "max_bars": [9],
    }
    table = sweep(df, spec, grid, costs=COSTS, fill="close", trade_from=df.index[50], workers=workers)
    assert len(table) == 2 * 2 * 2
    assert table.attrs["dropped"] == 4 * 2 * 2 - len(table)
    assert table.attrs["dropped_by"] == {"parameter_order": table.attrs["dropped"]}
    for row in table.to_dict("records"):
        risk = {
            "stop_loss_pct": None if np.isnan(row["stop_loss_pct"]) else row["stop_loss_pct"],
            "max_bars": 9,
        }
        one = spec.evolve(
            params={"fast_period": row["fast_period"], "slow_period": row["slow_period"]}, risk=risk
        )
        wanted = run_backtest(df, one, costs=COSTS, fill="close", trade_from=df.index[50]).metrics.to_dict()
        found = {name: None if pd.isna(row[name]) else row[name] for name in wanted}
        assert found == wanted


def test_a_sweep_of_the_language_equals_backtests() -> None:
    df = market(800)
    table = sweep(df, rich(), {"n": [10, 25], "floor": [10, 30], "atr_period": [7, 14]}, costs=COSTS)
    assert len(table) == 8
    for row in table.to_dict("records"):
        one = rich().evolve(
            params={"n": row["n"], "floor": row["floor"]}, risk={"atr_period": row["atr_period"]}
        )
        assert run_backtest(df, one, costs=COSTS).metrics.total_return == row["total_return"]


def test_periods_longer_than_the_data_are_dropped_and_counted() -> None:
    table = sweep(market(100), StrategySpec.preset("ma_crossover"), {"slow_period": [50, 150]})
    assert len(table) == 1
    assert table.attrs["dropped_by"] == {"not_enough_bars": 1}


GRIDS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown name": ({"speed": [1]}, "unknown_parameter"),
    "out of bounds": ({"fast_period": [1]}, "parameter_out_of_bounds"),
    "risk out of bounds": ({"stop_loss_pct": [90.0]}, "parameter_out_of_bounds"),
    "text": ({"fast_period": ["5"]}, "parameter_not_a_number"),
    "empty": ({"fast_period": []}, "empty_grid"),
    "nothing left": ({"fast_period": [50], "slow_period": [20]}, "empty_grid"),
    "too large": ({"max_bars": range(1, 10**9)}, "grid_too_large"),
    "product too large": ({"max_bars": range(1, 4_000), "atr_period": range(1, 200),
                           "fast_period": range(2, 90)}, "grid_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_grids_refused(name: str) -> None:
    grid, code = GRIDS[name]
    with pytest.raises(BacktestError) as caught:
        sweep(market(100), StrategySpec.preset("ma_crossover"), grid)
    assert caught.value.code == code
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


def test_canonical_prices_give_the_same_result() -> None:
    df = market(300)
    odd = df.rename(columns=str.title).reset_index(names="Open time").assign(extra=1)
    spec = StrategySpec.preset("ema_crossover")
    assert run_backtest(odd, spec).metrics == run_backtest(validate_prices(df), spec).metrics


def test_pieces_come_back_in_order_and_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def work(number: int) -> int:
        meeting.wait()
        return number * number

    assert run_pieces(work, [3, 1, 2], workers=3) == [9, 1, 4]
    assert run_pieces(work, []) == []


def test_the_first_error_of_a_piece_is_raised() -> None:
    def work(number: int) -> int:
        if number > 1:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError):
        run_pieces(work, range(10), workers=2)


@pytest.mark.parametrize("name", PRESETS)
def test_a_sweep_of_each_preset_equals_backtests(name: str) -> None:
    df = market(700)
    spec = StrategySpec.preset(name, trailing_stop_pct=4.0)
    grid: dict[str, Any] = {"trailing_stop_pct": [3.0, 6.0]}
    if spec.params:
        first = next(iter(spec.params))
        grid[first] = [spec.params[first], spec.params[first] + spec.bounds()[first].step]
    table = sweep(df, spec, grid, COSTS)
    for row in table.to_dict("records"):
        params = {key: row[key] for key in grid if key in spec.params}
        one = spec.evolve(params=params, risk={"trailing_stop_pct": row["trailing_stop_pct"]})
        wanted = run_backtest(df, one, COSTS).metrics.to_dict()
        assert {key: None if pd.isna(row[key]) else row[key] for key in wanted} == wanted
