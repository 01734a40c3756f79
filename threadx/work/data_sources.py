"""`threadx data fetch | forecast | macro | news`: what the ensemble reads, made from a user's own files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from base.errors import TypedError
from base.paths import typed_path
from feeds.builders.forecasts import BuiltForecasts, PriceFolder, build_forecasts
from feeds.builders.macro import build_macro
from feeds.builders.news import build_news
from feeds.builders.scores import SCORES
from feeds.builders.series import SeriesArchive
from feeds.builders.writing import Watch
from feeds.folder import DataFolder
from feeds.forecasts import read_forecasts
from feeds.macro import FEATURES, FIGURES
from feeds.partitions import parse_hour
from feeds.tagging import Names, load_names
from feeds.watchlist import read_watchlist
from prompts import Words
from threadx.defaults import YEARS_FETCHED
from threadx.plain import say
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json
from vault.errors import MarketError
from vault.fetch import fetch_prices

_MOST_LINES = 20
_SHARES = frozenset(
    {"inflation_yoy", "recession_prob", "growth_yoy", "growth_change", "inflation_change"}
    | {"credit_spread_rank", "volatility_rank"}
)
"""Figures that are fractions and are shown as percentages."""


def _hour(given: str | None) -> datetime:
    """The hour asked for, or the present one.

    Raises:
        MarketError: `bad_time`.
    """
    if given is None:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return parse_hour(given)


def _hours(begin: str | None, as_of: str | None, every: int) -> Iterator[datetime]:
    """Hours to build for, the last one included.

    Raises:
        MarketError: `bad_time`, `bad_range`.
    """
    last = _hour(as_of)
    hour = last if begin is None else _hour(begin)
    if hour > last:
        raise MarketError("bad_range", begin=f"{hour:%Y-%m-%dT%H}", end=f"{last:%Y-%m-%dT%H}")
    while hour < last:
        yield hour
        hour += timedelta(hours=every)
    yield last


def _root(data: str | None, home: str | None) -> Path:
    return make_context(home=home).home_path if data is None else typed_path(data).absolute()


def _teller(done: Callable[[str], None], words: Words) -> Watch:
    """Tells what is done as it is done, and what is left out with its reason."""

    def tell(what: str, error: RuntimeError | None) -> None:
        if error is None:
            done(f"✓ {what}")
        elif isinstance(error, TypedError):
            done(words("market.built.left_out", what=what, reason=words.told(error)))

    return tell


def _write(result: Any, json_path: str | None) -> None:
    text = json.dumps(result, ensure_ascii=False, indent=2, default=str, allow_nan=False)
    write_json(text, json_path)


def _quiet(what: str, error: RuntimeError | None) -> None:
    """Over many hours each hour is told, not each file."""


def _tell_forecasts(built: BuiltForecasts, terminal: Terminal, words: Words) -> None:
    def cell(row: dict[str, Any], name: str) -> str:
        cells = terminal.cells
        return f"{cells.number(row[name], 2)} ({cells.percent(row[f'{name}_hit_rate'], 0)})"

    def direction(row: dict[str, Any]) -> str:
        told = words(f"market.direction.{row['direction']}")
        return f"{told} ({terminal.cells.percent(row['confidence'], 0)})"

    terminal.table(
        words("market.built.forecasts_title", path=built.partition),
        [words(f"market.column.{name}") for name in ("ticker", "direction", *SCORES)],
        [
            [
                f"{row['ticker']} {row['horizon']}",
                direction(row),
                *(cell(row, name) for name in SCORES),
            ]
            for row in built.rows[:_MOST_LINES]
        ],
        caption=words("market.built.hit_rate"),
        words_columns=(0, 1),
    )


def _figure(name: str, value: float | None, words: Words) -> str:
    return words.percent(value) if name in _SHARES else words.number(value)


def fetch(
    words: Words,
    symbol: str,
    exchange: str,
    timeframe: str,
    since: str | None,
    api: str | None,
    as_of: str | None,
    data: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> int:
    """An exchange's bars to a file, and what came; 1 where it is not what was asked for."""
    hour = _hour(as_of)
    begin = hour - timedelta(days=365 * YEARS_FETCHED) if since is None else _hour(since)
    if begin >= hour:
        raise MarketError("bad_range", begin=f"{begin:%Y-%m-%dT%H}", end=f"{hour:%Y-%m-%dT%H}")
    terminal = Terminal(words)
    with terminal.steps(words("market.built.fetching", symbol=symbol, exchange=exchange)) as done:
        fetched = fetch_prices(
            exchange,
            symbol,
            timeframe,
            _root(data, home),
            since=begin,
            as_of=hour,
            api=api,
            watch=lambda rows, last: done(
                words("market.built.page", rows=words.number(rows, 0), last=f"{last:%Y-%m-%d %H:%M}")
            ),
        )
    if json_path != "-":
        say(
            words(
                "market.built.fetched",
                added=words.number(fetched.added, 0),
                rows=words.number(fetched.rows, 0),
                first=f"{fetched.first:%Y-%m-%d %H:%M}",
                last=f"{fetched.last:%Y-%m-%d %H:%M}",
                path=fetched.path,
            )
        )
    short = [name for name in ("beginning", "end") if getattr(fetched, f"lacks_{name}")]
    for name in short:
        told = words(
            f"market.built.lacks_{name}",
            exchange=exchange,
            asked=words.number(fetched.asked, 0),
            rows=words.number(fetched.rows, 0),
            since=f"{fetched.since:%Y-%m-%d %H:%M}",
            as_of=f"{fetched.as_of:%Y-%m-%d %H:%M}",
            first=f"{fetched.first:%Y-%m-%d %H:%M}",
            last=f"{fetched.last:%Y-%m-%d %H:%M}",
        )
        say(told, err=True)
    _write(asdict(fetched), json_path)
    # Who named no first bar asked for what there is.
    return int("end" in short or ("beginning" in short and since is not None))


def forecast(
    words: Words,
    prices: str | None,
    close_hours: int,
    begin: str | None,
    every: int,
    as_of: str | None,
    data: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """Technical forecasts of every price file, and the last hour's as a table."""
    root = _root(data, home)
    folder = PriceFolder(root / "prices" if prices is None else typed_path(prices))
    terminal = Terminal(words)
    built = []
    with terminal.steps(words("market.built.scoring")) as done:
        tell = _teller(done, words)
        for hour in _hours(begin, as_of, every):
            one = build_forecasts(
                folder, root, hour, close_hours=close_hours, watch=tell if begin is None else _quiet
            )
            built.append(one)
            if begin is not None:
                done(words("market.built.hour", hour=f"{hour:%Y-%m-%dT%H}", path=one.partition))
    if json_path != "-":
        _tell_forecasts(built[-1], terminal, words)
    _write([asdict(one) for one in built], json_path)


def macro(
    words: Words,
    paths: tuple[str, ...],
    prices: str | None,
    pairs: tuple[str, ...],
    begin: str | None,
    every: int,
    as_of: str | None,
    data: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """Macro figures from series, and the last hour's as a table."""
    if not paths and prices is None:
        raise MarketError("no_macro_inputs")
    use = {}
    for pair in pairs:
        name, equals, series = (part.strip() for part in pair.partition("="))
        if not (name and equals and series):
            raise MarketError("bad_use", pair=pair)
        use[name] = series
    terminal = Terminal(words)
    built = []
    with terminal.steps(words("market.built.reading_series")) as done:
        tell = _teller(done, words)
        archive = SeriesArchive(typed_path(path) for path in paths)
        for hour in _hours(begin, as_of, every):
            one = build_macro(
                archive,
                _root(data, home),
                hour,
                prices=None if prices is None else typed_path(prices),
                use=use,
                watch=tell if begin is None else _quiet,
            )
            built.append(one)
            if begin is not None:
                done(words("market.built.hour", hour=f"{hour:%Y-%m-%dT%H}", path=one.partition))
        last = built[-1]
        for file, row, column, text in last.refused[:_MOST_LINES]:
            done(words("market.built.cell", file=file, row=row, column=column, text=text))
        if last.unvintaged:
            done(words("market.built.unvintaged", series=", ".join(last.unvintaged)))
    if json_path != "-":
        terminal.table(
            words("market.built.macro_title", path=last.partition),
            [words("market.column.figure"), *(row["horizon"] for row in last.rows)],
            [
                [
                    words(f"market.figure.{name}"),
                    *(_figure(name, row[name], terminal.cells) for row in last.rows),
                ]
                for name in (*FIGURES, *FEATURES)
            ],
        )
    _write([asdict(one) for one in built], json_path)


def news(
    words: Words,
    references: tuple[str, ...],
    names_file: str | None,
    gauges: tuple[str, ...],
    gauge_tickers: str | None,
    days: float,
    by_hour: bool,
    as_of: str | None,
    data: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """News of the feeds and files, tagged, and what was taken."""
    if not references and not gauges:
        raise MarketError("no_news_inputs", count=0)
    root, hour = _root(data, home), _hour(as_of)
    folder = DataFolder(root)
    known = [row.ticker for row in read_forecasts(folder, hour).rows]
    names = Names(
        load_names(None if names_file is None else typed_path(names_file)),
        [*known, *read_watchlist(folder).tickers],
    )
    given = (part.strip().upper() for part in (gauge_tickers or "").split(","))
    tickers = tuple(names.instrument(symbol) for symbol in given if symbol)
    terminal = Terminal(words)
    with terminal.steps(words("market.built.reading_news")) as done:
        built = build_news(
            references,
            root,
            hour,
            names=names,
            gauges=dict.fromkeys((typed_path(gauge) for gauge in gauges), tickers),
            days=days,
            by_hour=by_hour,
            watch=_teller(done, words),
        )
        for problem in built.refused[:_MOST_LINES]:
            told = words(f"market.problem.{problem.code}", reason=problem.reason)
            done(f"{problem.file} #{problem.row}: {told}")
    if json_path != "-":
        say(
            words(
                "market.built.news",
                written=words.number(built.written, 0),
                files=words.number(len(built.files), 0),
                path=root / "news",
                duplicates=words.number(built.duplicates, 0),
                outside=words.number(built.outside, 0),
                refused=words.number(len(built.refused), 0),
                quarantined=words.number(built.quarantined, 0),
            )
        )
        if built.by_ticker:
            most = list(built.by_ticker.items())[:_MOST_LINES]
            say(", ".join(f"{ticker} {words.number(count, 0)}" for ticker, count in most))
    _write(asdict(built) | {"refused": [one.model_dump() for one in built.refused]}, json_path)
