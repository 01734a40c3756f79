"""Entries at levels, targets by age, exits in parts, several entries: what a user writes and what he gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, Costs, StrategySpec, run_backtest, sweep, walk_forward
from backtest.engine.run import kernel_settings, open_market
from backtest.kernels.orders import Levels, Plan, walk
from backtest.types import Risk, Sizing
from backtest.validation.stress.case import StressCase
from tests.backtest_scripts import frame, shown
from tests.prices import made_up_prices

NOTHING = np.empty(0)
TABLE = np.empty((0, 2))


def entered_at_once(**fields: Any) -> StrategySpec:
    """A long signal on the first bar only: it has the volume of 1."""
    return StrategySpec(name="first bar", entry_long="volume == 1", **fields)


def traded(bars: list[tuple[float, ...]], spec: StrategySpec, **terms: Any) -> list[Any]:
    return shown(run_backtest(frame(bars, [1] + [0] * (len(bars) - 1)), spec, periods_per_year=50.0, **terms))


START = (100.0, 102.0, 98.0, 100.0)
# The bars that follow the signal's, and where a limit at its low (98), a stop at its high (102) is filled.
FILLS: dict[str, tuple[dict[str, Any], list[tuple[float, ...]], tuple[int, float] | None]] = {
    "limit touched": ({"entry_limit_long": "low"}, [(100, 101, 98, 99)], (1, 98.0)),
    "limit not reached": ({"entry_limit_long": "low"}, [(100, 101, 98.5, 99)], None),
    "limit at a better open": ({"entry_limit_long": "low"}, [(97, 99, 96, 98)], (1, 97.0)),
    "limit two bars later": (
        {"entry_limit_long": "low"},
        [(100, 101, 99, 100), (99, 100, 97, 98)],
        (2, 98.0),
    ),
    "limit no longer valid": (
        {"entry_limit_long": "low", "risk": {"order_bars": 1}},
        [(100, 101, 99, 100), (99, 100, 97, 98)],
        None,
    ),
    "called off at the close before": (
        {"entry_limit_long": "low", "cancel_long": "close > 100.5"},
        [(100, 102, 99, 101), (99, 100, 97, 98)],
        None,
    ),
    "stop touched": ({"entry_stop_long": "high"}, [(100, 103, 99, 101)], (1, 102.0)),
    "stop passed by the open": ({"entry_stop_long": "high"}, [(104, 105, 103, 104)], (1, 104.0)),
    "stop within its limit": (
        {"entry_stop_long": "high", "entry_limit_long": "high + 1"},
        [(100, 105, 99, 104)],
        (1, 102.0),
    ),
    "open beyond the limit of a stop, back later": (
        {"entry_stop_long": "high", "entry_limit_long": "high + 1"},
        [(104, 105, 103.5, 104), (104, 104, 102, 103)],
        (2, 103.0),
    ),
}


@pytest.mark.parametrize("name", FILLS)
def test_where_an_order_is_filled(name: str) -> None:
    fields, bars, wanted = FILLS[name]
    found = traded([START, *bars, (100, 100, 100, 100)], entered_at_once(**fields))
    assert [(row[1], row[2]) for row in found] == ([] if wanted is None else [wanted])


def test_slippage_moves_a_stop_order_and_never_a_limit_order_beyond_its_level() -> None:
    bars = [START, (100.0, 103.0, 97.0, 100.0), (100.0, 100.0, 100.0, 100.0)]
    costs = Costs(slippage_bps=100)
    assert traded(bars, entered_at_once(entry_stop_long="high"), costs=costs)[0][2] == pytest.approx(103.02)
    assert traded(bars, entered_at_once(entry_limit_long="low"), costs=costs)[0][2] == 98.0


def test_the_rest_of_the_bar_of_a_fill_counts_at_its_worst() -> None:
    bars = [START, (100.0, 110.0, 95.0, 109.0), (109.0, 109.0, 109.0, 109.0)]
    risk = {"stop_loss_pct": 2.0, "take_profit_pct": 5.0}
    one = traded(bars, entered_at_once(entry_stop_long="high", risk=risk))
    assert one == [("long", 1, 102.0, 1, pytest.approx(99.96), "stop", 1)]
    free = traded(bars, entered_at_once(entry_stop_long="high", risk={"take_profit_pct": 5.0}))
    assert free == [("long", 1, 102.0, 2, 109.0, "target", 2)]


def test_the_nearer_of_two_orders_is_filled_and_calls_off_the_other() -> None:
    both = {"entry_short": "volume == 1", "entry_stop_long": "high", "entry_stop_short": "low"}
    up = traded([START, (100.5, 103.0, 97.0, 100.0), (97.0, 97.0, 97.0, 97.0)], entered_at_once(**both))
    assert up == [("long", 1, 102.0, 2, 97.0, "end_of_data", 2)]
    even = traded([START, (100.0, 103.0, 97.0, 100.0), (97.0, 97.0, 97.0, 97.0)], entered_at_once(**both))
    assert even == []


# Levels of the signal's bar (low 98, high 102), the bars behind it, where the long is closed, and why.
EXITS: dict[str, tuple[dict[str, Any], list[tuple[float, ...]], tuple[int, float, str]]] = {
    "stop touched": ({"exit_stop_long": "low"}, [(100, 101, 97, 99)], (1, 98.0, "stop")),
    "stop passed by the open": ({"exit_stop_long": "low"}, [(97, 99, 96, 98)], (1, 97.0, "stop")),
    "target touched": ({"exit_limit_long": "high"}, [(100, 103, 99, 101)], (1, 102.0, "target")),
    "the tighter of two stops": (
        {"exit_stop_long": "low", "risk": {"stop_loss_pct": 1.0}},
        [(100, 101, 97, 99)],
        (1, 99.0, "stop"),
    ),
    "the level stays the signal's": (
        {"exit_stop_long": "low"},
        [(100, 101, 99, 100), (100, 101, 98.5, 100)],
        (3, 100.0, "end_of_data"),
    ),
    "an unknown level is none": (
        {"exit_stop_long": "low[1]"},
        [(100, 101, 90, 99)],
        (2, 100.0, "end_of_data"),
    ),
}


@pytest.mark.parametrize("name", EXITS)
def test_where_a_position_leaves_at_its_own_level(name: str) -> None:
    fields, bars, wanted = EXITS[name]
    (row,) = traded([START, *bars, (100, 100, 100, 100)], entered_at_once(**fields))
    assert (row[3], row[4], row[5]) == wanted


def test_targets_fall_with_age_as_freqtrade_users_expect() -> None:
    bars = [START, (100, 103.9, 100, 101), (101, 102.5, 100, 102), (102, 102, 101, 102), (101, 102, 101, 102)]
    found = traded(bars, entered_at_once(risk={"roi": {0: 4, 1: 3, 2: 1}}))
    assert found == [("long", 1, 100.0, 3, 102.0, "target", 3)]  # 1 % after two bars: the open is beyond it


def test_parts_are_trades_of_their_own_and_bear_their_share_of_the_costs() -> None:
    bars = [START, (100.0, 101.0, 99.5, 100.0), (100.0, 106.0, 100.0, 105.0), (105.0, 105.0, 105.0, 105.0)]
    spec = entered_at_once(risk={"scale_out": {2: 50, 5: 25}})
    result = run_backtest(frame(bars, [1, 0, 0, 0]), spec, costs=Costs(fee_bps=10), periods_per_year=50.0)
    assert [(row[3], row[4], row[5], row[6]) for row in shown(result)] == [
        (2, 102.0, "partial_target", 2),
        (2, 105.0, "partial_target", 2),
        (3, 105.0, "end_of_data", 3),
    ]
    trades = result.trades
    units = 10_000.0 / (100.0 * 1.001)
    assert trades["size"].to_list() == pytest.approx([units / 2, units / 4, units / 4])
    fees = (100.0 + trades["exit_price"]) * 0.001 * trades["size"]
    assert trades["pnl"].to_list() == pytest.approx(
        ((trades["exit_price"] - 100.0) * trades["size"] - fees).to_list()
    )
    assert trades["pnl"].sum() == pytest.approx(result.equity.iloc[-1] - 10_000.0)
    assert result.metrics.exposure == pytest.approx(3 / 4)
    assert result.metrics.n_trades == 3


def test_further_entries_are_one_trade_at_the_average_price_and_capped() -> None:
    bars = [
        (100.0, 100.0, 100.0, 100.0),
        *((price, price, price, price) for price in (100.0, 110.0, 120.0, 130.0)),
    ]
    spec = StrategySpec(
        name="adds", entry_long="close > 0", sizing={"fixed_amount": 1_000.0, "max_entries": 2}
    )
    result = run_backtest(frame(bars, [0] * 5), spec, periods_per_year=50.0)
    units = 1_000 / 100 + 1_000 / 110
    assert result.trades["size"].to_list() == pytest.approx([units])
    assert result.trades["entry_price"].to_list() == pytest.approx([2_000 / units])
    assert result.trades["pnl"].to_list() == pytest.approx([units * 130 - 2_000])


def test_without_any_of_it_the_walk_is_the_simulation_to_the_bit() -> None:
    df = made_up_prices(2_000, seed=7)
    costs = Costs(fee_bps=5, slippage_atr=0.1, borrow_bps_per_bar=0.5, fee_fixed=1)
    market = open_market(df, costs, "next_open", 8_760.0, 10_000.0, None)
    dice = np.random.default_rng(3)
    codes = np.zeros(len(df), dtype=np.uint8)
    for bit in (1, 2, 4, 8):
        codes |= (dice.random(len(df)) < 0.15).astype(np.uint8) * np.uint8(bit)
    risk = Risk(stop_loss_pct=2, trailing_stop_atr=3, take_profit_pct=4, cooldown_bars=2, exit_after_bars=2)
    equity, trades = market.buffers(codes)
    count, _ = market.simulate(codes, risk, Sizing(leverage=2), equity, trades)
    walked, rows, refused = np.full_like(equity, np.nan), np.empty_like(trades), np.empty(2)
    plan = Plan(Levels(*[NOTHING] * 8), 0, 1, TABLE, TABLE)
    found = walk(
        market.traded, market.charges, market._estimates(risk, Sizing()), codes, plan,
        kernel_settings(risk, Sizing(leverage=2)), market.terms, walked, rows, refused,
    )  # fmt: skip
    assert count == found > 100
    np.testing.assert_array_equal(rows[:found], trades[:count])
    np.testing.assert_array_equal(walked, equity)


EVERYTHING = StrategySpec(
    name="everything",
    params={"n": 12},
    entry_long="close > sma(close, 30)",
    entry_limit_long="lowest(low, n)",
    cancel_long="close < sma(close, 60)",
    exit_long="close > highest(high, n)[1]",
    risk={"order_bars": 6, "stop_loss_pct": 4, "roi": {0: 5, 20: 2}, "scale_out": {1: 40}},
    sizing={"equity_pct": 40, "max_entries": 2},
).both_sides()


def test_what_happens_later_changes_nothing_before() -> None:
    prices = made_up_prices(900, seed=21)
    whole = run_backtest(prices, EVERYTHING)
    assert {"partial_target", "stop", "target"} <= set(whole.trades["exit_reason"])
    for cut in (300, 455, 611, 760):
        part = run_backtest(prices.iloc[:cut], EVERYTHING)
        np.testing.assert_array_equal(part.equity_values[:-1], whole.equity_values[: cut - 1])
        over = part.trades[part.trades["exit_reason"] != "end_of_data"]
        pd.testing.assert_frame_equal(over, whole.trades.iloc[: len(over)])


def test_rows_of_a_sweep_and_stretches_of_a_walk_are_single_backtests() -> None:
    prices, costs = made_up_prices(900, seed=21), Costs(fee_bps=5, slippage_bps=5)
    grid = {
        "n": [8, 20],
        "order_bars": [None, 3],
        "roi": [None, {0: 3}],
        "max_entries": [1, 3],
        "side": ["both", "long"],
    }
    table = sweep(prices, EVERYTHING, grid, costs)
    assert len(table) == 32
    assert table["total_return"].nunique() > 16
    for row in table.to_dict("records"):
        values = {name: None if pd.isna(row[name]) else row[name] for name in grid}
        spec = EVERYTHING.evolve(
            params={"n": values["n"]},
            risk={"order_bars": values["order_bars"], "roi": values["roi"]},
            sizing={"max_entries": values["max_entries"]},
        ).only(values["side"])
        found = run_backtest(prices, spec, costs).metrics.to_dict()
        assert {name: None if pd.isna(row[name]) else row[name] for name in found} == found
    walked = walk_forward(prices, EVERYTHING, {"n": [8, 20]}, costs, folds=3)
    assert walked.metrics.n_trades > 0
    fold = walked.folds[0]
    assert fold.test.equity_values[-1] > 0


def test_the_image_of_a_level_is_reached_from_the_other_side() -> None:
    assert EVERYTHING.entry_limit_short == "highest(high, n)"
    assert EVERYTHING.cancel_short == "close > sma(close, 60)"
    stops = StrategySpec(
        name="x", entry_long="close > open", entry_stop_long="close + 2 * atr(14)"
    ).both_sides()
    assert stops.entry_stop_short == "close - 2 * atr(14)"
    with pytest.raises(BacktestError, match="no_mirror"):
        StrategySpec(name="x", entry_long="close > open", entry_limit_long="close * 0.99").both_sides()


def test_a_strategy_keeps_its_orders_through_json_and_its_hash_tells_them_apart() -> None:
    assert StrategySpec.model_validate_json(EVERYTHING.model_dump_json()) == EVERYTHING
    assert "roi=0:5,20:2" in EVERYTHING.describe()
    others = [
        EVERYTHING.evolve(risk={"roi": "0:5"}),
        EVERYTHING.evolve(risk={"order_bars": None}),
        EVERYTHING.evolve(entry_limit_long="lowest(low, n)[1]"),
        EVERYTHING.evolve(cancel_long=None),
        EVERYTHING.evolve(sizing={"max_entries": 3}),
    ]
    assert len({one.hash for one in (EVERYTHING, *others)}) == 6
    same = EVERYTHING.evolve(risk={"roi": {"20": "2", "0": 5.0}}, name="another")
    assert same.hash == EVERYTHING.hash
    plain = StrategySpec.preset("ma_crossover")
    assert not {"entry_limit_long", "cancel_long"} & plain.model_dump().keys()
    market = EVERYTHING.evolve(
        entry_limit_long=None, entry_limit_short=None, cancel_long=None, cancel_short=None
    )
    assert market.risk.order_bars is None


def test_what_is_in_the_market_by_an_order_counts_from_the_next_bar() -> None:
    case = StressCase.open(made_up_prices(900, seed=21), EVERYTHING, generator=np.random.default_rng(1))
    rows = case.result.trades[case.result.trades["exit_reason"] != "partial_target"]
    first, held, sides = case.stays()
    assert len(first) == len(rows) == len(sides)
    assert list(held) == list((rows["bars"] - 1).clip(lower=0))
    places = case.result.all_times.get_indexer(rows["entry_time"])
    assert list(first) == list(places + 1)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a level without its entry": (
        lambda: entered_at_once(entry_limit_short="high"),
        "order_without_entry",
    ),
    "a cancel without a level": (lambda: entered_at_once(cancel_long="close > 5"), "cancel_without_level"),
    "bars of no order": (lambda: entered_at_once(risk={"order_bars": 3}), "order_bars_without_level"),
    "a grid of bars of no order": (
        lambda: sweep(made_up_prices(50), StrategySpec.preset("ma_crossover"), {"order_bars": [1]}),
        "order_bars_without_level",
    ),
    "a number for a level": (lambda: entered_at_once(entry_limit_long="2"), "expression_type"),
    "a condition for a level": (lambda: entered_at_once(entry_limit_long="close > 2"), "expression_type"),
    "several entries of all": (lambda: entered_at_once(sizing={"max_entries": 2}), "entries_without_size"),
    "no table": (lambda: entered_at_once(risk={"roi": "4 %"}), "bad_ladder"),
    "a row twice": (lambda: entered_at_once(risk={"roi": "0:4,0:3"}), "bad_ladder"),
    "half a bar": (lambda: entered_at_once(risk={"roi": {0.5: 4}}), "parameter_not_whole"),
    "parts of more than all": (
        lambda: entered_at_once(risk={"scale_out": {1: 60, 2: 50}}),
        "parts_beyond_all",
    ),
    "a table without end": (
        lambda: entered_at_once(risk={"roi": {bars: 1 for bars in range(21)}}),
        "too_many_rungs",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_says_nothing_is_refused(name: str) -> None:
    make, code = REFUSED[name]
    with pytest.raises(BacktestError) as told:
        make()
    assert told.value.code == code


def test_several_entries_of_the_whole_account_are_dropped_in_a_sweep() -> None:
    spec = StrategySpec.preset("ma_crossover")
    table = sweep(made_up_prices(300, seed=1), spec, {"max_entries": [1, 2], "equity_pct": [None, 30.0]})
    assert len(table) == 3
    assert table.attrs["dropped_by"] == {"entries_without_size": 1}
