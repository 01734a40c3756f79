"""Series beside prices: joined as they became known, part of the meaning, refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import (
    BacktestError,
    Costs,
    StrategySpec,
    run_backtest,
    sweep,
    sweep_to_parquet,
    validate_prices,
    walk_forward,
)
from backtest.data.clock import Clock
from backtest.data.inputs import ended, with_inputs
from backtest.data.prices import read_further, read_prices
from backtest.engine.bank import IndicatorBank
from backtest.validation.stress import StressCase, stress_tests
from prompts.texts import LANGUAGES
from tests.prices import made_up_prices

SOL = made_up_prices(2_000, seed=3).tz_localize("UTC")
"""Bars of an hour."""
BTC = made_up_prices(2_000, seed=4).set_axis(SOL.index)
PRICE = {"kind": "price", "unit": "USDT"}


def spec(condition: str, **inputs: dict[str, str]) -> StrategySpec:
    names = {name.replace("__", "."): one for name, one in inputs.items()}
    return StrategySpec(name="x", entry_long=condition, exit_long="close < sma(close, 20)", inputs=names)


FILTERED = spec("crosses_above(close, sma(close, 20)) and btc.close > sma(btc.close, 50)", btc__close=PRICE)


def slow(table: pd.Series, known: str, days: int) -> list[float]:
    """At each hour the last row that was known: one bar, one row at a time, on the calendar of the table."""
    rows = [
        (time, time.normalize() + pd.DateOffset(days=days), value)
        for time, value in table.items()
        if not np.isnan(value)
    ]
    found = []
    for begin in SOL.index[::7]:
        close, last = begin + pd.Timedelta(hours=1), np.nan
        for time, over, value in rows:
            if {"next_day": over <= begin, "close": over <= close, "stamp": time <= close}[known]:
                last = value
        found.append(last)
    return found


@pytest.mark.parametrize("known", ["next_day", "close", "stamp"])
@pytest.mark.parametrize("days", [1, 7])
def test_a_longer_value_is_known_when_its_declaration_says(known: str, days: int) -> None:
    times = pd.date_range("2024-01-01", periods=int(80 / days), freq=f"{days}D", tz="America/New_York")
    table = pd.Series(np.random.default_rng(1).normal(size=len(times)), index=times)
    table.iloc[5] = np.nan
    own = spec("mood.value > 0", mood__value={"kind": "move", "known": known})
    joined = with_inputs(SOL, {"mood": table}, own)["mood.value"]
    np.testing.assert_array_equal(joined[::7], slow(table, known, days))


def test_a_value_within_the_day_is_known_when_its_own_bar_is_over() -> None:
    quarters = made_up_prices(8_000, seed=5).set_axis(
        pd.date_range(SOL.index[0], periods=8_000, freq="15min")
    )
    joined = with_inputs(SOL, {"btc": quarters}, FILTERED)["btc.close"]
    np.testing.assert_array_equal(joined, quarters["close"].to_numpy()[3::4])
    four = quarters.iloc[::16]
    joined = with_inputs(SOL, {"btc": four}, FILTERED)["btc.close"]
    assert np.isnan(joined.iloc[:3]).all()
    np.testing.assert_array_equal(joined.iloc[3:], np.repeat(four["close"], 4)[: len(SOL) - 3])


@pytest.mark.parametrize("stop", [1, 24, 500, 1_999, 2_000])
@pytest.mark.parametrize("hole", [0, 30])
def test_bars_behind_the_end_of_a_table_are_counted(stop: int, hole: int) -> None:
    """Not where it pauses no longer than it did before; empty values at the end are no values."""
    table = BTC.drop(BTC.index[100 : 100 + hole])
    table.loc[table.index >= SOL.index[stop - 1] + pd.Timedelta("1h"), "close"] = np.nan
    found = ended(SOL, {"btc": table}, FILTERED)
    behind = len(SOL) - stop
    longest = hole + 1 if stop > 100 + hole else 1
    assert [(one.last, one.bars) for one in found] == (
        [(SOL.index[stop - 1], behind)] if behind > longest else []
    )


def test_no_later_row_changes_what_was_seen() -> None:
    """A future planted in the other table, and in a column: signals up to it stay, behind it they change."""
    for cut in (700, 1_300):
        planted = BTC.copy()
        planted.iloc[cut:, :] *= 10.0
        bars = [with_inputs(SOL, {"btc": table}, FILTERED) for table in (BTC, planted, BTC.iloc[:cut])]
        banks = [
            IndicatorBank(
                read_prices(one)[0], Clock(SOL.index), lambda name, one=one: read_further(one, name)
            )
            for one in bars
        ]
        signals = [bank.signals(FILTERED.bound_trees) for bank in banks]
        for other in signals[1:]:
            np.testing.assert_array_equal(signals[0][:cut], other[:cut])
        assert not np.array_equal(signals[0][cut:], signals[1][cut:])


def test_at_sees_the_last_value_of_a_complete_higher_bar() -> None:
    own = spec('at("4h", btc.close) > at("4h", sma(btc.close, 3))', btc__close=PRICE)
    joined = with_inputs(SOL, {"btc": BTC}, own)
    bank = IndicatorBank(read_prices(joined)[0], Clock(SOL.index), lambda name: read_further(joined, name))
    found = bank.series(own.bound_trees["entry_long"].left)  # type: ignore[union-attr]
    ends = np.flatnonzero(SOL.index.hour % 4 == 3)
    wanted = pd.Series(np.nan, index=range(len(SOL)))
    wanted[ends] = BTC["close"].to_numpy()[ends]
    known = slice(int(ends[1]), None)
    np.testing.assert_array_equal(found[known], wanted.ffill()[known])


def test_a_column_of_the_prices_is_a_series_in_every_function() -> None:
    mood = np.sin(np.arange(len(SOL)) / 40.0)
    table = SOL.assign(Mood=mood)
    own = StrategySpec(
        name="mood",
        params={"limit": 0.5},
        entry_long="mood > limit and rising(mood, 2)",
        exit_long="mood < 0",
        inputs={"Mood": {"kind": "move"}},
    )
    result = run_backtest(table, own)
    held = (
        (mood > 0.5) & (np.append(False, np.diff(mood) > 0)) & np.append([False] * 2, np.diff(mood)[:-1] > 0)
    )
    assert result.trades["entry_time"].iloc[0] == SOL.index[int(np.flatnonzero(held)[0]) + 1]
    kept = validate_prices(table, keep=own.inputs)
    assert run_backtest(kept, own).metrics == result.metrics
    rows = sweep(table, own, {"limit": [0.3, 0.5]})
    assert rows["total_return"].iloc[1] == result.metrics.total_return
    forward = walk_forward(table, own, {"limit": [0.3, 0.5]}, folds=2)
    assert forward.metrics.n_trades > 0


def test_sweep_file_and_folds_read_the_other_table(tmp_path: Any) -> None:
    own = FILTERED.evolve(
        params={"n": 50}, entry_long="crosses_above(close, sma(close, 20)) and btc.close > sma(btc.close, n)"
    )
    grid, tables = {"n": [20, 50]}, {"btc": BTC}
    single = run_backtest(SOL, FILTERED, Costs(fee_bps=5), inputs=tables).metrics
    table = sweep(SOL, own, grid, Costs(fee_bps=5), inputs=tables)
    assert (table["n_trades"][1], table["sharpe_ratio"][1]) == (single.n_trades, single.sharpe_ratio)
    written = sweep_to_parquet(SOL, own, grid, tmp_path / "s.parquet", Costs(fee_bps=5), inputs=tables)
    assert sorted(written.top["n_trades"]) == sorted(table["n_trades"])
    whole = walk_forward(SOL, own, grid, folds=2, inputs=tables)
    planted = BTC.copy()
    stop = whole.folds[0].fold.test_stop
    planted.iloc[stop:] *= 10.0
    early = walk_forward(SOL, own, grid, folds=2, inputs={"btc": planted})
    assert early.folds[0].spec == whole.folds[0].spec
    assert early.folds[0].test.metrics == whole.folds[0].test.metrics


def test_what_is_declared_is_part_of_the_meaning() -> None:
    assert FILTERED.hash != FILTERED.evolve(inputs={"btc.close": {**PRICE, "unit": "USD"}}).hash
    assert FILTERED.hash != FILTERED.evolve(inputs={"btc.close": {**PRICE, "known": "close"}}).hash
    assert StrategySpec.model_validate(FILTERED.model_dump(mode="json")) == FILTERED
    plain = FILTERED.evolve(entry_long="crosses_above(close, sma(close, 20))")
    assert not plain.inputs
    assert "inputs" not in plain.model_dump(mode="json")
    assert FILTERED.with_filter("btc.close > btc.close[24]").entry_long == (
        f"{FILTERED.entry_long} and btc.close > btc.close[24]"
    )


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("price", "btc.close < sma(btc.close, 5)"),
        ("move", "btc.close < sma(btc.close, 5)"),
        ("share", "btc.close < sma(btc.close, 5)"),
        ("size", "btc.close > sma(btc.close, 5)"),
    ],
)
def test_the_mirror_image_follows_the_kind(kind: str, image: str) -> None:
    own = spec("close > open and btc.close > sma(btc.close, 5)", btc__close={"kind": kind})
    assert own.both_sides().entry_short == f"close < open and {image}"
    above = spec("close > open and btc.close > 20", btc__close={"kind": kind})
    wanted = {"move": "btc.close < -20", "share": "btc.close < 80", "size": "btc.close > 20"}
    if kind == "price":
        with pytest.raises(BacktestError, match="no_mirror"):
            above.both_sides()
    else:
        assert above.both_sides().entry_short == f"close < open and {wanted[kind]}"


def test_a_series_of_no_kind_has_no_mirror_image() -> None:
    with pytest.raises(BacktestError, match="no_mirror"):
        spec("mood > 0", mood={}).both_sides()


DAYS = pd.date_range("2024-01-01", periods=90, freq="D", tz=SOL.index.tz)
MOOD = pd.DataFrame({"value": np.linspace(-1.0, 1.0, 90)}, index=DAYS)


@pytest.mark.parametrize(
    ("frame", "tables", "code", "reason"),
    [
        (SOL, {}, "missing_input", ""),
        (SOL, {"mood": MOOD.rename(columns={"value": "score"})}, "input_column", ""),
        (SOL, {"mood": MOOD.assign(Value=2.0)}, "input_refused", "repeated_column"),
        (SOL, {"mood": MOOD, "btc": BTC}, "unused_table", ""),
        (SOL, {"mood": MOOD[::-1]}, "input_refused", "unsorted_time"),
        (SOL, {"mood": MOOD.iloc[[0, 1, 1, 2]]}, "input_refused", "duplicate_time"),
        (SOL, {"mood": MOOD.reset_index(drop=True)}, "input_refused", "missing_time"),
        (SOL, {"mood": MOOD.astype(str).replace({"1.0": "n/a?"})}, "input_refused", "not_a_number"),
        (SOL, {"mood": MOOD.shift(freq="4000D")}, "input_not_aligned", ""),
        (SOL, {"mood": MOOD.iloc[:0]}, "input_refused", "no_rows"),
        (SOL.assign(**{"Mood.Value": 1.0}), {"mood": MOOD}, "input_clash", ""),
        (SOL, {"mood": MOOD * 200.0}, "share_out_of_range", ""),
        (SOL, {"mood": MOOD.replace({1.0: np.inf})}, "share_out_of_range", ""),
        (SOL, [MOOD], "not_by_name", ""),
        (SOL, "mood", "not_by_name", ""),
        (SOL.tz_localize(None), {"mood": MOOD}, "input_time_zone", ""),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_table_that_cannot_be_used_is_refused(
    frame: pd.DataFrame, tables: dict[str, pd.DataFrame], code: str, reason: str
) -> None:
    own = spec("mood.value > 0", mood__value={"kind": "share" if code.startswith("share") else "move"})
    with pytest.raises(BacktestError) as caught:
        run_backtest(frame, own, inputs=tables)
    assert caught.value.code == code
    assert getattr(caught.value.fields.get("reason"), "code", "") == reason
    for language in LANGUAGES:
        assert "{" not in caught.value.sentence(language)


@pytest.mark.parametrize("value", [-0.5, 100.5, np.inf, -np.inf])
def test_a_share_of_the_prices_that_is_none_is_refused(value: float) -> None:
    table = SOL.assign(mood=50.0)
    table.iloc[7, -1] = value
    with pytest.raises(BacktestError, match="share_out_of_range") as caught:
        run_backtest(table, spec("mood > 0", mood={"kind": "share"}))
    assert caught.value.fields["row"] == 8


@pytest.mark.parametrize(
    ("condition", "inputs", "code"),
    [
        ("btc.close > 3", {}, "undeclared_input"),
        ("mood > 3", {}, "unknown_name"),
        ("close > 3", {"mood": {}}, "unused_input"),
        ("close > 3", {"volume": {}}, "reserved_input"),
        ("close > 3", {"rsi.value": {}}, "reserved_input"),
        ("close > 3", {"a.b.c": {}}, "input_name"),
        ("mood > n", {"mood": {}, "n": {}}, "input_is_parameter"),
        ("mood > 3", {"mood": {"kind": "mood"}}, "bad_field"),
        ("mood > 3", {"Mood": {}, "mood": {}}, "repeated_name"),
        ("mood > 120", {"mood": {"kind": "share"}}, "never_true"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    condition: str, inputs: dict[str, Any], code: str
) -> None:
    with pytest.raises(BacktestError) as caught:
        StrategySpec(name="x", params={"n": 1} if "n" in inputs else {}, entry_long=condition, inputs=inputs)
    assert caught.value.code == code


def test_a_column_that_knows_the_next_bar_fails_the_stress_tests() -> None:
    """Delays, costs and other paths leave the series as it is; the foresight in it is found."""
    tomorrow = SOL["close"].pct_change().shift(-1).fillna(0.0)
    own = StrategySpec(
        name="x", entry_long="signal > 0", exit_long="signal < 0", inputs={"signal": {"kind": "move"}}
    )
    case = StressCase.open(SOL.assign(signal=tomorrow), own, generator=np.random.default_rng(0))
    found = {one.name: one.outcome for one in stress_tests(case)}
    assert (found["look_ahead"], found["foresight"]) == ("passed", "failed")
    honest = StressCase.open(with_inputs(SOL, {"btc": BTC}, FILTERED), FILTERED, generator=case.generator)
    assert np.array_equal(
        honest.result.equity_values, run_backtest(SOL, FILTERED, inputs={"btc": BTC}).equity_values
    )
    assert {one.name: one.outcome for one in stress_tests(honest)}["look_ahead"] == "passed"
