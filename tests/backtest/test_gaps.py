"""Bars that are not there: what counts as missing, and the three things that can be done about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import (
    Costs,
    PriceError,
    RequestError,
    StrategySpec,
    quality_report,
    run_backtest,
    validate_prices,
)
from backtest.data.gaps import Beat
from backtest.validation.walk_forward import walk_forward
from prompts import text


def history(index: pd.DatetimeIndex) -> pd.DataFrame:
    close = 100.0 + np.arange(len(index)) % 17
    return pd.DataFrame(
        {"open": close - 0.5, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0}, index=index
    )


HALF_HOURS = pd.date_range("2021-02-01", periods=2_000, freq="30min", tz="UTC")
# Outages of an exchange, as the bars that are missing behind row N.
OUTAGES = {100: 2, 400: 3, 700: 5, 1_000: 8, 1_300: 9, 1_700: 4}


def with_outages() -> pd.DataFrame:
    lost = [row + k for row, count in OUTAGES.items() for k in range(1, count + 1)]
    return history(HALF_HOURS).drop(HALF_HOURS[lost])


def test_accepted_gaps_change_nothing() -> None:
    df = with_outages()
    pd.testing.assert_frame_equal(
        validate_prices(df), validate_prices(df, gaps="accept", timeframe="30m"), check_freq=False
    )
    assert len(validate_prices(df)) == 2_000 - 31


def test_filled_bars_are_flat_at_the_last_close_and_without_volume() -> None:
    df = with_outages()
    found = validate_prices(df, gaps="fill")
    assert (found.index == HALF_HOURS).all()
    assert (found.index[found.pop("made_up")] == HALF_HOURS.difference(df.index)).all()
    pd.testing.assert_frame_equal(found.loc[df.index], validate_prices(df), check_freq=False)
    for row, count in OUTAGES.items():
        made = found.iloc[row + 1 : row + 1 + count]
        last = df.loc[HALF_HOURS[row], "close"]
        assert (made[["open", "high", "low", "close"]] == last).all(axis=None)
        assert (made["volume"] == 0.0).all()
    assert found.index.name == "time"
    report = quality_report(found)
    assert (report.missing_bars, report.zero_volume_bars, report.flat_bars) == (0, 31, 31)
    pd.testing.assert_frame_equal(validate_prices(found, gaps="fill"), found)


BUSY = {
    "levels": {
        "entry_long": "close > close[1]",
        "exit_long": "close < close[3]",
        "risk": {"stop_loss_pct": 0.4, "trailing_stop_pct": 0.6, "take_profit_pct": 0.9, "cooldown_bars": 1},
    },
    "both sides": {
        "entry_long": "crosses_above(sma(close, 2), sma(close, 5))",
        "exit_long": "falling(close, 1)",
        "entry_short": "crosses_below(sma(close, 2), sma(close, 5))",
        "exit_short": "rising(close, 1)",
    },
    "time": {"entry_long": "close == close[1]", "risk": {"max_bars": 2}},
}


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("name", BUSY)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_bar_that_was_made_up_fills_nothing(name: str, fill: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.004, 400)))
    opening = close * np.exp(random.normal(0, 0.003, 400))
    whole = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * 1.002,
            "low": np.minimum(opening, close) * 0.998,
            "close": close,
            "volume": 1.0,
        },
        index=HALF_HOURS[:400],
    )
    begins = random.choice(np.arange(20, 380), 12, replace=False)
    lost = np.unique([begin + k for begin in begins for k in range(random.integers(1, 9))])
    df = whole.drop(whole.index[lost])
    spec = StrategySpec(name=name, **BUSY[name])
    filled = validate_prices(df, gaps="fill")
    made_up = filled.index.difference(df.index)
    assert len(made_up) == len(lost)
    costs = Costs(fee_bps=3)
    trades = run_backtest(filled, spec, costs, fill).trades
    assert len(trades) > 5
    assert not trades["entry_time"].isin(made_up).any()
    assert not trades["exit_time"].isin(made_up).any()
    # A fill is at a price of that very bar.
    bars = df.reindex(trades["entry_time"])
    assert (trades["entry_price"].to_numpy() <= bars["high"].to_numpy()).all()
    assert (trades["entry_price"].to_numpy() >= bars["low"].to_numpy()).all()
    walked = walk_forward(filled, spec, None, costs, fill, folds=3)
    for fold in walked.folds:
        rows = fold.test.trades
        last = fold.test.index[-1]  # where the data ends the position is told at its last close
        assert not rows["entry_time"].isin(made_up).any()
        assert not rows.loc[rows["exit_time"] != last, "exit_time"].isin(made_up).any()


def test_orders_wait_for_the_first_real_open_and_may_be_called_off() -> None:
    """By hand: closes 10 11 | 11 11 11 | 20 21 22, three bars made up between."""
    closes = [10.0, 11.0, 11.0, 11.0, 11.0, 20.0, 21.0, 22.0]
    opens = [10.0, 10.5, 11.0, 11.0, 11.0, 19.0, 20.5, 21.5]
    df = pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, closes),
            "low": np.minimum(opens, closes),
            "close": closes,
            "made_up": [2 <= place <= 4 for place in range(8)],
        },
        index=HALF_HOURS[:8],
    )
    rising = StrategySpec(name="x", entry_long="close > close[1]", exit_long="close < open")
    first = run_backtest(df, rising).trades.iloc[0]
    assert (first["entry_time"], first["entry_price"]) == (HALF_HOURS[5], 19.0)
    # Bought at bar 1's close; the stop at 10.45 is never reached, the close of bar 2 asks to leave.
    leaving = rising.evolve(exit_long="close == close[1]", risk={"stop_loss_pct": 5.0})
    first = run_backtest(df, leaving, fill="close").trades.iloc[0]
    assert (first["entry_time"], first["exit_time"], first["exit_price"]) == (
        HALF_HOURS[1],
        HALF_HOURS[5],
        19.0,
    )
    # Decided at bar 1, called off at bar 2: nothing is bought at bar 5's open.
    off = run_backtest(df, rising.evolve(exit_long="close == close[1]")).trades
    assert off["entry_time"].tolist() == [HALF_HOURS[6]]
    timed = rising.evolve(entry_long="close == 11 and close[1] == 10", exit_long=None, risk={"max_bars": 2})
    first = run_backtest(df, timed, fill="close").trades.iloc[0]
    assert (first["exit_time"], first["exit_price"], first["bars"]) == (HALF_HOURS[5], 19.0, 3)


def test_a_level_that_an_outage_passes_is_filled_at_the_first_real_open() -> None:
    df = history(HALF_HOURS[:40])
    df.iloc[30:] *= 0.5
    df = df.drop(df.index[20:30])
    spec = StrategySpec(name="x", entry_long="close > 0", risk={"stop_loss_pct": 10.0})
    first = run_backtest(validate_prices(df, gaps="fill"), spec).trades.iloc[0]
    assert (first["exit_reason"], first["exit_time"]) == ("stop", HALF_HOURS[30])
    assert first["exit_price"] == df.loc[HALF_HOURS[30], "open"]


def test_marks_are_true_or_false() -> None:
    df = history(HALF_HOURS[:40]).assign(made_up=[0, 1] * 20)
    assert validate_prices(df)["made_up"].tolist() == [False, True] * 20
    with pytest.raises(PriceError) as caught:
        validate_prices(df.assign(made_up=["no"] * 40))
    assert caught.value.code == "not_a_mark"
    assert "made_up" in text("backtest.error.not_a_mark", "fr", **caught.value.fields)
    assert "made_up" not in validate_prices(df.assign(made_up=False))


def test_volume_that_nobody_knows_stays_unknown() -> None:
    found = validate_prices(with_outages().drop(columns="volume"), gaps="fill")
    assert found["volume"].isna().all()


def test_filled_bars_count_for_the_time_a_position_is_held() -> None:
    df = with_outages()
    spec = StrategySpec(name="x", entry_long="close > 0", risk={"max_bars": 50})
    accepted = run_backtest(validate_prices(df), spec).trades["exit_time"].iloc[0]
    filled = run_backtest(validate_prices(df, gaps="fill"), spec).trades["exit_time"].iloc[0]
    assert (accepted - filled) == pd.Timedelta(minutes=0)  # no gap in the first fifty bars
    spec = spec.evolve(risk={"max_bars": 200})
    accepted = run_backtest(validate_prices(df), spec).trades["exit_time"].iloc[0]
    filled = run_backtest(validate_prices(df, gaps="fill"), spec).trades["exit_time"].iloc[0]
    assert (accepted - filled) == pd.Timedelta(minutes=60)  # two missing bars at row 100


def test_gaps_are_refused_with_their_number_and_the_first() -> None:
    with pytest.raises(PriceError) as caught:
        validate_prices(with_outages(), gaps="refuse")
    assert caught.value.code == "gaps_refused"
    assert caught.value.fields == {
        "count": 6,
        "missing": 31,
        "after": HALF_HOURS[100].isoformat(),
        "before": HALF_HOURS[103].isoformat(),
    }
    for language in ("fr", "en"):
        assert "31" in text("backtest.error.gaps_refused", language, **caught.value.fields)
    assert len(validate_prices(history(HALF_HOURS), gaps="refuse")) == 2_000


def test_an_absurd_gap_is_not_filled() -> None:
    index = HALF_HOURS[:50].append(HALF_HOURS[50:52] + pd.Timedelta(days=365 * 200))
    assert quality_report(history(index)).missing_bars > 3_000_000
    with pytest.raises(PriceError, match="gaps_too_wide"):
        validate_prices(history(index), gaps="fill")


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown_gap_policy"):
        validate_prices(with_outages(), gaps="ignore")  # type: ignore[arg-type]


CONTRADICTIONS = {
    "30m on 4h bars": ("4h", "30m", "30m", "4h"),
    "4h on 30m bars": ("30min", "4H", "4h", "30m"),
    "daily on weekly bars": ("7D", "1d", "1d", "1w"),
    "a month on daily bars": ("D", "1M", "1mo", "1d"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradicted_timeframe_is_told_with_both(name: str) -> None:
    frequency, told, named, found = CONTRADICTIONS[name]
    df = history(pd.date_range("2024-01-01", periods=60, freq=frequency))
    with pytest.raises(PriceError) as caught:
        validate_prices(df, timeframe=told)
    assert (caught.value.code, caught.value.fields) == (
        "timeframe_contradicts",
        {"told": named, "found": found},
    )
    line = text("backtest.error.timeframe_contradicts", "en", **caught.value.fields)
    assert named in line
    assert found in line


@pytest.mark.parametrize(
    ("frequency", "told"),
    [("h", "60m"), ("h", "1H"), ("D", "24h"), ("B", "1d"), ("7D", "1w"), ("MS", "1mo"), ("QS", "3mo"),
     ("15min", "15 min"), ("7h", "7h")],
)  # fmt: skip
def test_every_spelling_of_the_right_timeframe_is_taken(frequency: str, told: str) -> None:
    df = history(pd.date_range("2024-01-01", periods=60, freq=frequency))
    assert len(validate_prices(df, timeframe=told)) == 60


def test_what_is_no_timeframe_is_refused() -> None:
    with pytest.raises(PriceError, match="no_timeframe"):
        validate_prices(history(HALF_HOURS), timeframe="soon")


def test_outages_of_sessions_are_filled_within_their_hours() -> None:
    days = pd.bdate_range("2024-02-26", periods=40)  # over the American clock change of 10 March
    times = [day + pd.Timedelta(minutes=570 + 30 * k) for day in days for k in range(13)]
    index = pd.DatetimeIndex(times).tz_localize("America/New_York")
    for lost in ([200, 201], list(range(11, 28)), [129, 130]):
        df = history(index.delete(lost))
        assert quality_report(df).missing_bars == len(lost)
        assert (validate_prices(df, gaps="fill").index == index).all()


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
def test_daily_bars_are_filled_at_local_midnight(zone: str) -> None:
    index = pd.date_range("2024-01-01", "2024-12-31", freq="D", tz=zone)
    lost = [index.get_loc(pd.Timestamp(day, tz=zone)) for day in ("2024-03-10", "2024-03-31", "2024-11-03")]
    assert (validate_prices(history(index.delete(lost)), gaps="fill").index == index).all()


@settings(max_examples=60, deadline=None)
@given(
    frequency=st.sampled_from(["1min", "7min", "30min", "90min", "h", "4h", "D", "B", "2D", "7D", "MS"]),
    lost=st.sets(st.integers(1, 298), max_size=40),
    zone=st.sampled_from([None, "UTC", "Europe/Paris"]),
)
def test_what_is_filled_is_what_was_told_missing(frequency: str, lost: set[int], zone: str | None) -> None:
    index = pd.date_range("2024-02-20", periods=300, freq=frequency, tz=zone).delete(sorted(lost))
    beat = Beat(index)
    rows, times = beat.missing_times() if beat.gaps else (np.empty(0), index[:0])
    assert len(rows) == len(times) == sum(gap.missing for gap in beat.gaps)
    assert not times.isin(index).any()
    assert times.is_monotonic_increasing
    found = validate_prices(history(index), gaps="fill")
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique


@pytest.mark.parametrize("step", ["1ns", "250ms"])
def test_ticks_have_no_beat_to_miss(step: str) -> None:
    index = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + np.arange(50) * pd.Timedelta(step)).delete([7, 8])
    assert quality_report(history(index)).gaps == ()
