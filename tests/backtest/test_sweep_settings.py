"""Sweeps over sizing, risk and sides: each row is the backtest of that configuration."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from backtest import Costs, RequestError, StrategyError, StrategySpec, run_backtest, sweep
from backtest.engine import batch
from tests.prices import made_up_prices

DEAR = Costs(
    fee_bps=5, fee_fixed=2, slippage_atr=0.05, spread_bps=4, borrow_bps_per_bar=0.5, maintenance_margin_pct=1
)
GRIDS: dict[str, dict[str, list[Any]]] = {
    "risk per trade": {
        "period": [10, 20],
        "entry_zscore": [1.0, 2.0],
        "risk_per_trade_pct": [0.5, 2.0, None],
        "stop_loss_atr": [1.0, 3.0],
        "side": ["long", "short", "both"],
    },
    "volatility and leverage": {
        "volatility_target_pct": [20.0, 60.0, None],
        "volatility_period": [10, 40],
        "leverage": [1.0, 4.0, None],
        "atr_period": [7, None],
    },
    "amounts, break-even and cool-down": {
        "fixed_amount": [500.0, 20_000.0, None],
        "equity_pct": [25.0, 100.0],
        "whole_units": [False, True],
        "break_even_pct": [0.5, None],
        "cooldown_bars": [1, 10, None],
    },
    "exits": {
        "exit_after_bars": [12, None],
        "exit_above_pct": [0.0, 3.0, None],
        "exit_below_pct": [0.0, None],
    },
}


TERMS: dict[str, tuple[Costs, Any]] = {
    "free": (Costs(), "next_open"),
    "dear": (DEAR, "next_open"),
    "dear, at the close": (DEAR, "close"),
}


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("name", GRIDS)
def test_a_row_is_the_backtest_of_its_configuration(name: str, terms: str) -> None:
    costs, fill = TERMS[terms]
    prices = made_up_prices(700, seed=5)
    spec = StrategySpec.preset("bollinger_atr", fixed_amount=None)
    table = sweep(prices, spec, GRIDS[name], costs, fill)
    assert table["n_trades"].max() > 5
    assert len(table.drop_duplicates(list(table.columns[len(GRIDS[name]) :]))) > len(table) // 3
    for row in table.to_dict("records"):
        chosen = {str(key): row[key] for key in GRIDS[name]}
        side = chosen.pop("side", "both")
        values = {key: None if pd.isna(value) else value for key, value in chosen.items()}
        one = run_backtest(prices, StrategySpec.preset("bollinger_atr", **values).only(side), costs, fill)
        for metric, value in one.metrics.to_dict().items():
            assert (pd.isna(row[metric]) and value is None) or row[metric] == value, (chosen, metric)


def test_a_row_with_or_is_the_backtest_of_its_configuration() -> None:
    spec = StrategySpec(
        name="either",
        params={"fast": 3, "slow": 20, "floor": 30},
        entry_long="(crosses_above(sma(close, fast), sma(close, slow)) and adx(14) > 15"
        " or rsi(close, fast) < floor)"
        " and (close > ema(close, 5) or not (hour < 12 or rsi(close, slow) > 40))",
        exit_long="close < sma(close, slow) or rsi(close, fast) < floor",
        entry_short="crosses_below(sma(close, fast), sma(close, slow)) or rsi(close, slow - fast) > 65",
    )
    grid = {"fast": [3, 5, 7, 9], "slow": [9, 20, 31], "floor": [20, 35], "side": ["long", "short", "both"]}
    prices = made_up_prices(700, seed=5)
    table = sweep(prices, spec, grid)
    # Nine less nine is no period, which alone is refused and here left out, where that side is traded.
    assert table.attrs["dropped_by"] == {"bad_period": 4}
    assert len(table) == 68
    for row in table.to_dict("records"):
        traded = spec.only(row["side"])
        alone = run_backtest(prices, traded.evolve(params={name: row[name] for name in traded.params}))
        for metric, value in alone.metrics.to_dict().items():
            assert (pd.isna(row[metric]) and value is None) or row[metric] == value, (row, metric)


def test_risk_per_trade_without_a_stop_is_refused_alone_and_dropped_in_a_sweep() -> None:
    with pytest.raises(StrategyError) as told:
        StrategySpec.preset("ma_crossover", risk_per_trade_pct=1.0)
    assert told.value.code == "risk_without_stop"
    table = sweep(
        made_up_prices(300, seed=1),
        StrategySpec.preset("ma_crossover"),
        {"risk_per_trade_pct": [None, 1.0], "stop_loss_pct": [None, 2.0, 3.0]},
    )
    assert len(table) == 5
    assert table.attrs["dropped_by"] == {"risk_without_stop": 1}


def test_risk_per_trade_is_dropped_where_the_grid_takes_the_only_stop_away() -> None:
    spec = StrategySpec.preset("ma_crossover", stop_loss_pct=2.0, risk_per_trade_pct=1.0)
    prices = made_up_prices(300, seed=1)
    table = sweep(prices, spec, {"stop_loss_pct": [None, 1.0], "trailing_stop_atr": [None, 2.0]})
    assert len(table) == 3
    assert table.attrs["dropped_by"] == {"risk_without_stop": 1}
    with pytest.raises(RequestError) as told:
        sweep(prices, spec, {"stop_loss_pct": [None]})
    assert told.value.code == "empty_grid"


def test_volatility_over_more_bars_than_there_are_is_dropped_only_where_it_is_used() -> None:
    table = sweep(
        made_up_prices(300, seed=1),
        StrategySpec.preset("ma_crossover"),
        {"volatility_target_pct": [None, 20.0], "volatility_period": [20, 300]},
    )
    assert len(table) == 3
    assert table.attrs["dropped_by"] == {"not_enough_bars": 1}


@pytest.mark.parametrize(
    ("values", "code"), [(["up"], "unknown_side"), (["short"], "no_such_side"), ([], "empty_grid")]
)
def test_sides_that_make_no_sense(values: list[str], code: str) -> None:
    with pytest.raises(Exception, match=code):
        sweep(made_up_prices(300, seed=1), StrategySpec.preset("ma_crossover"), {"side": values})


def test_strategies_written_before_there_was_sizing_are_still_read() -> None:
    spec = StrategySpec.preset("ma_crossover", whole_units=True, stop_loss_pct=2.0)
    written = spec.model_dump(mode="json")
    old = {**written, "risk": {**written["risk"], "whole_units": True}}
    del old["sizing"]
    assert StrategySpec.model_validate(old) == spec
    assert spec.sizing.whole_units


def test_averages_that_find_no_room_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    df = made_up_prices(rows=640, frequency="1h")
    # 17 and 16 periods, in groups of eight that pairs mix; two chunks, between which one group is kept.
    monkeypatch.setattr(batch, "_ROOM_FOR_WORDS", 2 * 150 * (640 // 8 + 8))
    monkeypatch.setattr(batch, "_ROOM_KEPT", 8 * 8 * 640)
    crossover = StrategySpec(
        name="crossover",
        params={"fast": 5, "slow": 30},
        entry_long="crosses_above(ema(close, fast), ema(close, slow)) and close > ema(close, slow)",
        exit_long="ema(close, fast) < ema(close, slow)",
    )
    table = sweep(df, crossover, {"fast": range(3, 20), "slow": range(20, 36)})
    assert len(table) == 17 * 16
    for row in table.iloc[::19].to_dict("records"):
        one = StrategySpec(**{**crossover.model_dump(), "params": {"fast": row["fast"], "slow": row["slow"]}})
        found = run_backtest(df, one).metrics
        assert row["n_trades"] == found.n_trades > 0
        assert row["total_return"] == pytest.approx(found.total_return, rel=1e-9)
