"""`--start` and `--end`: a part of a file, at every door, and what they do to the holdout."""

import json

import pandas as pd
import pytest

from tests.prices import made_up_prices
from threadx.command import main
from vault.datasets import openings
from vault.errors import MarketError
from vault.readers.options import Reading
from vault.readers.prices import read_prices
from vault.readers.window import window

PRICES = made_up_prices(rows=600, frequency="D", cycle=0.1)
ZONED = PRICES.tz_localize("America/New_York")


def run(capsys, *arguments):
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as left:
        main([str(one) for one in arguments])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.mark.parametrize("prices", [PRICES, ZONED], ids=["naive", "zoned"])
@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2024-02-01", "2024-02-29", "2024-02-01", "2024-02-29"),
        ("2024-02-01T00:00:01", None, "2024-02-02", None),
        (None, "2024-02-03T12:00", None, "2024-02-03"),
        ("1900-01-01", "2100-01-01", None, None),
        ("2024-03-01", "2024-03-01", "2024-03-01", "2024-03-01"),
    ],
)
def test_both_ends_are_included(prices, start, end, first, last):
    found = window(prices, Reading(start=start, end=end))
    zone = prices.index.tz
    assert found.index[0] == (prices.index[0] if first is None else pd.Timestamp(first, tz=zone))
    assert found.index[-1] == (prices.index[-1] if last is None else pd.Timestamp(last, tz=zone))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"start": "soon"}, "bad_window_time"),
        ({"end": "31/01/2024"}, "bad_window_time"),
        ({"start": "2099-01-01"}, "empty_window"),
        ({"start": "2024-03-02", "end": "2024-03-01"}, "empty_window"),
    ],
)
def test_what_names_no_bars_is_refused(options, code):
    with pytest.raises(MarketError) as caught:
        window(PRICES, Reading(**options))
    assert caught.value.code == code


def test_a_file_read_in_part_is_the_file_that_has_no_more(tmp_path):
    PRICES.to_parquet(tmp_path / "whole.parquet")
    part = PRICES.loc["2024-06-01":"2025-01-31"]
    part.to_parquet(tmp_path / "part.parquet")
    reading = Reading(start="2024-06-01", end="2025-01-31")
    found, source = read_prices(str(tmp_path / "whole.parquet"), tmp_path, reading=reading)
    expected, other = read_prices(str(tmp_path / "part.parquet"), tmp_path)
    pd.testing.assert_frame_equal(found, expected)
    assert (source.rows, source.gaps, source.timeframe) == (other.rows, other.gaps, other.timeframe)


def test_recent_bars_alone_are_backtested_and_the_holdout_stays_closed(tmp_path, capsys):
    PRICES.to_parquet(tmp_path / "T_1d.parquet")
    given = ("backtest", tmp_path / "T_1d.parquet", "--home", tmp_path, "--json", "-")
    code, out, _ = run(capsys, *given)
    assert code == 0
    whole = json.loads(out)
    code, out, _ = run(capsys, *given, "--start", "2024-12-01")
    assert code == 0
    part = json.loads(out)
    assert part["equity"]["time"] == [one for one in whole["equity"]["time"] if one >= "2024-12-01"]
    assert part["dataset"]["boundary"] == whole["dataset"]["boundary"]
    late = whole["dataset"]["boundary"][:10]
    code, _, err = run(capsys, *given, "--start", late, "--language", "en")
    assert code == 2
    assert "--all" in err
    assert openings(whole["dataset"]["family"], tmp_path) == 0
    code, out, _ = run(capsys, *given, "--start", late, "--all")
    assert code == 0
    assert json.loads(out)["equity"]["time"][0][:10] == late
    assert openings(whole["dataset"]["family"], tmp_path) == 1


def test_an_empty_part_opens_nothing(tmp_path, capsys):
    PRICES.to_parquet(tmp_path / "T_1d.parquet")
    given = ("backtest", tmp_path / "T_1d.parquet", "--home", tmp_path, "--all", "--start", "2099-01-01")
    assert run(capsys, *given)[0] == 2
    assert not (tmp_path / "datasets").exists()
