"""Price files in every layout vendors write, read to the same canonical table."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError
from base.reasons import plain
from tests.prices import made_up_prices
from vault.errors import MarketError
from vault.readers.prices import infer_timeframe, read_prices, symbol_of

PRICES = made_up_prices(rows=40, frequency="30min")
EPOCHS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def columns_by_name(frame):
    return {name: frame[name].tolist() for name in frame.columns}


def with_time(name, unit=None):
    stamps = PRICES.index.as_unit("ns").asi8 // EPOCHS[unit] if unit else PRICES.index.astype(str)
    return PRICES.reset_index(drop=True).assign(**{name: stamps, "extra": "x"})


def check_equal(found):
    index = found.index if found.index.tz is None else found.index.tz_convert(None)
    assert list(found.columns) == ["open", "high", "low", "close", "volume"]
    assert (index == PRICES.index).all()
    np.testing.assert_array_equal(found.to_numpy(), PRICES.to_numpy())


@pytest.mark.parametrize("name", ["timestamp", "time", "date", "datetime", "open_time", "Open time"])
def test_csv_with_any_time_column(tmp_path, name):
    with_time(name).to_csv(tmp_path / "a.csv", index=False)
    check_equal(read_prices(str(tmp_path / "a.csv"), tmp_path)[0])


@pytest.mark.parametrize("unit", EPOCHS)
@pytest.mark.parametrize("extension", ["csv", "parquet", "feather", "json", "jsonl"])
def test_epochs_in_every_format(tmp_path, unit, extension):
    frame, path = with_time("open_time", unit).rename(columns=str.title), tmp_path / f"a.{extension}"
    match extension:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case "feather":
            frame.to_feather(path)
        case "json":
            path.write_text(json.dumps(frame.to_dict("records")), encoding="utf-8")
        case "jsonl":
            path.write_text(
                "\n".join(json.dumps(row) for row in frame.to_dict("records")) + "\n", encoding="utf-8"
            )
    check_equal(read_prices(str(path), tmp_path)[0])


def test_times_in_the_index(tmp_path):
    PRICES.to_parquet(tmp_path / "a.parquet")
    PRICES.rename_axis(None).to_csv(tmp_path / "a.csv")
    for name in ("a.parquet", "a.csv"):
        check_equal(read_prices(str(tmp_path / name), tmp_path)[0])


@pytest.mark.parametrize("layout", ["records", "lines", "wrapped", "columns"])
def test_a_name_twice_in_a_json_row_is_refused_with_the_row(tmp_path, layout):
    rows = [{"time": f"2024-01-{day:02d}", "open": 1, "high": 3, "low": 1, "close": 2} for day in (1, 2, 3)]
    told = [json.dumps(row) for row in rows]
    told[1] = told[1].replace('"close": 2', '"close": 2, "close": 20')
    records = f"[{', '.join(told)}]"
    columns = '{"time": ["2024-01-01"], "open": [1], "high": [3], "low": [1], "close": [2], "close": [20]}'
    text = {
        "records": records,
        "lines": "\n".join(told),
        "wrapped": f'{{"data": {records}}}',
        "columns": columns,
    }
    path = tmp_path / f"X_1d.json{'l' if layout == 'lines' else ''}"
    path.write_text(text[layout], encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_prices(str(path), tmp_path)
    said = caught.value.sentence("en")
    assert "close" in said
    assert ("row 2" in said) == (layout != "columns")


def test_json_as_exchanges_and_pandas_write_it(tmp_path):
    epochs = (PRICES.index.as_unit("ns").asi8 // 10**6).tolist()
    klines = [
        [epoch, *(str(value) for value in row), epoch + 1, "0"]
        for epoch, row in zip(epochs, PRICES.to_numpy().tolist(), strict=True)
    ]
    by_column = {
        name: dict(zip(map(str, epochs), PRICES[name].tolist(), strict=True)) for name in PRICES.columns
    }
    split = {"columns": list(PRICES.columns), "index": epochs, "data": PRICES.to_numpy().tolist()}
    lists = {**columns_by_name(PRICES), "time": epochs}
    for number, content in enumerate((klines, by_column, split, lists)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        check_equal(read_prices(str(path), tmp_path)[0])


def test_source_and_relative_path(tmp_path):
    PRICES.to_parquet(tmp_path / "BTCUSDT_30m_2021.parquet")
    _, source = read_prices("BTCUSDT_30m_2021.parquet", tmp_path)
    assert (source.kind, source.symbol, source.timeframe, source.rows) == ("file", "BTCUSDT", "30m", 40)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("my_data.csv", "my_data"),
        ("SPY_1d_1998_2021.parquet", "SPY"),
        ("BRK_B_4h.csv", "BRK_B"),
        ("x.csv", "x"),
    ],
)
def test_symbol_from_the_file_name(tmp_path, name, symbol):
    assert symbol_of(tmp_path / name) == symbol


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        ("1min", "1m"),
        ("30min", "30m"),
        ("4h", "4h"),
        ("D", "1d"),
        ("B", "1d"),
        ("W", "1w"),
        ("MS", "1mo"),
        ("90s", "90s"),
    ],
)
def test_timeframe_is_measured(frequency, expected):
    assert infer_timeframe(pd.date_range("2024-01-01", periods=100, freq=frequency)) == expected


def test_sample_is_the_published_index(tmp_path):
    prices, source = read_prices("sample:sp500", tmp_path)
    assert source.symbol == "^GSPC"
    assert source.timeframe == "1d"
    # The S&P 500 closed 2018 at 2,506.85 points, as widely published.
    assert prices["close"].iloc[-1] == pytest.approx(2506.85, abs=0.005)


@pytest.mark.parametrize(
    ("reference", "content", "code"),
    [
        ("sample:nothing", None, "unknown_sample"),
        ("absent.csv", None, "missing_file"),
        pytest.param("a" * 5_000, None, "unreadable_file", id="a name that no file can have"),
        ("prices.doc", "x", "unknown_extension"),
        ("prices.xlsx", "x", "spreadsheet"),
        ("broken.parquet", "not parquet", "unreadable_file"),
        ("broken.json", "{", "unreadable_file"),
        ("empty.csv", "", "empty_file"),
        ("words.csv", "Dear reader,\nno prices here\n", "no_price_rows"),
        ("broken.zip", "x", "unreadable_file"),
        ("broken.csv.gz", "x", "unreadable_file"),
    ],
)
def test_bad_input_is_named(tmp_path, reference, content, code):
    if content is not None:
        (tmp_path / reference).write_text(content, encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_prices(reference if ":" in reference else str(tmp_path / reference), tmp_path)
    assert caught.value.code == code
    again = pickle.loads(pickle.dumps(caught.value))
    assert plain(again) == plain(caught.value)


def test_bad_rows_are_refused_by_the_engine(tmp_path):
    frame = PRICES.copy()
    frame.iloc[3, 0] = -1.0
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(BacktestError) as caught:
        read_prices(str(tmp_path / "a.parquet"), tmp_path)
    assert caught.value.fields["row"] == 4
