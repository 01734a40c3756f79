"""Prices from an exchange: ccxt's own client against a server that speaks Binance's klines."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from feeds.builders.forecasts import PriceFolder
from tests.klines_server import MINUTES, Exchange, bar, serve
from threadx.command import main
from vault import fetch
from vault.errors import MarketError
from vault.fetch import fetch_prices, prices_path
from vault.readers.prices import read_prices

pytest.importorskip("ccxt")
pytestmark = pytest.mark.local

LISTED = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 3, 14, 15, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(fetch, "_RETRY_MILLISECONDS", 1)


def milliseconds(moment):
    return int(moment.timestamp() * 1000)


def exchange(**more):
    return Exchange(milliseconds(LISTED), milliseconds(NOW), **more)


def get(server, root, timeframe="30m", *, since=LISTED, as_of=NOW, symbol="BTC/USDT", name="binance", **more):
    with serve(server.answer) as api:
        return fetch_prices(name, symbol, timeframe, root, since=since, as_of=as_of, api=api, **more)


def test_pages_are_joined_and_the_running_bar_is_left_out(tmp_path):
    told = []
    found = get(exchange(), tmp_path, watch=lambda rows, last: told.append(rows))
    bars = int((NOW - LISTED) / timedelta(minutes=30))
    assert (found.rows, found.added) == (bars, bars)
    assert told == [1000, 2000, 3000, bars + 1]
    assert (found.first, found.last) == (LISTED, datetime(2024, 3, 14, 14, 30, tzinfo=UTC))
    prices, source = read_prices(str(found.path), tmp_path)
    assert (source.symbol, source.timeframe, len(prices)) == ("BTCUSDT", "30m", bars)
    number = milliseconds(LISTED) // 1_800_000
    assert tuple(prices.iloc[0]) == bar(number)
    assert tuple(prices.iloc[-1]) == bar(number + bars - 1)


def test_a_file_is_continued_at_both_ends(tmp_path):
    middle = datetime(2024, 2, 1, tzinfo=UTC)
    get(exchange(), tmp_path, since=middle, as_of=middle + timedelta(days=5))
    later = get(exchange(), tmp_path, since=middle, as_of=middle + timedelta(days=6))
    assert (later.rows, later.added) == (6 * 48, 48)
    whole = get(exchange(), tmp_path, since=LISTED - timedelta(days=300))
    fresh = get(exchange(), tmp_path / "fresh")
    pd.testing.assert_frame_equal(pd.read_parquet(whole.path), pd.read_parquet(fresh.path))


def test_daily_bars_take_the_layout_that_other_programs_read(tmp_path):
    found = get(exchange(), tmp_path, "1d")
    assert found.path == tmp_path / "prices/ticker=BTCUSDT/prices.parquet"
    assert list(pd.read_parquet(found.path).columns) == ["date", "Open", "High", "Low", "Close", "Volume"]
    assert PriceFolder(tmp_path).files == PriceFolder(tmp_path / "prices").files == [("BTCUSDT", found.path)]
    assert found.last == datetime(2024, 3, 13, tzinfo=UTC)


def test_what_came_before_a_failure_is_kept(tmp_path):
    with pytest.raises(MarketError) as caught:
        get(exchange(fail_after=2), tmp_path)
    assert caught.value.code == "exchange_failed"
    assert len(pd.read_parquet(prices_path(tmp_path, "BTC/USDT", "30m"))) == 2000
    assert get(exchange(), tmp_path).rows == int((NOW - LISTED) / timedelta(minutes=30))


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("unknown_symbol", {"symbol": "BTC/USDX"}),
        ("unknown_timeframe", {"timeframe": "7m"}),
        ("unknown_exchange", {"name": "binanse"}),
        ("no_bars", {"since": NOW - timedelta(minutes=5)}),
    ],
)
def test_wrong_requests_are_told_and_write_nothing(tmp_path, code, options):
    with pytest.raises(MarketError) as caught:
        get(exchange(), tmp_path, **options)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_not_overwritten(tmp_path):
    path = prices_path(tmp_path, "BTC/USDT", "30m")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    with pytest.raises(MarketError) as caught:
        get(exchange(), tmp_path)
    assert caught.value.code == "damaged_prices"
    assert path.read_bytes() == b"PAR1"


def test_without_the_extra_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ccxt", None)
    with pytest.raises(MarketError) as caught:
        fetch_prices("binance", "BTC/USDT", "1d", tmp_path, since=LISTED, as_of=NOW)
    assert caught.value.code == "no_exchange_library"


class Forgetful(Exchange):
    """An exchange that ignores `since`: it gives its last bars, whatever is asked."""

    def answer(self, path, query):
        if path.endswith("/klines"):
            step = MINUTES[query["interval"]] * 60_000
            query = {**query, "startTime": str(self.now // step * step - 719 * step), "limit": "720"}
        return super().answer(path, query)


def command(server, tmp_path, capsys, *options):
    """Exit code, output and errors of `threadx data fetch`."""
    with serve(server.answer) as api, pytest.raises(SystemExit) as left:
        main(
            [
                *(
                    "data",
                    "fetch",
                    "BTC/USDT",
                    "--api",
                    api,
                    "--home",
                    str(tmp_path),
                    "--as-of",
                    "2024-03-14T15",
                ),
                *options,
            ]
        )
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


@pytest.mark.parametrize(
    ("listed", "forgetful", "options", "code", "short"),
    [
        ("2022-10-01", True, ("--since", "2022-11-01"), 1, True),
        ("2022-10-01", False, ("--since", "2022-11-01"), 0, False),
        ("2024-01-01", False, ("--since", "2022-11-01"), 1, True),
        ("2024-01-01", False, (), 0, True),
        ("2022-10-01", True, ("--since", "2024-03-01"), 0, False),
    ],
)
def test_what_was_asked_and_what_came_are_told(tmp_path, capsys, listed, forgetful, options, code, short):
    kind = Forgetful if forgetful else Exchange
    server = kind(milliseconds(datetime.fromisoformat(f"{listed}T00:00+00:00")), milliseconds(NOW))
    out = tmp_path / "told.json"
    given = ("--timeframe", "1h", *options, "--language", "en", "--json", str(out))
    found = command(server, tmp_path, capsys, *given)
    told = json.loads(out.read_text(encoding="utf-8"))
    assert (found[0], told["lacks_beginning"], told["lacks_end"]) == (code, short, False)
    assert ("Requested" in found[2]) == short
    if options:
        asked = datetime(2024, 3, 14, 15, tzinfo=UTC) - datetime.fromisoformat(f"{options[1]}T00:00+00:00")
        assert told["asked"] == asked // timedelta(hours=1)
        if short:
            assert f"{told['asked']:,} bars" in found[2]
            assert f"{told['rows']:,}" in found[2]
            assert told["rows"] == len(pd.read_parquet(told["path"]))


def test_an_exchange_that_stops_early_is_told_of(tmp_path, capsys):
    server = Exchange(milliseconds(LISTED), milliseconds(NOW - timedelta(days=30)))
    code, _, told = command(server, tmp_path, capsys, "--since", "2024-01-01", "--language", "en")
    assert code == 1
    assert "2024-02-13" in told
