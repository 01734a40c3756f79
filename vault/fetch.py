"""Prices from exchanges, by ccxt (the extra `exchange`): public data, no key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd

from backtest import validate_prices
from base.files import file_name, write_atomically
from base.reasons import because
from vault.errors import MarketError
from vault.readers.prices import read_table

_PAGE = 1000
_COLUMNS = ("date", "open", "high", "low", "close", "volume")
_DAILY = ("date", "Open", "High", "Low", "Close", "Volume")
_RETRIES = 3
_NO_TRADE = timedelta(days=4)
"""What markets with weekends and holidays may have without a bar."""

_RETRY_MILLISECONDS = 2000


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What was asked for, and what was written.

    Attributes:
        path: the file.
        rows: bars in it.
        added: bars that were not there before.
        first: begin of its first bar (UTC).
        last: begin of its last bar (UTC).
        since: first bar asked for (UTC).
        as_of: end of the last bar asked for (UTC).
        asked: bars that would fit in between, were there trade around the clock.
        lacks_beginning: whether the file begins more than a few days of no trade after `since`.
        lacks_end: whether it ends as long before `as_of`.
    """

    path: Path
    rows: int
    added: int
    first: datetime
    last: datetime
    since: datetime
    as_of: datetime
    asked: int
    lacks_beginning: bool
    lacks_end: bool


def fetch_prices(
    exchange: str,
    symbol: str,
    timeframe: str,
    root: Path,
    *,
    since: datetime,
    as_of: datetime,
    api: str | None = None,
    watch: Callable[[int, datetime], None] = lambda rows, last: None,
) -> Fetched:
    """Fetch one instrument's bars into `prices/ticker=T/prices.parquet` (daily) or `prices/T_TF.parquet`.

    A file that stands is continued from its last bar. Only bars that had ended are written. When the exchange
    fails half-way, what has come is kept, and the next call continues.

    Args:
        exchange: ccxt's name, for example `binance`.
        symbol: ccxt's unified symbol, for example `BTC/USDT`.
        timeframe: for example `30m`, `1d`.
        root: data folder to write to.
        since: first bar wanted (UTC).
        as_of: bars that end later are left out (UTC).
        api: address to call in place of the exchange's own: a mirror or a proxy.
        watch: told bars so far and the begin of the last one, after each page.

    Raises:
        MarketError: `no_exchange_library`, `unknown_exchange`, `unknown_symbol`, `unknown_timeframe`,
            `exchange_failed`, `no_bars`, `damaged_prices`, `unwritable_folder`.
        BacktestError: the exchange's bars are not possible prices.
    """
    ccxt = _library()
    client = _client(ccxt, exchange, symbol, api)
    try:
        client.load_markets()
        if symbol not in client.markets:
            near = get_close_matches(symbol, client.markets, n=3) or sorted(client.markets)[:3]
            raise MarketError("unknown_symbol", symbol=symbol, exchange=exchange, near=", ".join(near))
        if timeframe not in (client.timeframes or {}):
            known = ", ".join(client.timeframes or {})
            raise MarketError("unknown_timeframe", timeframe=timeframe, exchange=exchange, known=known)
        step = client.parse_timeframe(timeframe) * 1000
    except ccxt.BaseError as error:
        raise _failure(exchange, error) from error
    path = prices_path(root, symbol, timeframe)
    before = _standing(path)
    bars: list[list[Any]] = []
    failure: Exception | None = None
    for begin, end in _missing(before, _milliseconds(since), _milliseconds(as_of)):
        if failure is None:
            failure = _pages(ccxt, client, symbol, timeframe, begin, end, step, bars, watch)
    ended = [bar for bar in bars if bar[0] + step <= _milliseconds(as_of)]
    fresh = pd.DataFrame(ended, columns=list(_COLUMNS)).astype(dict.fromkeys(_COLUMNS[1:], "float64"))
    fresh.index = pd.DatetimeIndex(pd.to_datetime(fresh.pop("date"), unit="ms", utc=True), name="date")
    whole = pd.concat([part for part in (before, fresh) if len(part)]) if len(before) or len(fresh) else fresh
    whole = whole[~whole.index.duplicated(keep="last")].sort_index()
    if len(fresh):
        _save(path, whole, daily=timeframe == "1d")
    if failure is not None:
        raise _failure(exchange, failure) from failure
    if whole.empty:
        raise MarketError("no_bars", symbol=symbol, since=f"{since:%Y-%m-%d}", exchange=exchange)
    first, last = (whole.index[place].to_pydatetime() for place in (0, -1))
    length = timedelta(milliseconds=step)
    return Fetched(
        path=path,
        rows=len(whole),
        added=len(whole) - len(before),
        first=first,
        last=last,
        since=since,
        as_of=as_of,
        asked=(as_of - since) // length,
        lacks_beginning=first - since >= length + _NO_TRADE,
        lacks_end=as_of - last >= 2 * length + _NO_TRADE,
    )


def prices_path(root: Path, symbol: str, timeframe: str) -> Path:
    """Where the bars of an instrument lie: `BTC/USDT` is `BTCUSDT`, `BTC/USDT:USDT` is `BTCUSDT-USDT`."""
    ticker = file_name(symbol.replace("/", "").replace(":", "-"))
    if timeframe == "1d":
        return root / "prices" / f"ticker={ticker}" / "prices.parquet"
    return root / "prices" / f"{ticker}_{timeframe}.parquet"


def _library() -> ModuleType:
    try:
        return import_module("ccxt")
    except ModuleNotFoundError:
        raise MarketError("no_exchange_library") from None


def _client(ccxt: ModuleType, exchange: str, symbol: str, api: str | None) -> Any:
    if exchange not in ccxt.exchanges:
        near = ", ".join(get_close_matches(exchange, ccxt.exchanges, n=3) or ["binance", "kraken", "bybit"])
        raise MarketError("unknown_exchange", exchange=exchange, near=near)
    client = getattr(ccxt, exchange)({"enableRateLimit": True, "timeout": 20_000})
    client.options["maxRetriesOnFailure"] = _RETRIES
    client.options["maxRetriesOnFailureDelay"] = _RETRY_MILLISECONDS
    if ":" not in symbol and isinstance(client.options.get("fetchMarkets"), dict):
        client.options["fetchMarkets"]["types"] = ["spot"]  # the derivatives' lists are long, and not needed
    if api is not None:
        client.urls["api"] = _moved(client.urls["api"], api)
    return client


def _moved(urls: Any, api: str) -> Any:
    """The same addresses on another host."""
    if isinstance(urls, dict):
        return {name: _moved(url, api) for name, url in urls.items()}
    base, old = urlsplit(api), urlsplit(str(urls))
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + old.path, old.query, ""))


def _pages(
    ccxt: ModuleType,
    client: Any,
    symbol: str,
    timeframe: str,
    begin: int,
    end: int,
    step: int,
    bars: list[list[Any]],
    watch: Callable[[int, datetime], None],
) -> Exception | None:
    """Add the bars from `begin` up to `end`; the failure that stopped them, if one did."""
    while begin < end:
        try:
            page = client.fetch_ohlcv(symbol, timeframe, since=begin, limit=_PAGE)
        except ccxt.BaseError as error:
            failure: Exception = error
            return failure
        page = [bar for bar in page if bar[0] >= begin]
        if page:
            bars += page
            begin = page[-1][0] + step
            watch(len(bars), datetime.fromtimestamp(page[-1][0] / 1000, UTC))
        else:
            begin += _PAGE * step  # nothing was traded yet, or the exchange was closed
    return None


def _missing(before: pd.DataFrame, begin: int, end: int) -> list[tuple[int, int]]:
    """What is to be fetched: before the bars that stand, and from the last of them on."""
    if before.empty:
        return [(begin, end)]
    first, last = (int(moment.timestamp() * 1000) for moment in (before.index[0], before.index[-1]))
    return [(max(begin, last), end)] if begin >= first else [(begin, first), (last, end)]


def _standing(path: Path) -> pd.DataFrame:
    """The bars of a file that stands, in lower-case columns on a UTC index; empty when there is none.

    Raises:
        MarketError: `damaged_prices`.
    """
    if not path.is_file():
        return pd.DataFrame(columns=list(_COLUMNS[1:]), index=pd.DatetimeIndex([], tz="UTC", name="date"))
    try:
        table = validate_prices(read_table(path))
    except RuntimeError as error:
        raise MarketError("damaged_prices", path=str(path), reason=because(error)) from error
    index = pd.DatetimeIndex(table.index)
    index = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    return table.set_axis(index.rename("date").as_unit("ns"), axis=0)


def _save(path: Path, bars: pd.DataFrame, *, daily: bool) -> None:
    validate_prices(bars)
    table = bars.set_axis(pd.DatetimeIndex(bars.index).as_unit("ms"), axis=0).reset_index()
    table.columns = list(_DAILY if daily else _COLUMNS)
    try:
        write_atomically(path, lambda stream: table.to_parquet(stream, index=False))
    except OSError as error:
        raise MarketError("unwritable_folder", path=str(path.parent), reason=because(error)) from error


def _failure(exchange: str, error: Exception) -> MarketError:
    words = str(error).strip()
    reason = words.splitlines()[0][:160] if words else type(error).__name__
    return MarketError("exchange_failed", exchange=exchange, reason=reason)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
