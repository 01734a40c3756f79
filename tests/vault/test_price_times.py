"""Times as numbers: what counts time since 1970 is read, whole-number dates are read, the rest is refused."""

import datetime

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, validate_prices
from prompts import text
from tests.laws import combined, pairs
from tests.prices import made_up_prices
from vault.readers.options import Reading
from vault.readers.prices import read_frame, read_prices

ROWS = 60
DAYS = pd.date_range("2024-01-02", periods=ROWS, freq="B")
MINUTES = pd.date_range("2024-01-02 09:00", periods=ROWS, freq="15min")
FORMS = ("%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
KINDS = ("int64", "float64", "text", "csv", "parquet", "json", "named index")


def timed(numbers):
    return made_up_prices(rows=len(numbers)).reset_index(drop=True).assign(date=np.asarray(numbers))


def held(frame, kind, folder):
    """What a door is given: the same table in the shapes in which people have it."""
    match kind:
        case "int64" | "float64":
            return lambda: validate_prices(frame.astype({"date": kind}))
        case "text":
            return lambda: validate_prices(frame.astype({"date": str}))
        case "named index":
            return lambda: validate_prices(frame.set_index("date"))
        case "csv":
            frame.to_csv(folder / "a.csv", index=False)
        case "parquet":
            frame.to_parquet(folder / "a.parquet")
        case "json":
            frame.to_json(folder / "a.json", orient="records")
    return lambda: read_prices(str(folder / f"a.{kind}"), folder)[0]


STARTS = ("1950-03-01", "1970-01-05", "1999-12-20", "2024-01-02")


@pytest.mark.parametrize(("kind", "form", "start"), pairs(KINDS, FORMS, STARTS))
def test_dates_as_whole_numbers_are_dates(tmp_path, kind, form, start):
    freq = {"%Y%m%d": "B", "%Y%m%d%H": "h"}.get(form, "15min")
    index = pd.date_range(start, periods=ROWS, freq=freq)
    found = held(timed(index.strftime(form).astype("int64")), kind, tmp_path)()
    assert (found.index == index).all()


LOOKS = {
    "rows from 0": (range(ROWS), "time_is_row_number"),
    "rows from 1": (range(1, ROWS + 1), "time_is_row_number"),
    "years": (range(1960, 1960 + ROWS), "time_is_year"),
    "a spreadsheet's days": (range(45_000, 45_000 + ROWS), "time_is_excel"),
    "a spreadsheet's days of old": (range(12_000, 12_000 + 7 * ROWS, 7), "time_is_excel"),
    "every tenth row": (range(0, 10 * ROWS, 10), "time_out_of_range"),
    "later rows": (range(500, 500 + ROWS), "time_out_of_range"),
    "short years": (DAYS.strftime("%y%m%d").astype("int64"), "time_out_of_range"),
    "days first": (DAYS.sort_values().strftime("%d%m%Y").astype("int64"), None),
    "epochs that end in 1979": (range(0, ROWS * 5_000_000, 5_000_000), "time_out_of_range"),
    "epochs of the next century": (
        range(5_000_000_000, 5_000_000_000 + ROWS * 86_400, 86_400),
        "time_out_of_range",
    ),
    "seconds of the day": (range(34_200, 34_200 + 300 * ROWS, 300), None),
    "minutes of the day": (range(570, 570 + 5 * ROWS, 5), "time_out_of_range"),
    "matlab's days": (range(738_000, 738_000 + ROWS), "time_out_of_range"),
    "julian days": (range(2_460_000, 2_460_000 + ROWS), "time_out_of_range"),
    "days since 1970": (range(19_000, 19_000 + ROWS), "time_is_excel"),
    "hours since 1970": (range(474_000, 474_000 + ROWS), "time_out_of_range"),
    "minutes since 1970": (range(28_000_000, 28_000_000 + 15 * ROWS, 15), "time_out_of_range"),
}


@pytest.mark.parametrize(("kind", "name"), combined(KINDS, [*LOOKS], times=2))
def test_other_numbers_are_no_times(tmp_path, kind, name):
    numbers, code = LOOKS[name]
    with pytest.raises(BacktestError) as caught:
        held(timed(list(numbers)), kind, tmp_path)()
    if code is None:  # one of several refusals; never an answer
        code = caught.value.code
        assert code in ("time_out_of_range", "time_is_excel", "bad_time")
    assert caught.value.code == code
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


BEGINNINGS = ("1928-01-03", "1969-11-03", "1990-01-01", "2024-01-01")


@pytest.mark.parametrize(("kind", "unit", "start"), pairs(KINDS, ("s", "ms", "us", "ns"), BEGINNINGS))
def test_epochs_that_reach_our_days_are_read(tmp_path, kind, unit, start):
    """Daily histories may begin long before 1970, with negative epochs, and reach our days."""
    index = pd.date_range(start, "2024-06-28", freq="W-FRI", tz="UTC").as_unit(unit)
    numbers = index.asi8
    if kind == "float64" and unit == "ns":
        numbers = numbers // 2**11 * 2**11  # what 53 bits hold
    found = held(timed(numbers), kind, tmp_path)()
    assert (found.index == pd.DatetimeIndex(numbers.astype(f"datetime64[{unit}]")).tz_localize("UTC")).all()


def test_the_end_of_next_year_is_the_limit():
    for years, good in ((1, True), (2, False)):
        last = datetime.datetime(datetime.datetime.now(datetime.UTC).year + years, 6, 1, tzinfo=datetime.UTC)
        numbers = [int(last.timestamp()) - 86_400 * back for back in reversed(range(ROWS))]
        if good:
            assert len(validate_prices(timed(numbers))) == ROWS
        else:
            with pytest.raises(BacktestError) as caught:
                validate_prices(timed(numbers))
            assert caught.value.code == "time_out_of_range"


@pytest.mark.parametrize(("start", "rows"), [("1928-01-03", 300), ("1971-02-01", 300), ("2090-01-01", 20)])
def test_dates_in_words_are_believed(tmp_path, start, rows):
    prices = made_up_prices(rows=rows)
    prices.index = pd.date_range(start, periods=rows, freq="B", name="Date")
    prices.to_csv(tmp_path / "a.csv")
    assert (read_prices(str(tmp_path / "a.csv"), tmp_path)[0].index == prices.index).all()
    assert (validate_prices(prices.reset_index().astype({"Date": str})).index == prices.index).all()


@pytest.mark.parametrize(
    ("time_format", "numbers", "first"),
    [
        ("excel", [45_292, 45_293, 45_294], "2024-01-01"),
        ("excel", [45_292.5, 45_292.75, 45_293.0], "2024-01-01T12:00"),
        ("unix_s", [0, 86_400, 172_800], "1970-01-01T00:00Z"),
        ("unix_ms", [-86_400_000, 0, 86_400_000], "1969-12-31T00:00Z"),
        ("%d%m%Y", [1022024, 2022024, 3022024], None),
        ("%d%m%Y", [11022024, 12022024, 13022024], "2024-02-11"),
    ],
)
def test_who_tells_the_format_is_believed(time_format, numbers, first):
    if first is None:
        with pytest.raises(RuntimeError):
            read_frame(timed(numbers), reading=Reading(time_format=time_format))
        return
    found, _ = read_frame(timed(numbers), reading=Reading(time_format=time_format))
    assert found.index[0] == pd.Timestamp(first)


@pytest.mark.parametrize("whole", [True, False], ids=["whole prices", "prices with a comma"])
@pytest.mark.parametrize("step", [1.0, 1 / 24], ids=["days", "hours"])
def test_a_spreadsheet_s_days_are_read_with_a_decimal_comma(tmp_path, step, whole):
    days = 44_562 + step * np.arange(ROWS)
    frame = made_up_prices(rows=ROWS).reset_index(drop=True)
    frame = frame.mul(1000).round().assign(high=1e9, low=1.0) if whole else frame
    path = tmp_path / "a.csv"
    dates = [str(day).replace(".", ",") for day in days]
    frame.assign(date=dates).to_csv(path, sep=";", decimal=",", index=False)
    with pytest.raises(BacktestError) as caught:
        read_prices(str(path), tmp_path)
    assert caught.value.code == "time_is_excel", "which says what to give"
    found, _ = read_prices(str(path), tmp_path, reading=Reading(time_format="excel"))
    assert found.index[0] == pd.Timestamp("2022-01-01")
    assert found.index[1] - found.index[0] == pd.Timedelta(days=1) * step
