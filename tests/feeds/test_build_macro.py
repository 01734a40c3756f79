"""Macro forecasts from series: what was public at the hour, and the rows behind each figure."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from feeds.builders.macro import build_macro
from feeds.builders.regime import recession_odds
from feeds.builders.series import SeriesArchive
from feeds.folder import DataFolder
from feeds.macro import FIGURES, read_macro
from feeds.partitions import parse_hour
from vault.errors import MarketError

HOUR = datetime(2016, 7, 15, 14, tzinfo=UTC)


def monthly(values, last="2016-05-01"):
    return pd.date_range(end=last, periods=len(values), freq="MS"), values


def csv(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def vintage(folder, day, *, last="2016-05-01", **series):
    size = max(map(len, series.values()))
    dates = pd.date_range(end=last, periods=size, freq="MS").strftime("%Y-%m-%d")
    return csv(folder / f"macro_vintage_{day}.csv", date=dates, **series)


def test_an_hour_sees_the_vintage_of_its_time(tmp_path):
    base = [100.0] * 12
    vintage(tmp_path, "2016-06-29", INDPRO=[*base, 103.0])
    vintage(tmp_path, "2016-07-29", INDPRO=[*base, 110.0])
    for hour, growth in (
        ("2016-06-30T00", 0.03),
        ("2016-07-29T23", 0.03),  # a vintage counts from the end of its day
        ("2016-07-30T00", 0.10),
    ):
        built = build_macro(SeriesArchive([tmp_path]), tmp_path / "out", parse_hour(hour))
        assert built.rows[0]["growth_yoy"] == pytest.approx(growth)
        assert built.unvintaged == ()
    with pytest.raises(MarketError) as caught:
        build_macro(SeriesArchive([tmp_path]), tmp_path / "out", parse_hour("2016-06-29T23"))
    assert caught.value.code == "no_macro"


def test_vintages_in_columns_and_in_rows(tmp_path):
    dates = ["2016-04-01", "2016-05-01"]
    csv(tmp_path / "a/UNRATE.csv", DATE=dates, UNRATE_20160603=[5.0, 4.7], UNRATE_20160708=[5.0, 4.9])
    csv(
        tmp_path / "b/UNRATE.csv",
        date=[*dates, *dates],
        value=[5.0, 4.7, 5.0, 4.9],
        realtime_start=["2016-06-03"] * 2 + ["2016-07-08"] * 2,
        series_id="UNRATE",
    )
    for folder in ("a", "b"):
        for day, value in (("2016-06-04", 4.7), ("2016-07-08", 4.7), ("2016-07-09", 4.9)):
            table = SeriesArchive([tmp_path / folder]).known(parse_hour(f"{day}T00")).table
            assert list(table["value"]) == [5.0, value]
            assert list(table["series"]) == ["UNRATE"] * 2


@pytest.mark.parametrize(
    ("series", "dates", "known"),
    [
        ("UNRATE", ["2016-05-01", "2016-06-01"], "2016-07-11"),  # ten days behind the month's end
        ("CPIAUCSL", ["2016-05-01", "2016-06-01"], "2016-07-21"),
        ("GDPC1", ["2016-01-01", "2016-04-01"], "2016-08-05"),
        ("DGS10", ["2016-07-13", "2016-07-14"], "2016-07-16"),
        ("OTHER", ["2016-05-01", "2016-06-01"], "2016-08-15"),
    ],
)
def test_without_vintages_a_value_waits_for_its_publication(tmp_path, series, dates, known):
    path = csv(tmp_path / f"{series}.csv", observation_date=dates, **{series: [1.0, 2.0]})
    before = SeriesArchive([path]).known(
        parse_hour(f"{pd.Timestamp(known) - pd.Timedelta(hours=1):%Y-%m-%dT%H}")
    )
    after = SeriesArchive([path]).known(parse_hour(f"{known}T00"))
    assert list(before.table["value"]) == [1.0]
    assert list(after.table["value"]) == [1.0, 2.0]
    assert after.unvintaged == (() if series == "DGS10" else (series,))


def test_a_series_with_vintages_takes_nothing_else(tmp_path):
    vintage(tmp_path, "2016-06-29", UNRATE=[5.0, 4.7])
    csv(tmp_path / "UNRATE.csv", DATE=["2016-04-01", "2016-05-01"], UNRATE=[9.0, 9.0])
    assert list(SeriesArchive([tmp_path]).known(HOUR).table["value"]) == [5.0, 4.7]


def curve(path, scale, names, days=70):
    dates = pd.bdate_range(end="2016-07-14", periods=days)
    return csv(
        path, date=dates.strftime("%m/%d/%Y"), **{n: np.full(days, v * scale) for n, v in names.items()}
    )


@pytest.mark.parametrize("scale", [1.0, 0.01], ids=["percent", "fractions"])
@pytest.mark.parametrize("form", ["{}year", "{} Yr", "{}y"])
def test_a_curve_by_maturity(tmp_path, scale, form):
    names = {form.format(10): 1.5, form.format(2): 0.7}
    path = curve(tmp_path / "curve.csv", scale, names)
    built = build_macro(SeriesArchive([path]), tmp_path / "out", HOUR)
    assert built.rows[0]["yield_curve_slope"] == pytest.approx(0.8)
    assert built.inputs["slope"] == "DGS10-DGS2"
    assert built.origins["yield_curve_slope"] == ["curve.csv#69"]  # the 13th: the 14th was public on the 16th


def test_fred_folders_marks_of_absence_and_bad_cells(tmp_path):
    folder = tmp_path / "macro/series_id=UNRATE"
    folder.mkdir(parents=True)
    dates, values = monthly([5.0, 4.9, 4.7])
    pd.DataFrame({"date": dates, "value": values}).to_parquet(folder / "series.parquet")
    csv(tmp_path / "DGS10.csv", DATE=["2016-07-11", "2016-07-12", "2016-07-13"], DGS10=["1.4", ".", "many"])
    csv(tmp_path / "words.csv", name=["x"], other=["y"])
    known = SeriesArchive([tmp_path]).known(HOUR)
    assert set(known.table["series"]) == {"UNRATE", "DGS10"}
    assert known.refused == [("DGS10.csv", 3, "DGS10", "many")]
    assert [(file, error.code) for file, error in known.left_out] == [("words.csv", "unreadable_series")]


def test_figures_and_their_rows(tmp_path):
    index = 200.0 * 1.02 ** (np.arange(40) / 12)
    index[-1] = index[-13] * 1.03
    vintage(tmp_path, "2016-06-29", CPIAUCSL=index, UNRATE=[5.0] * 39 + [4.7], INDPRO=index)
    csv(
        tmp_path / "spreads.csv",
        date=pd.bdate_range(end="2016-07-13", periods=100).strftime("%Y-%m-%d"),
        BAA10Y=np.linspace(2.0, 3.0, 100),
        VIXCLS=[20.0] * 99 + [13.0],
    )
    built = build_macro(SeriesArchive([tmp_path]), tmp_path / "out", HOUR)
    row = built.rows[0]
    assert row["growth_yoy"] == pytest.approx(0.03)
    assert row["inflation_change"] == pytest.approx(0.01)
    assert row["unemployment"] == 4.7  # fewer than 60 months: as it is
    assert (row["credit_spread"], row["credit_spread_rank"]) == (3.0, 0.99)
    assert (row["volatility"], row["volatility_rank"]) == (13.0, 0.0)
    assert row["recession_prob"] is None
    assert built.origins["inflation_yoy"] == [
        "macro_vintage_2016-06-29.csv#40",
        "macro_vintage_2016-06-29.csv#28",
    ]
    assert built.origins["volatility"] == ["spreads.csv#100"]
    found = read_macro(DataFolder(tmp_path / "out"), HOUR)
    assert found.problems == []
    assert [one.horizon for one in found.rows] == ["1m", "3m", "12m"]
    assert found.rows[0].growth_yoy == row["growth_yoy"]
    assert found.origins["growth_yoy"] == built.origins["growth_yoy"]
    assert found.absent == ["yield_curve_slope", "recession_prob"]
    beside = json.loads((built.partition / "macro_forecast.json").read_text(encoding="utf-8"))
    assert (beside["asof"], beside["horizons"]) == (HOUR.isoformat(), ["1m", "3m", "12m"])
    assert set(FIGURES) <= set(pd.read_parquet(built.partition / "macro_forecast.parquet").columns)


def test_the_future_of_every_series_leaves_no_trace(tmp_path):
    rng = np.random.default_rng(1)
    days = pd.bdate_range(end="2017-06-30", periods=3000)
    months = pd.date_range(end="2017-06-01", periods=300, freq="MS")
    files = {
        "yields": pd.DataFrame(
            {"date": days, "DGS10": 4 + rng.normal(size=3000), "DGS3MO": 2.0, "DGS2": 3.0}
        ),
        "monthly": pd.DataFrame(
            {"date": months, "CPIAUCSL": 100 + np.arange(300.0), "UNRATE": 5.0, "BAA": 6.0}
        ),
    }
    results = []
    for name, bend in (("true", False), ("planted", True)):
        folder = tmp_path / name
        folder.mkdir()
        for stem, table in files.items():
            table = pd.DataFrame(table)
            if bend:
                table.loc[table["date"] > "2016-07-14", table.columns[1:]] = 77.0
            table.to_csv(folder / f"{stem}.csv", index=False)
        results.append(build_macro(SeriesArchive([folder]), folder / "out", HOUR))
    assert results[0].rows == results[1].rows
    assert results[0].rows[0]["recession_prob"] is not None


def test_recession_odds_count_the_nearest_fifth():
    index = pd.date_range("1985-01-01", "2016-06-01", freq="MS")
    rng = np.random.default_rng(2)
    values = rng.normal(size=len(index))
    found = recession_odds(pd.Series(values, index=index), 3)
    slumps = set()
    for first, last in (("1990-07", "1991-03"), ("2001-03", "2001-11"), ("2007-12", "2009-06")):
        slumps |= {str(month) for month in pd.period_range(first, last, freq="M")[1:]}
    dated = len(index) - 24
    outcomes = [
        any(str(index[place].to_period("M") + ahead) in slumps for ahead in range(4))
        for place in range(dated)
    ]
    order = sorted(range(dated), key=lambda place: (abs(values[place] - values[-1]), place))
    nearest = order[: -(-dated // 5)]
    base = sum(outcomes) / dated
    expected = (sum(outcomes[place] for place in nearest) + 24 * base) / (len(nearest) + 24)
    assert found == pytest.approx(expected, abs=5e-5)


def test_series_by_hand_and_their_errors(tmp_path):
    path = csv(
        tmp_path / "yields.csv", date=pd.date_range("2015-06-01", "2016-05-01", freq="MS"), AAA=3.0, BAA=4.5
    )
    built = build_macro(SeriesArchive([path]), tmp_path / "out", HOUR, use={"credit_spread": "baa-aaa"})
    assert built.rows[0]["credit_spread"] == 1.5
    for use, code in (({"credit_spread": "NOPE"}, "missing_series"), ({"rain": "AAA"}, "unknown_input")):
        with pytest.raises(MarketError) as caught:
            build_macro(SeriesArchive([path]), tmp_path / "none", HOUR, use=use)
        assert caught.value.code == code
    with pytest.raises(MarketError) as caught:
        SeriesArchive([tmp_path / "none.csv"])
    assert caught.value.code == "missing_file"
    assert not (tmp_path / "none").exists()


def test_old_series_say_nothing_and_prices_give_volatility(tmp_path):
    csv(tmp_path / "series/UNRATE.csv", date=["2014-05-01", "2014-06-01"], UNRATE=[5.0, 5.0])
    close = np.where(np.arange(120) % 2, 101.0, 100.0)
    prices = csv(
        tmp_path / "SPY_1d.csv",
        date=pd.bdate_range(end="2016-07-14", periods=120),
        open=close,
        high=close,
        low=close,
        close=close,
    )
    built = build_macro(SeriesArchive([tmp_path / "series"]), tmp_path / "out", HOUR, prices=prices)
    assert built.inputs == {"volatility": "SPY_1d.csv"}
    # Returns alternate between +1 % and −0.99 %: 21 of them deviate by 0.995 % · sqrt(1 − 1/21²).
    assert built.rows[0]["volatility"] == pytest.approx(
        0.99505 * np.sqrt(1 - 1 / 441) * np.sqrt(252), rel=1e-3
    )
    assert built.rows[0]["unemployment"] is None
    assert built.origins["volatility"] == ["SPY_1d.csv#120"]
