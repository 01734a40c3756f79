"""The quality report on made-up histories whose faults are known, and its command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest import quality_report
from threadx.command import main


def history(index: pd.DatetimeIndex) -> pd.DataFrame:
    random = np.random.default_rng(2)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, len(index))))
    return pd.DataFrame(
        {"open": close, "high": close * 1.001, "low": close * 0.999, "close": close, "volume": 5.0},
        index=index,
    )


ROUND_THE_CLOCK = pd.date_range("2024-03-01", periods=3_000, freq="30min", tz="UTC")


def test_gaps_volume_and_outliers_are_found_where_they_were_put() -> None:
    df = history(ROUND_THE_CLOCK)
    df.iloc[70, df.columns.get_loc("volume")] = 0.0
    df.iloc[2_000:, :4] *= 1.5
    df = df.drop(df.index[[100, 101, 102, 900, 1_500, 1_501]])
    report = quality_report(df)
    assert [(gap.after, gap.before, gap.missing) for gap in report.gaps] == [
        (ROUND_THE_CLOCK[99], ROUND_THE_CLOCK[103], 3),
        (ROUND_THE_CLOCK[899], ROUND_THE_CLOCK[901], 1),
        (ROUND_THE_CLOCK[1_499], ROUND_THE_CLOCK[1_502], 2),
    ]
    assert (report.rows, report.missing_bars, report.zero_volume_bars) == (2_994, 6, 1)
    assert (report.timeframe, report.time_zone, report.sessions) == ("30m", "UTC", False)
    (outlier,) = report.outliers
    assert outlier.time == ROUND_THE_CLOCK[2_000]
    assert df.index[outlier.row - 1] == outlier.time
    assert outlier.change == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", None])
def test_a_clock_change_is_no_gap(zone: str | None) -> None:
    index = ROUND_THE_CLOCK if zone is None else ROUND_THE_CLOCK.tz_convert(zone)
    assert quality_report(history(index)).missing_bars == 0


def test_nights_and_weekends_of_sessions_are_no_gaps() -> None:
    days = pd.bdate_range("2024-02-01", periods=60)
    times = [day + pd.Timedelta(minutes=570 + 30 * k) for day in days for k in range(13)]
    index = pd.DatetimeIndex(times).tz_localize("America/New_York")
    report = quality_report(history(index))
    assert (report.sessions, report.missing_bars, report.gaps) == (True, 0, ())
    report = quality_report(history(index.delete([200, 201])))
    assert [gap.missing for gap in report.gaps] == [2]


def test_daily_bars_of_shares_and_a_holiday() -> None:
    index = pd.bdate_range("2024-01-01", periods=200)
    assert quality_report(history(index)).missing_bars == 0
    assert quality_report(history(index.delete(50))).missing_bars == 1


def test_irregular_flat_and_unknown() -> None:
    df = history(ROUND_THE_CLOCK[:50])
    df.index = df.index[:49].append(df.index[49:] + pd.Timedelta(minutes=7))
    df[["high", "low"]] = np.column_stack([df["close"], df["close"]])
    report = quality_report(df.drop(columns="volume"))
    assert (report.irregular_bars, report.flat_bars, report.zero_volume_bars) == (1, 50, None)
    one = quality_report(df.iloc[:1])
    assert (one.rows, one.timeframe, one.gaps, one.outliers) == (1, None, (), ())


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_command_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    path = tmp_path / "TEST_30m.parquet"
    history(ROUND_THE_CLOCK).drop(ROUND_THE_CLOCK[10:14]).to_parquet(path)
    out = tmp_path / "report.json"
    given = ["data", "check", str(path), "--language", language, "--home", str(tmp_path), "--json"]
    with pytest.raises(SystemExit) as left:
        main([*given, str(out)])
    assert left.value.code == 0
    assert "30m" in capsys.readouterr().out
    assert json.loads(out.read_text(encoding="utf-8"))["missing_bars"] == 4
    with pytest.raises(SystemExit):
        main([*given, "-"])
    assert json.loads(capsys.readouterr().out)["gaps"][0]["missing"] == 4


def test_the_command_refuses_bad_files_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    history(ROUND_THE_CLOCK[[0, 2, 1, 3]]).to_csv(path)
    for name in (path, tmp_path / "none.csv", tmp_path / "no.xyz"):
        with pytest.raises(SystemExit) as left:
            main(["data", "check", str(name), "--home", str(tmp_path)])
        told = capsys.readouterr()
        assert (left.value.code, told.out, len(told.err.strip().splitlines())) == (2, "", 1)


def near_a_hundred(rows: int = 300, seed: int = 1) -> pd.DataFrame:
    """Bars of 30 minutes at 100 ± 0.3."""
    random = np.random.default_rng(seed)
    close = 100.0 + random.uniform(-0.3, 0.3, rows)
    opened = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) + random.uniform(0.0, 0.1, rows),
            "low": np.minimum(opened, close) - random.uniform(0.0, 0.1, rows),
            "close": close,
            "volume": 5.0,
        },
        index=pd.date_range("2024-03-01", periods=rows, freq="30min", tz="UTC"),
    )


@pytest.mark.parametrize("row", [0, 1, 57, 298, 299])
@pytest.mark.parametrize(
    ("spoilt", "columns"),
    [
        ({"high": 500.0}, ["high"]),
        ({"low": 1.0}, ["low"]),
        ({"high": 500.0, "low": 1.0}, ["high", "low"]),
        ({"open": 500.0, "high": 500.0}, ["high"]),
        ({"open": 20.0, "low": 20.0}, ["low"]),
        ({"high": 110.0}, ["high"]),
        ({"low": 92.0}, ["low"]),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e6])
def test_a_bad_tick_is_found_in_whatever_column_it_stands(
    row: int, spoilt: dict[str, float], columns: list[str], scale: float
) -> None:
    df = near_a_hundred()
    for name, value in spoilt.items():
        df.iloc[row, df.columns.get_loc(name)] = value
    df.iloc[:, :4] *= scale
    report = quality_report(df)
    assert [(one.column, one.row, one.time) for one in report.outliers] == [
        (name, row + 1, df.index[row]) for name in columns
    ]


@pytest.mark.parametrize("seed", range(5))
def test_usual_bars_are_no_outliers(seed: int) -> None:
    assert quality_report(near_a_hundred(seed=seed)).outliers == ()
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.01 * random.standard_normal(3_000)))
    opened = np.concatenate([[100.0], close[:-1]])
    wicks = np.abs(0.01 * random.standard_normal((2, 3_000)))
    df = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wicks[0]),
            "low": np.minimum(opened, close) / (1 + wicks[1]),
            "close": close,
        },
        index=pd.date_range("2010-01-04", periods=3_000, freq="B"),
    )
    assert quality_report(df).outliers == ()


def test_one_bad_tick_among_prices_that_never_move() -> None:
    df = near_a_hundred()
    df.loc[:, ["open", "high", "low", "close"]] = 100.0
    assert quality_report(df).outliers == ()
    df.iloc[40, df.columns.get_loc("high")] = 500.0
    assert [(one.column, one.row) for one in quality_report(df).outliers] == [("high", 41)]


@pytest.mark.parametrize(("language", "high"), [("fr", "plus haut"), ("en", "high")])
def test_the_command_names_wicks_and_how_the_file_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, high: str
) -> None:
    df = near_a_hundred()
    df.iloc[57, df.columns.get_loc("high")] = 500.0
    times = df.index.tz_localize(None).strftime("%d/%m/%Y %H:%M")
    df.set_axis(times, axis=0).rename_axis("Date").to_csv(tmp_path / "a.csv", sep=";", decimal=",")
    given = ["data", "check", str(tmp_path / "a.csv"), "--language", language, "--home", str(tmp_path)]
    with pytest.raises(SystemExit) as left:
        main(given)
    told = capsys.readouterr().out
    assert left.value.code == 0
    assert high in told
    assert "01/03/2024 00:00" in told
    with pytest.raises(SystemExit):
        main([*given, "--json", "-"])
    written = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in written["notices"]] == ["decimal_comma", "day_first"]
    assert [(one["column"], one["row"]) for one in written["outliers"]] == [("high", 58)]
