"""Files as other programs write them open without a word of help, and hold what was written."""

import itertools

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, PriceError, StrategySpec, run_backtest, validate_prices
from prompts import text
from tests.laws import combined, pairs
from tests.price_writers import DAILY, HOURLY, WITHIN_THE_DAY, yahoo_frame
from tests.prices import made_up_prices
from vault.datasets import register
from vault.errors import MarketError
from vault.readers.options import Reading
from vault.readers.prices import read_frame, read_prices
from vault.registered import read_any


def table(rows, frequency, start):
    """Prices with four decimals, so that every program can write them."""
    found = made_up_prices(rows=rows, frequency=frequency, seed=11)
    found.index = pd.date_range(start, periods=rows, freq=frequency, name="time")
    prices = found[["open", "high", "low", "close"]].round(4)
    prices["high"] = prices.max(axis=1)
    prices["low"] = prices.min(axis=1)
    return prices.assign(volume=found["volume"])


CASES = [
    *((name, write, table(30, "D", "2024-01-05")) for name, write in DAILY.items()),
    *((name, write, table(90, "30min", "2024-01-30 21:00")) for name, write in WITHIN_THE_DAY.items()),
    *((name, write, table(40, "h", "2024-01-05 20:00")) for name, write in HOURLY.items()),
]


@pytest.mark.parametrize(("name", "write", "prices"), CASES, ids=[case[0] for case in CASES])
def test_a_program_s_file_opens(tmp_path, name, write, prices):
    file, content, _, utc = write(prices)
    (tmp_path / file).write_bytes(content)
    found, source = read_prices(str(tmp_path / file), tmp_path)
    index = pd.DatetimeIndex(found.index)
    assert (index.tz is not None) == utc
    assert (index.tz_localize(None) == prices.index).all()
    np.testing.assert_array_equal(found.to_numpy(), prices.to_numpy())
    for notice in source.notices:
        for language in ("fr", "en"):
            assert text(f"market.notice.{notice.code}", language, **notice.fields)


@pytest.mark.parametrize("name", ["open", "close", "volume", "date"])
@pytest.mark.parametrize("face", [".csv", ".parquet"])
def test_a_column_twice_is_refused_whoever_reads(tmp_path, face, name):
    prices = table(30, "D", "2024-01-05").rename_axis("date").reset_index()
    places = [*range(6), prices.columns.get_loc(name)]
    twice = prices.iloc[:, places].set_axis([*prices.columns, name.upper()], axis=1)
    path = tmp_path / f"twice{face}"
    twice.to_csv(path, index=False) if face == ".csv" else twice.to_parquet(path)
    doors = [lambda: read_frame(twice), lambda: read_prices(str(path), tmp_path)]
    for door in doors:
        with pytest.raises(PriceError, match="repeated_column"):
            door()


FRAMES = {
    "fields first": {},
    "tickers first": {"by_ticker": True},
    "levels without names": {"levels": (None, None)},
    "with adjusted closes": {"adjusted": True},
}


@pytest.mark.parametrize("options", FRAMES.values(), ids=FRAMES)
def test_a_frame_of_yfinance_is_taken_at_every_door(options):
    prices = table(30, "D", "2024-01-05")
    frame = yahoo_frame(prices, **options)
    np.testing.assert_array_equal(validate_prices(frame).to_numpy(), prices.to_numpy())
    found, source = read_frame(frame)
    np.testing.assert_array_equal(found.to_numpy(), prices.to_numpy())
    assert source.symbol == "AAPL"


@pytest.mark.parametrize("by_ticker", [False, True])
@pytest.mark.parametrize("stacked", [None, "rows", "columns"])
def test_of_several_tickers_one_is_asked_for(tmp_path, by_ticker, stacked):
    prices = table(30, "D", "2024-01-05")
    frame = yahoo_frame(prices, tickers=("AAPL", "MSFT"), by_ticker=by_ticker)
    if stacked is not None:
        frame = frame.stack(level="Ticker")
        if stacked == "columns":
            frame = frame.reset_index()
    frame.to_csv(tmp_path / "two.csv")
    if stacked == "columns":
        frame.to_csv(tmp_path / "two.csv", index=False)
    for attempt in (
        lambda: validate_prices(frame),
        lambda: read_frame(frame),
        lambda: read_prices(str(tmp_path / "two.csv"), tmp_path),
    ):
        with pytest.raises(BacktestError) as caught:
            attempt()
        assert caught.value.code == "several_instruments"
        assert "AAPL" in caught.value.fields["known"]
        assert "MSFT" in caught.value.fields["known"]
    for found, source in (
        read_frame(frame, symbol="msft"),
        read_prices(str(tmp_path / "two.csv"), tmp_path, symbol="MSFT"),
    ):
        np.testing.assert_allclose(found.to_numpy(), 2 * prices.to_numpy(), rtol=1e-15)
        assert source.symbol.upper() == "MSFT"
    with pytest.raises(BacktestError) as caught:
        read_frame(frame, symbol="TSLA")
    assert caught.value.code == "unknown_instrument"
    assert "MSFT" in caught.value.fields["known"]


def test_contracts_that_follow_one_another_are_one_series(tmp_path):
    prices = table(30, "D", "2024-01-05").assign(contract=["ESH4"] * 15 + ["ESM4"] * 15)
    prices.to_csv(tmp_path / "es.csv")
    found, source = read_prices(str(tmp_path / "es.csv"), tmp_path)
    assert len(found) == 30
    assert [notice.code for notice in source.notices] == ["several_names"]


def _tick(prices, place):
    prices.iloc[place, :4] *= 10


def _wick(prices, place):
    prices.iloc[place, prices.columns.get_loc("low")] /= 100


def _split(prices, place):
    prices.iloc[place:, :4] /= 2


@pytest.mark.parametrize(("spoil", "bars"), [(_tick, 2), (_wick, 1), (_split, 1)])
@pytest.mark.parametrize("face", ["file", "table", "registered"])
def test_a_wrong_price_or_a_split_is_told_whoever_reads(tmp_path, spoil, bars, face):
    prices = table(400, "D", "2022-01-05")
    assert read_frame(prices)[1].notices == ()
    spoil(prices, 200)
    if face == "table":
        source = read_frame(prices)[1]
    else:
        prices.to_csv(tmp_path / "XYZ.csv")
        found, source = read_prices(str(tmp_path / "XYZ.csv"), tmp_path)
    if face == "registered":
        names = {"symbol": source.symbol, "timeframe": source.timeframe}
        dataset = register(found, **names, home=tmp_path, notices=source.notices)
        source = read_any(f"dataset:{dataset.development_hash}", tmp_path)[1]
    (told,) = source.notices
    assert (told.code, told.fields["count"]) == ("suspect_prices", bars)
    assert told.fields["time"][:10] in {str(prices.index[place].date()) for place in (200, 201)}


def test_adjusted_closes_are_told_of_and_used_on_request(tmp_path):
    prices = table(30, "D", "2024-01-05")
    factor = np.linspace(0.5, 1.0, 30)
    prices.assign(**{"Adj Close": prices["close"] * factor}).to_csv(tmp_path / "a.csv")
    found, source = read_prices(str(tmp_path / "a.csv"), tmp_path)
    np.testing.assert_array_equal(found.to_numpy(), prices.to_numpy())
    assert [notice.code for notice in source.notices] == ["adjusted_close"]
    found, source = read_prices(str(tmp_path / "a.csv"), tmp_path, reading=Reading(adjust=True))
    expected = prices[["open", "high", "low", "close"]].mul(factor, axis=0)
    np.testing.assert_allclose(found[expected.columns].to_numpy(), expected.to_numpy(), rtol=1e-12)
    np.testing.assert_array_equal(found["volume"].to_numpy(), prices["volume"].to_numpy())
    assert [notice.code for notice in source.notices] == ["adjusted"]
    prices.assign(**{"Adj Close": prices["close"]}).to_csv(tmp_path / "same.csv")
    assert read_prices(str(tmp_path / "same.csv"), tmp_path)[1].notices == ()
    prices.to_csv(tmp_path / "b.csv")
    with pytest.raises(MarketError) as caught:
        read_prices(str(tmp_path / "b.csv"), tmp_path, reading=Reading(adjust=True))
    assert caught.value.code == "nothing_to_adjust"


def test_empty_rows_are_counted_out_and_half_empty_ones_refused(tmp_path):
    prices = table(30, "D", "2024-01-05")
    holes = prices.copy()
    holes.iloc[[3, 9], :4] = np.nan
    holes.iloc[9, 4] = 0.0
    holes.to_csv(tmp_path / "a.csv")
    found, source = read_prices(str(tmp_path / "a.csv"), tmp_path)
    expected = prices.drop(prices.index[[3, 9]])
    assert (found.index == expected.index).all()
    assert [(one.code, one.fields["count"]) for one in source.notices] == [("empty_rows", 2)]
    holes.iloc[20, 3] = np.nan
    holes.to_csv(tmp_path / "a.csv")
    with pytest.raises(BacktestError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert (caught.value.code, caught.value.fields["row"]) == ("nan_price", 21)


def test_bars_short_by_rounding_are_widened_and_counted(tmp_path):
    prices = table(30, "D", "2024-01-05")
    short = prices.copy()
    short.iloc[4, 1] = max(prices.iloc[4, 0], prices.iloc[4, 3]) * (1 - 5e-7)
    short.iloc[7, 2] = min(prices.iloc[7, 0], prices.iloc[7, 3]) * (1 + 5e-7)
    short.to_csv(tmp_path / "a.csv")
    found, source = read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert [(one.code, one.fields["count"]) for one in source.notices] == [("widened_bars", 2)]
    assert found["high"].iloc[4] == max(prices.iloc[4, 0], prices.iloc[4, 3])
    assert found["low"].iloc[7] == min(prices.iloc[7, 0], prices.iloc[7, 3])
    assert (found.drop(found.index[[4, 7]]) == prices.drop(prices.index[[4, 7]])).all(axis=None)
    pd.testing.assert_frame_equal(validate_prices(short), found, check_freq=False)
    short.iloc[4, 1] = max(prices.iloc[4, 0], prices.iloc[4, 3]) * (1 - 5e-6)
    with pytest.raises(BacktestError) as caught:
        validate_prices(short)
    assert caught.value.code == "price_outside_range"


def test_a_header_in_the_middle_is_named_with_its_row(tmp_path):
    prices = table(200, "D", "2024-01-05")
    prices.to_csv(tmp_path / "a.csv")
    rows = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    rows.insert(169, rows[0])
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found, source = read_prices(str(tmp_path / "a.csv"), tmp_path)
    np.testing.assert_array_equal(found.to_numpy(), prices.to_numpy())
    assert [(one.code, one.fields["rows"]) for one in source.notices] == [("repeated_header", "169")]
    with pytest.raises(BacktestError) as caught:
        validate_prices(pd.read_csv(tmp_path / "a.csv"))
    assert (caught.value.code, caught.value.fields["row"]) == ("repeated_header", 169)
    # What is wrong behind it is told with its own row.
    (tmp_path / "a.csv").write_text(
        "\n".join([*rows[:180], "2024-07-03,1,2,3,4,x", *rows[181:]]), encoding="utf-8"
    )
    with pytest.raises(BacktestError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert (caught.value.code, caught.value.fields["row"]) == ("not_a_number", 180)


def test_stacked_prices_without_names_are_not_told_to_be_sorted(tmp_path):
    prices = table(30, "D", "2024-01-05")
    pd.concat([prices, prices * 2]).to_csv(tmp_path / "a.csv")
    with pytest.raises(BacktestError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert (caught.value.code, caught.value.fields["row"]) == ("times_begin_again", 31)


def test_a_spreadsheet_is_told_how_to_be_saved(tmp_path):
    for name in ("a.xlsx", "a.xls"):
        (tmp_path / name).write_bytes(b"PK")
        with pytest.raises(MarketError) as caught:
            read_prices(str(tmp_path / name), tmp_path)
        assert caught.value.code == "spreadsheet"
        assert "CSV" in text("market.error.spreadsheet", "fr", **caught.value.fields)


def test_a_frame_of_yfinance_is_backtested():
    frame = yahoo_frame(table(60, "D", "2024-01-05"))
    assert run_backtest(frame, StrategySpec(name="x", entry_long="close > open")).metrics.n_trades > 0


@pytest.mark.parametrize(
    ("order", "column"), combined([*itertools.permutations(range(3))], ("Symbol", "ticker", "Name"))
)
def test_instruments_one_below_the_other_are_told_apart_whatever_their_times(tmp_path, column, order):
    """Each has years of its own: no time stands twice, and only the order of rows gives them away."""
    parts = []
    for place in order:
        part = made_up_prices(60, seed=place)
        part.index = pd.date_range(f"20{20 + place}-01-01", periods=60).strftime("%Y-%m-%d")
        parts.append(part.rename_axis("Date").reset_index().assign(**{column: f"S{place}"}))
    path = tmp_path / "all.csv"
    pd.concat(parts).to_csv(path, index=False)
    if order == (0, 1, 2):  # one after the other: contracts, for example
        frame, source = read_prices(str(path), tmp_path)
        assert len(frame) == 180
        assert "several_names" in [notice.code for notice in source.notices]
    else:
        with pytest.raises(PriceError) as caught:
            read_prices(str(path), tmp_path)
        assert caught.value.code == "several_instruments"
    for place in order:
        frame, source = read_prices(str(path), tmp_path, symbol=f"S{place}")
        assert (len(frame), source.symbol) == (60, f"S{place}")


OWN_TIMES = {
    "half an hour apart": [("2024-01-05", 60), ("2024-01-05 00:30", 60), ("2024-01-05 00:15", 60)],
    "newer years first": [("2024-03-01", 90), ("2023-01-01", 60), ("2022-01-01", 75)],
    "one within the other's pause": [("2024-01-01", 60), ("2023-06-01", 60), ("2023-01-01", 60)],
}


OWN_LEVELS = ((1.0, 40.0, 900.0), (1.0, 0.002, 30.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("own", "levels", "count", "newest_first"), pairs([*OWN_TIMES], OWN_LEVELS, (2, 3), (False, True))
)
def test_instruments_without_a_name_and_without_a_common_time(tmp_path, own, count, levels, newest_first):
    """Where prices show that they are several it is said; where they may be one, both are."""
    parts = []
    times = OWN_TIMES[own][:count]
    for place, (start, rows) in enumerate(times[::-1] if newest_first else times):
        part = made_up_prices(rows=rows, seed=place)
        part[["open", "high", "low", "close"]] *= levels[place]
        part.index = pd.date_range(start, periods=rows, freq="h", name="time")
        parts.append(part.iloc[::-1] if newest_first else part)
    pd.concat(parts).to_csv(tmp_path / "a.csv")
    stacked = pd.read_csv(tmp_path / "a.csv", index_col=0, parse_dates=True)
    # Over months a price may come to any of these levels; from one bar to the next it may not.
    different = levels[0] != levels[1] and own.startswith("half")
    for refused in (lambda: read_prices(str(tmp_path / "a.csv"), tmp_path), lambda: validate_prices(stacked)):
        with pytest.raises(PriceError) as caught:
            refused()
        told = caught.value.sentence("en")
        assert "several instruments" in told
        assert caught.value.code in ("times_begin_again", "unsorted_time")
        if different or levels[0] == levels[1]:
            assert caught.value.code == ("times_begin_again" if different else "unsorted_time")
            assert ("sort" in told) != different


SHARED = {
    # How many bars of the others there are, from where, and how much later than the first's.
    "at the same times": (300, 0, 0.0),
    "for a while": (40, 100, 0.0),
    "for three bars": (3, 100, 0.0),
    "between one another": (300, 0, 0.3),
}


SHARED_LEVELS = ((1.0, 40.0), (1.0, 0.002, 30.0), (1.0, 3.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("levels", "shared", "frequency", "newest_first"),
    pairs(SHARED_LEVELS, [*SHARED], ("D", "h"), (False, True)),
)
def test_instruments_without_a_name_in_order_of_time(tmp_path, levels, shared, frequency, newest_first):
    rows, first, later = SHARED[shared]
    parts = []
    for place, level in enumerate(levels):
        part = made_up_prices(300, seed=place, frequency=frequency)
        part[["open", "high", "low", "close"]] *= level
        part.index = part.index + place * later * (part.index[1] - part.index[0])
        parts.append(part.iloc[first : first + rows] if place else part)
    table = pd.concat(parts).sort_index(kind="stable", ascending=not newest_first)
    table.to_csv(tmp_path / "a.csv")
    with pytest.raises(PriceError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert caught.value.code == ("levels_take_turns" if later else "times_shared")
    assert caught.value.fields["count"] == len(levels)
    assert "one file per instrument, or a column symbol" in caught.value.sentence("en")


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_one_instrument_given_twice_is_told_to_drop_its_duplicates(tmp_path, share):
    prices = made_up_prices(300, frequency="D")
    pd.concat([prices, prices.iloc[: int(share * 300)]]).sort_index().to_csv(tmp_path / "a.csv")
    with pytest.raises(PriceError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert caught.value.code == "duplicate_time"


@pytest.mark.parametrize("step", [0.001, 0.5, 1.0])
def test_prices_that_go_to_and_fro_are_one_instrument(tmp_path, step):
    """A token of the least price there is, or a spread: closes of two values, at random or in turn."""
    for turns in (np.arange(300) % 2, np.random.default_rng(1).integers(0, 2, 300)):
        close = 1e-8 * (1.0 + step * turns)
        frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close))
        frame.insert(0, "time", pd.date_range("2024-01-01", periods=300, freq="h"))
        frame.to_csv(tmp_path / "a.csv", index=False)
        assert len(read_prices(str(tmp_path / "a.csv"), tmp_path)[0]) == 300


@pytest.mark.parametrize("order", [(1, 0), (2, 0, 1), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("pause", [1, 2000])
def test_parts_of_one_instrument_in_the_wrong_order_are_not_taken_for_several(tmp_path, order, pause):
    prices = made_up_prices(rows=5000, seed=3)
    parts = [prices.iloc[place * (60 + pause) :][:60] for place in order]
    pd.concat(parts).to_csv(tmp_path / "a.csv")
    with pytest.raises(PriceError) as caught:
        read_prices(str(tmp_path / "a.csv"), tmp_path)
    assert caught.value.code == "unsorted_time"
    assert "sort the data" in caught.value.sentence("en")
