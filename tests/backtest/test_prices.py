"""The door: forms of price data that are understood, and what is refused, with code and row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, PriceError, StrategySpec, run_backtest, sweep, validate_prices
from backtest.data.prices import check_volume
from backtest.engine.bank import IndicatorBank
from prompts import text


def good(rows: int = 6) -> pd.DataFrame:
    base = 100.0 + np.arange(rows)
    return pd.DataFrame(
        {"open": base, "high": base + 2, "low": base - 2, "close": base + 1, "volume": 10.0},
        index=pd.date_range("2024-03-01", periods=rows, freq="D"),
    )


def timed(values: Any, name: str = "timestamp") -> pd.DataFrame:
    return good(len(values)).reset_index(drop=True).assign(**{name: values})


NAIVE = pd.DatetimeIndex(["2024-03-01", "2024-03-02"])
EPOCH = 1_709_251_200  # 2024-03-01T00:00:00Z
FORMS: dict[str, tuple[pd.DataFrame, pd.DatetimeIndex]] = {
    "index": (good(2), NAIVE),
    "upper case": (good(2).rename(columns=str.upper), NAIVE),
    "extra columns": (good(2).assign(trades=5, note="x"), NAIVE),
    "prices as text": (good(2).astype(str), NAIVE),
    "ISO text": (timed(["2024-03-01", "2024-03-02"], "date"), NAIVE),
    "ISO text in UTC": (
        timed(["2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z"], "time"),
        NAIVE.tz_localize("UTC"),
    ),
    "text with changing offsets": (
        timed(["2024-03-01T01:00:00+01:00", "2024-03-02T02:00:00+02:00"], "datetime"),
        NAIVE.tz_localize("UTC"),
    ),
    "days at the midnights of a zone": (
        timed(["2024-03-01T00:00:00+01:00", "2024-03-02 00:00:00+01:00"], "date"),
        NAIVE,
    ),
    "days at the midnights of UTC": (
        timed(["2024-03-01T00:00:00+00:00", "2024-03-02T00:00:00+00:00"], "date"),
        NAIVE.tz_localize("UTC"),
    ),
    "seconds": (timed([EPOCH, EPOCH + 86_400]), NAIVE.tz_localize("UTC")),
    "milliseconds": (timed([EPOCH * 1_000, (EPOCH + 86_400) * 1_000], "Open time"), NAIVE.tz_localize("UTC")),
    "microseconds": (timed([EPOCH * 10**6, (EPOCH + 86_400) * 10**6], "open_time"), NAIVE.tz_localize("UTC")),
    "nanoseconds": (timed([EPOCH * 10**9, (EPOCH + 86_400) * 10**9]), NAIVE.tz_localize("UTC")),
    "float seconds": (timed([EPOCH + 0.0, EPOCH + 86_400.0]), NAIVE.tz_localize("UTC")),
    "index of stamps in two zones": (
        good(2).set_axis(
            pd.Index(
                [
                    pd.Timestamp("2024-02-29T19:00", tz="America/New_York"),
                    pd.Timestamp("2024-03-02T01:00", tz="Europe/Paris"),
                ],
                dtype=object,
            )
        ),
        NAIVE.tz_localize("UTC"),
    ),
    "named index of text": (good(2).set_axis(pd.Index(["2024-03-01", "2024-03-02"], name="Date")), NAIVE),
}


@pytest.mark.parametrize("form", FORMS)
def test_understood(form: str) -> None:
    df, index = FORMS[form]
    before = df.copy()
    found = validate_prices(df)
    assert list(found.columns) == ["open", "high", "low", "close", "volume"]
    assert (found.dtypes == np.float64).all()
    assert (found.index == index).all()
    np.testing.assert_array_equal(found.to_numpy(), good(len(index)).to_numpy())
    pd.testing.assert_frame_equal(df, before)
    pd.testing.assert_frame_equal(validate_prices(found), found)


def spoiled(row: int, **values: float) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        df = good()
        for name, value in values.items():
            df.iloc[row, df.columns.get_loc(name)] = value
        return df

    return make


def swapped() -> pd.DataFrame:
    return good().iloc[[0, 1, 3, 2, 4, 5]]


REFUSED: dict[str, tuple[Callable[[], Any], str, int | None]] = {
    "no table": (lambda: [1, 2], "not_a_table", None),
    "empty": (lambda: good().iloc[:0], "no_rows", None),
    "a column too few": (lambda: good().drop(columns="high"), "missing_column", None),
    "a column twice": (lambda: good().assign(Close=1.0), "repeated_column", None),
    "no time": (lambda: good().reset_index(drop=True), "missing_time", None),
    "unreadable time": (lambda: timed(["2024-03-01", "yesterday"]), "bad_time", 2),
    "missing time": (lambda: timed(["2024-03-01", None]), "bad_time", 2),
    "time zone in some rows": (
        lambda: timed(["2024-03-01T00:00Z", "2024-03-02T00:00"]),
        "mixed_time_zones",
        2,
    ),
    "time zone but in the first row": (
        lambda: timed(["2024-03-01T00:00", "2024-03-02T00:00Z", "2024-03-03T00:00"]),
        "mixed_time_zones",
        2,
    ),
    "time after 2261": (lambda: timed(["2024-03-01", "9999-12-31"]), "bad_time", 2),
    "epoch beyond 64 bits": (lambda: timed([float(EPOCH), 1e30]), "bad_time", 2),
    "unsigned epoch beyond 64 bits": (
        lambda: timed(np.array([EPOCH, 2**64 - 1], dtype=np.uint64)),
        "bad_time",
        2,
    ),
    "epoch in seconds after 2261": (lambda: timed([EPOCH, 99_999_999_999]), "time_out_of_range", 2),
    "seconds, then milliseconds": (
        lambda: timed([EPOCH, EPOCH + 86_400, (EPOCH + 2 * 86_400) * 1_000]),
        "mixed_epochs",
        3,
    ),
    "missing epoch": (lambda: timed([float(EPOCH), float("nan")]), "bad_time", 2),
    "unsorted": (swapped, "unsorted_time", 4),
    "reversed": (lambda: good().iloc[::-1], "unsorted_time", 2),
    "local times in autumn": (
        lambda: timed([f"2024-10-27 {one}" for one in ("02:00", "02:30", "02:00", "02:30", "03:00")]),
        "clock_went_back",
        3,
    ),
    "an hour repeated": (
        lambda: timed([f"2024-10-27 {one}" for one in ("01:00", "02:00", "02:00", "03:00")]),
        "clock_went_back",
        3,
    ),
    "an hour repeated and sorted": (
        lambda: timed([f"2024-10-27 {one}" for one in ("01:30", "02:00", "02:00", "02:30", "02:30")]),
        "clock_went_back",
        3,
    ),
    "one bar of an hour given twice": (
        lambda: (
            good(4)
            .iloc[[0, 1, 1, 2]]
            .set_axis(pd.to_datetime([f"2024-10-27 {one}" for one in ("01:00", "02:00", "02:00", "03:00")]))
        ),
        "duplicate_time",
        3,
    ),
    "stamps of several zones": (
        lambda: timed([pd.Timestamp("2024-03-01", tz="UTC"), pd.Timestamp("2024-03-02")]),
        "mixed_time_zones",
        2,
    ),
    "index of stamps with and without a zone": (
        lambda: good(2).set_axis(
            pd.Index([pd.Timestamp("2024-03-01", tz="UTC"), pd.Timestamp("2024-03-02")], dtype=object)
        ),
        "mixed_time_zones",
        2,
    ),
    "duplicate": (lambda: good().iloc[[0, 1, 1, 2]], "duplicate_time", 3),
    "NaN": (spoiled(2, close=np.nan), "nan_price", 3),
    "infinite": (spoiled(1, high=np.inf), "infinite_price", 2),
    "minus infinity": (spoiled(1, low=-np.inf), "infinite_price", 2),
    "infinity as text": (
        lambda: good().astype({"high": object}).assign(high=["103"] * 5 + ["inf"]),
        "infinite_price",
        6,
    ),
    "infinite volume": (spoiled(4, volume=np.inf), "bad_volume", 5),
    "zero": (spoiled(0, low=0.0), "non_positive_price", 1),
    "negative": (spoiled(5, open=-1.0), "non_positive_price", 6),
    "high below low": (spoiled(3, high=90.0), "high_below_low", 4),
    "close above the high": (spoiled(2, close=110.0), "price_outside_range", 3),
    "open below the low": (spoiled(2, open=99.0), "price_outside_range", 3),
    "no number": (
        lambda: good().astype({"close": object}).assign(close=["1"] * 5 + ["x"]),
        "not_a_number",
        6,
    ),
    "negative volume": (spoiled(2, volume=-1.0), "bad_volume", 3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, code, row = REFUSED[name]
    with pytest.raises(BacktestError) as caught:
        validate_prices(make())
    assert caught.value.code == code
    assert caught.value.fields.get("row") == row
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


def test_volume_may_be_missing_until_it_is_needed() -> None:
    df = good(30).drop(columns="volume")
    assert validate_prices(df)["volume"].isna().all()
    assert run_backtest(df, StrategySpec(name="x", entry_long="close > open")).metrics.n_trades == 1
    with pytest.raises(BacktestError, match="missing_volume"):
        run_backtest(df, StrategySpec(name="x", entry_long="volume > sma(volume, 5)"))


def test_rounding_of_adjusted_prices_is_forgiven() -> None:
    df = good()
    df.iloc[1, df.columns.get_loc("high")] = df["close"].iloc[1] * (1 - 1e-12)
    assert len(validate_prices(df)) == 6


def test_the_hour_that_autumn_repeats_is_named_with_what_to_do() -> None:
    half_hours = ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    with pytest.raises(BacktestError) as caught:
        validate_prices(timed([f"2024-10-27 {one}" for one in half_hours]))
    line = text("backtest.error.clock_went_back", "en", **caught.value.fields)
    assert "2024-10-27 02:00 to 03:00" in line
    assert "UTC" in line
    # What the line advises works.
    times = pd.DatetimeIndex([f"2024-10-27 {one}" for one in half_hours])
    local = good(6).set_axis(times).tz_localize("Europe/Paris", ambiguous="infer")
    assert len(validate_prices(local)) == 6


def test_volume_is_asked_for_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    df = good(60)
    df.iloc[41, df.columns.get_loc("volume")] = np.nan
    computed: list[Any] = []
    monkeypatch.setattr(IndicatorBank, "call", lambda self, node: computed.append(node))
    spec = StrategySpec(
        name="x", params={"n": 5}, entry_long="close > sma(close, n) and (mfi(14) > 50 or obv() > 1)"
    )
    for attempt in (
        lambda: run_backtest(df, spec),
        lambda: sweep(df, spec, {"n": [3, 4, 5]}),
        lambda: check_volume(validate_prices(df), spec),
    ):
        with pytest.raises(PriceError) as caught:
            attempt()
        assert (caught.value.code, caught.value.fields) == (
            "missing_volume",
            {"row": 42, "missing": 1, "bars": 60},
        )
    assert computed == []
    check_volume(validate_prices(df), StrategySpec(name="x", entry_long="close > open"))


def test_a_higher_timeframe_needs_volume_too() -> None:
    df = good(60).drop(columns="volume")
    with pytest.raises(PriceError, match="missing_volume"):
        run_backtest(df, StrategySpec(name="x", entry_long='at("1w", volume) > 5'))


@pytest.mark.parametrize(
    ("unit", "since"), [("ms", "1969-06-01"), ("us", "1969-06-01"), ("ns", "1970-01-01")]
)
@pytest.mark.parametrize("days", [1, 7, 365])
def test_epochs_of_one_unit_may_pass_through_1970(unit: str, since: str, days: int) -> None:
    index = pd.date_range(since, periods=5_000 // days + 1, freq=f"{days}D")
    found = validate_prices(timed(index.as_unit(unit).asi8))
    assert (found.index == index.tz_localize("UTC")).all()
