"""Forecasts from price files: scores by an independent reference, outcomes already known, nothing later."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from feeds.builders.forecasts import PriceFolder, adjusted_closes, build_forecasts, daily_closes
from feeds.builders.scores import MINIMUM_BARS, SCORES, component_scores, forecast_row
from feeds.folder import DataFolder
from feeds.forecasts import read_forecasts
from feeds.partitions import parse_hour
from vault.errors import MarketError

HOUR = datetime(2024, 3, 14, 15, tzinfo=UTC)


def walk(count, seed=3):
    steps = np.random.default_rng(seed).normal(0.0004, 0.02, count)
    return 100.0 * np.exp(np.cumsum(steps))


def table(close, start, freq="D", **more):
    close = np.asarray(close)
    dates = pd.date_range(start, periods=len(close), freq=freq)
    bars = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1.0}
    return pd.DataFrame({"date": dates, **bars, **more})


def reference_scores(close):
    """The definitions in words, bar by bar."""
    daily = [math.nan, *(b / a - 1 for a, b in pairwise(close))]
    out = {name: [math.nan] * len(close) for name in SCORES}
    for t in range(len(close)):
        if t >= 63:
            window = daily[t - 62 : t + 1]
            mean = math.fsum(window) / 63
            volatility = math.sqrt(math.fsum((x - mean) ** 2 for x in window) / 63)
            out["momentum"][t] = math.tanh((close[t] / close[t - 63] - 1) / (volatility * math.sqrt(63)))
        if t >= 199:
            average = math.fsum(close[t - 199 : t + 1]) / 200
            out["trend"][t] = math.tanh((close[t] / average - 1) / (volatility * math.sqrt(100)))
        if t >= 19:
            window = close[t - 19 : t + 1]
            mean = math.fsum(window) / 20
            deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in window) / 20)
            out["mean_reversion"][t] = -math.tanh((close[t] - mean) / deviation / 2)
    return out


def test_scores_are_what_their_definitions_say():
    close = walk(400)
    found, expected = component_scores(close), reference_scores([float(x) for x in close])
    for name in SCORES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


def test_a_price_that_does_not_move_scores_nothing():
    row = forecast_row(pd.Series(np.full(400, 5.0)), "X", "1w")
    assert (row["direction"], row["final_score"], row["momentum_hit_rate"]) == ("flat", 0.0, None)


@pytest.mark.parametrize(("horizon", "bars"), [("1w", 5), ("1m", 21)])
def test_hit_rates_count_the_known_outcomes_one_by_one(horizon, bars):
    close = walk(500)
    row = forecast_row(pd.Series(close), "X", horizon)
    scores = reference_scores([float(x) for x in close])
    for name in SCORES:
        hits = calls = 0
        for t, score in enumerate(scores[name]):
            if t + bars < len(close) and abs(score) >= 0.15:
                calls += 1
                hits += (close[t + bars] > close[t]) == (score > 0)
        assert row[f"{name}_calls"] == calls
        assert row[f"{name}_hit_rate"] == pytest.approx(hits / calls, abs=5e-5)


@pytest.mark.parametrize("cut", [350, 400, 443])
def test_what_comes_later_changes_no_forecast(tmp_path, cut):
    close = walk(450)
    whole = table(close, "2023-01-01")
    planted = whole.copy()
    planted.loc[cut:, ["open", "high", "low", "close"]] = 1e6
    hour = datetime(2023, 1, 1, 12, tzinfo=UTC) + timedelta(days=cut)
    built = []
    for name, frame in (("whole", whole), ("planted", planted), ("short", whole.iloc[:cut])):
        folder = tmp_path / name
        folder.mkdir()
        frame.to_csv(folder / "X_1d.csv", index=False)
        built.append(build_forecasts(PriceFolder(folder), tmp_path / f"out_{name}", hour).rows)
    assert built[0] == built[1] == built[2]
    assert built[0][0]["origin"] == f"X_1d.csv#{cut}"


@pytest.mark.parametrize(
    ("freq", "close_hours", "hour", "last_row"),
    [
        ("D", 24, "2024-03-14T15", 438),  # the 13th ended at midnight
        ("D", 21, "2024-03-14T20", 438),
        ("D", 21, "2024-03-14T21", 439),
        ("D", 24, "2024-03-15T00", 439),
    ],
)
def test_a_daily_bar_is_known_at_its_close(freq, close_hours, hour, last_row):
    closes = daily_closes(
        adjusted_closes(table(walk(500), "2023-01-01", freq)), parse_hour(hour), close_hours
    )
    assert (closes.last_row, len(closes.close), closes.continuous) == (last_row, last_row, True)


def test_weekdays_are_those_of_the_bars():
    frame = table(walk(400), "2023-01-01").assign(date=pd.bdate_range("2022-06-01", periods=400))
    assert not daily_closes(adjusted_closes(frame), HOUR, 24).continuous  # Friday's bar is known on Saturday


def test_shorter_bars_are_sampled_at_the_hours_own_time_of_day():
    frame = table(np.arange(1.0, 24 * 20 + 1), "2024-03-01T00:00Z", "h")
    closes, row, continuous = daily_closes(adjusted_closes(frame), datetime(2024, 3, 14, 15, tzinfo=UTC), 24)
    assert continuous
    # The bar that begins at 14:00 ends at 15:00; its close is its number, counted from 1 March at 00:00.
    assert row == 13 * 24 + 15
    assert list(closes.iloc[-3:]) == [row - 48, row - 24, row]
    assert closes.index[-1] == pd.Timestamp("2024-03-14T15")


def test_adjustments_for_dividends_and_splits_are_applied():
    close = walk(400)
    split = np.where(np.arange(400) < 200, 2.0, 1.0)
    frame = table(close * split, "2023-01-01", adj_factor=1.0 / split)
    np.testing.assert_allclose(
        daily_closes(adjusted_closes(frame), HOUR, 24).close.to_numpy(), close, rtol=1e-12
    )
    named = table(close * split, "2023-01-01", **{"Adj Close": close})
    np.testing.assert_allclose(
        daily_closes(adjusted_closes(named), HOUR, 24).close.to_numpy(), close, rtol=1e-12
    )
    with pytest.raises(MarketError) as caught:
        adjusted_closes(table(close, "2023-01-01", adj_factor=[1.0] * 399 + [0.0]))
    assert (caught.value.code, caught.value.fields["row"]) == ("bad_adjustment", 400)


def test_a_folder_of_every_layout_is_written_as_the_readers_want_it(tmp_path):
    prices, root = tmp_path / "prices", tmp_path / "data"
    nested = prices / "ticker=QQQ/prices.parquet"
    nested.parent.mkdir(parents=True)
    weekdays = pd.bdate_range(end="2024-03-13", periods=400)
    frame = table(walk(400), "2023-01-01")
    titled = frame.rename(columns=str.title).assign(Date=weekdays)
    titled.set_index("Date").to_parquet(nested)
    table(walk(500, 5), "2022-11-01").to_csv(prices / "BTCUSDT_1d.csv", index=False)
    table(walk(100), "2023-12-01").to_csv(prices / "SHORT_1d.csv", index=False)
    table(walk(400), "2021-01-01").to_csv(prices / "OLD_1d.csv", index=False)
    table(walk(400), "2020-01-01", "7D").to_csv(prices / "WEEK_1w.csv", index=False)
    (prices / "BROKEN.csv").write_text("date,open\n2024-01-01,1\n", encoding="utf-8")
    (prices / "notes.txt").write_text("not prices", encoding="utf-8")
    told = []
    built = build_forecasts(
        PriceFolder(prices), root, HOUR, watch=lambda what, error: told.append((what, error))
    )
    assert built.tickers == ("BTCUSDT", "QQQ")
    assert sorted(what for what, error in told if error is not None) == sorted(built.left_out)
    assert {error.code for _, error in told if error is not None} == {
        "too_few_rows",
        "stale_prices",
        "bars_too_long",
        "missing_column",
    }
    assert built.partition == root / "forecast/dt=2024031415"
    found = read_forecasts(DataFolder(root), HOUR)
    assert found.problems == []
    assert found.missing == []
    assert {(row.ticker, row.horizon) for row in found.rows} == {
        (ticker, horizon) for ticker in ("BTCUSDT", "QQQ") for horizon in ("1w", "1m")
    }
    assert {row.origin for row in found.rows} == {"BTCUSDT_1d.csv#499", "ticker=QQQ/prices.parquet#400"}
    assert PriceFolder(prices / "BTCUSDT_1d.csv").files == [("BTCUSDT", prices / "BTCUSDT_1d.csv")]
    assert all(row.momentum is not None and row.trend_hit_rate is not None for row in found.rows)
    assert read_forecasts(DataFolder(root), HOUR - timedelta(hours=1)).rows == []
    for name in ("final.parquet", "forecasts.parquet"):
        columns = set(pd.read_parquet(built.partition / name).columns)
        assert {"dt", "ticker", "horizon", "direction", "confidence", "expected_return"} <= columns


def test_nothing_to_write_writes_nothing(tmp_path):
    (tmp_path / "prices").mkdir()
    with pytest.raises(MarketError) as caught:
        build_forecasts(PriceFolder(tmp_path / "prices"), tmp_path / "data", HOUR)
    assert caught.value.code == "no_forecasts"
    assert not (tmp_path / "data").exists()
    with pytest.raises(MarketError) as caught:
        PriceFolder(tmp_path / "none")
    assert caught.value.code == "missing_folder"


def test_minimum_is_told():
    with pytest.raises(ValueError, match="300 needed"):
        forecast_row(pd.Series(walk(MINIMUM_BARS - 1)), "X", "1w")
