"""Strategies as data: presets, bounds, changes, identity, and refusals with their codes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backtest import PRESETS, BacktestError, Bounds, Costs, Risk, StrategySpec
from prompts import text

MA = "ma_crossover"


def ma(**values: Any) -> StrategySpec:
    return StrategySpec.preset(MA, **values)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "unknown strategy": (lambda: StrategySpec.preset("nope"), "unknown_strategy"),
    "unknown parameter": (lambda: ma(speed=3), "unknown_parameter"),
    "out of bounds": (lambda: ma(fast_period=1_000), "parameter_out_of_bounds"),
    "not whole": (lambda: ma(fast_period=5.5), "parameter_not_whole"),
    "not a number": (lambda: ma(fast_period="5"), "parameter_not_a_number"),
    "no value": (lambda: ma(fast_period=None), "parameter_without_value"),
    "truth is no number": (lambda: ma(fast_period=True), "parameter_not_a_number"),
    "NaN": (lambda: ma(fast_period=float("nan")), "parameter_not_a_number"),
    "fast not below slow": (lambda: ma(fast_period=20, slow_period=20), "parameter_order"),
    "risk of zero": (lambda: ma(stop_loss_pct=0), "zero_is_not_off"),
    "negative risk": (lambda: ma(stop_loss_pct=-2.0), "parameter_out_of_bounds"),
    "risk that is no number": (lambda: ma(stop_loss_pct="much"), "bad_field"),
    "unknown risk": (lambda: Risk(stop=3), "unknown_field"),  # type: ignore[call-arg]
    "unknown field": (lambda: StrategySpec(name="x", entry_long="close > 1", size=3), "unknown_field"),  # type: ignore[call-arg]
    "no name": (lambda: StrategySpec(entry_long="close > 1"), "missing_field"),  # type: ignore[call-arg]
    "no entry": (lambda: StrategySpec(name="x"), "no_entry"),
    "exit without entry": (
        lambda: StrategySpec(name="x", entry_long="close > 1", exit_short="close > 2"),
        "exit_without_entry",
    ),
    "syntax": (lambda: StrategySpec(name="x", entry_long="close >"), "expression_syntax"),
    "unused parameter": (
        lambda: StrategySpec(name="x", params={"n": 3}, entry_long="close > 1"),
        "unknown_parameter",
    ),
    "reserved": (
        lambda: StrategySpec(name="x", params={"close": 3}, entry_long="close > 1"),
        "reserved_name",
    ),
    "twice": (
        lambda: StrategySpec(name="x", params={"n": 3, "N": 4}, entry_long="close > n"),
        "repeated_name",
    ),
    "unknown change": (lambda: ma().evolve(params={"speed": 3}), "unknown_parameter"),
    "change out of order": (lambda: ma().evolve(params={"fast_period": 50}), "parameter_order"),
    "filter on no entry": (lambda: ma().with_filter("close > 1", side="short"), "no_entry"),
    "filter that does not parse": (lambda: ma().with_filter("adx >"), "expression_syntax"),
    "negative fee": (lambda: Costs(fee_bps=-1), "parameter_out_of_bounds"),
    "unknown cost": (lambda: Costs(tax=1), "unknown_field"),  # type: ignore[call-arg]
    "validated from JSON": (lambda: StrategySpec.model_validate({"name": "x", "entry_long": 3}), "bad_field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, code = REFUSED[name]
    with pytest.raises(BacktestError) as caught:
        make()
    assert caught.value.code == code
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (type(caught.value), str(caught.value))
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


def test_an_error_tells_the_bounds() -> None:
    with pytest.raises(BacktestError) as caught:
        ma(fast_period=1_000)
    assert caught.value.fields == {"name": "fast_period", "value": 1000, "low": 2, "high": 100}


@pytest.mark.parametrize("written", ["MA_Crossover", "ma-crossover", " Ma Crossover ", "ma_crossover"])
def test_names_are_read_in_any_case(written: str) -> None:
    assert StrategySpec.preset(written).hash == ma().hash


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete(name: str) -> None:
    spec = StrategySpec.preset(name)
    assert spec.name == spec.family == name
    assert set(spec.params) == set(PRESETS[name].bounds)
    for parameter, bounds in spec.bounds().items():
        if parameter in spec.params:
            assert bounds.low <= spec.params[parameter] <= bounds.high
        assert bounds.step > 0
    assert StrategySpec.model_validate(spec.model_dump(mode="json")) == spec
    assert StrategySpec.model_validate_json(spec.model_dump_json()).hash == spec.hash
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert "\n" not in spec.describe()


@pytest.mark.parametrize(
    ("spec", "bars"),
    [
        (ma(), 21),
        (ma(stop_loss_atr=2.0, atr_period=50), 51),
        (StrategySpec.preset("macd_trend"), 35),
        (StrategySpec.preset("bollinger_atr"), 20),
        (StrategySpec.preset("bollinger_atr", period=5), 15),
        (StrategySpec.preset("bollinger_atr", period=5, stop_loss_atr=None), 5),
        (StrategySpec.preset("supertrend"), 12),
        (StrategySpec.preset("keltner_breakout"), 20),
        (StrategySpec.preset("stochastic_reversion"), 19),
        (StrategySpec.preset("adx_trend"), 28),
        (StrategySpec.preset("rsi_reversion"), 15),
        (StrategySpec.preset("donchian_breakout"), 21),
        (StrategySpec.preset("buy_and_hold"), 1),
        (ma().with_filter("adx(14) > 25"), 28),
    ],
    ids=lambda value: value.describe()[:20] if isinstance(value, StrategySpec) else str(value),
)
def test_lookback(spec: StrategySpec, bars: int) -> None:
    assert spec.lookback() == bars


def test_numbers_of_numpy_and_whole_floats_are_welcome() -> None:
    spec = ma(fast_period=np.int64(5), slow_period=20.0, stop_loss_pct=np.float64(2.0))
    assert spec.params == {"fast_period": 5, "slow_period": 20}
    assert all(type(value) is int for value in spec.params.values())
    assert spec.hash == ma(fast_period=5, slow_period=20, stop_loss_pct=2).hash


def dip(**changes: Any) -> StrategySpec:
    fields: dict[str, Any] = {
        "name": "dip",
        "params": {"n": 5},
        "entry_long": "close < lowest(low, n)[1] and RSI < 40",
        "exit_long": "close > sma(close, n)",
    }
    return StrategySpec(**{**fields, **changes})


def test_the_hash_is_of_the_meaning() -> None:
    same = [
        dip(name="another name"),
        dip(entry_long="rsi(close, 14) < 40.0 and close < lowest(low, n)[1]"),
        dip(entry_long="40 > rsi and lowest(low, N)[1] > CLOSE"),
        dip(entry_long="close < lowest(low, 5)[1] and rsi < 40"),
        dip(
            params={"m": 5},
            entry_long="close < lowest(low, m)[1] and rsi < 40",
            exit_long="close > sma(close, m)",
        ),
        dip(risk={"atr_period": 20}),
        dip(risk={"stop_loss_pct": None}),
        dip(entry_long="close < lowest(low, n)[1] and rsi < 40 and rsi < 40"),
    ]
    assert {spec.hash for spec in same} == {dip().hash}
    different = [
        dip(params={"n": 6}),
        dip(exit_long=None),
        dip(entry_long="close < lowest(low, n)[1] or rsi < 40"),
        dip(entry_long="close <= lowest(low, n)[1] and rsi < 40"),
        dip(risk={"stop_loss_pct": 2.0}),
        dip(risk={"stop_loss_atr": 2.0}),
        dip(risk={"stop_loss_atr": 2.0, "atr_period": 20}),
        dip(risk={"whole_units": True}),
        dip(entry_long=None, exit_long=None, entry_short="close < lowest(low, n)[1] and rsi < 40"),
    ]
    assert len({dip().hash, *(spec.hash for spec in different)}) == len(different) + 1
    # Kept for ever: ledgers and records of past runs cite it.
    assert len(dip().hash) == 16
    assert int(dip().hash, 16) >= 0


def test_evolve_merges_and_leaves_the_original_alone() -> None:
    spec = ma(stop_loss_pct=2.0)
    before = spec.model_dump()
    changed = spec.evolve(params={"fast_period": 8}, risk={"take_profit_pct": 6, "stop_loss_pct": None})
    assert changed.params == {"fast_period": 8, "slow_period": 20}
    assert changed.risk == Risk(take_profit_pct=6)
    assert spec.model_dump() == before
    assert spec.evolve().hash == spec.hash


def test_evolve_drops_parameters_that_no_condition_uses_any_more() -> None:
    changed = ma().evolve(
        entry_long="close > sma(close, fast_period)", exit_long="rsi > limit", params={"limit": 70}
    )
    assert changed.params == {"fast_period": 5, "limit": 70}


def test_filters() -> None:
    spec = ma()
    once = spec.with_filter("ADX > 25")
    assert once.entry_long == f"{spec.entry_long} and adx(14) > 25"
    assert once.exit_long == spec.exit_long
    assert once.with_filter("adx(14) > 25").hash == once.hash
    level = spec.with_filter("rsi < limit or close > open", params={"limit": 60})
    assert level.entry_long == f"{spec.entry_long} and (rsi(close, 14) < limit or close > open)"
    assert level.params["limit"] == 60
    both = StrategySpec(name="x", entry_long="close > 1", entry_short="close < 1").with_filter(
        "adx > 9", side="both"
    )
    assert both.entry_long == "close > 1 and adx(14) > 9"
    assert both.entry_short == "close < 1 and adx(14) > 9"


def test_bounds_of_own_parameters() -> None:
    spec = StrategySpec(
        name="x",
        params={"n": 10, "level": 30, "factor": 1.5},
        entry_long="rsi(close, n) < level and close > sma(close, n) * factor",
    )
    found = spec.bounds()
    assert found["n"] == Bounds(low=1, high=1_000, step=1, integer=True, default=10)
    assert (found["level"].low, found["level"].high) == (0, 100)
    assert found["factor"].low <= 1.5 <= found["factor"].high
    for condition, low in (
        ("close > value_when(close > open, high, k)", 0),
        ("close > value_when(close > open, high, k) and close > sma(close, k)", 1),
        ("close > close[k]", 1),
    ):
        own = StrategySpec(name="x", params={"k": low}, entry_long=condition)
        assert own.bounds()["k"].low == low
        with pytest.raises(BacktestError, match="parameter_out_of_bounds"):
            own.evolve(params={"k": low - 1})
    tight = spec.evolve(param_bounds={"n": Bounds(low=5, high=20, step=5, integer=True)})
    with pytest.raises(BacktestError, match="parameter_out_of_bounds"):
        tight.evolve(params={"n": 25})
    assert StrategySpec.model_validate(tight.model_dump(mode="json")) == tight


def test_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ma().name = "y"
