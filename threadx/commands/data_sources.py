"""`threadx data fetch | forecast | macro | news`: what the ensemble reads, made from a user's own files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from base.errors import TypedError
from market.build_forecasts import BuiltForecasts, PriceFolder, build_forecasts
from market.build_macro import INPUTS, build_macro
from market.build_news import build_news
from market.errors import MarketError
from market.fetch import fetch_prices
from market.folder import DataFolder
from market.forecasts import read_forecasts
from market.macro import FEATURES, FIGURES
from market.partitions import parse_hour
from market.scores import SCORES
from market.series import SeriesArchive
from market.tagging import Names, load_names
from market.watchlist import read_watchlist
from market.writing import Watch
from prompts import Words
from threadx.commands import options
from threadx.runner import make_context
from threadx.terminal import Terminal

_YEARS_FETCHED = 3
_MOST_LINES = 20
_SHARES = frozenset(
    {"inflation_yoy", "recession_prob", "growth_yoy", "growth_change", "inflation_change"}
    | {"credit_spread_rank", "volatility_rank"}
)
"""Figures that are fractions and are shown as percentages."""


def commands(words: Words) -> list[click.Command]:
    """The commands of the group `data` that fill a data folder."""
    return [_fetch(words), _forecast(words), _macro(words), _news(words)]


def _shared(words: Words) -> Callable[[options.Function], options.Function]:
    """Decorator: as of when, written where, and what every command has."""

    def decorate(function: options.Function) -> options.Function:
        function = options.common(words)(function)
        function = options.json_option(words)(function)
        function = click.option("--data", metavar="DIR", help=words("market.option.data"))(function)
        return click.option("--as-of", metavar="ISO", help=words("market.option.as_of"))(function)

    return decorate


def _over_time(words: Words) -> Callable[[options.Function], options.Function]:
    """Decorator: many hours in one call."""

    def decorate(function: options.Function) -> options.Function:
        every = click.IntRange(min=1, max=24 * 366)
        function = click.option(
            "--every", type=every, default=24, show_default=True, help=words("market.option.every")
        )(function)
        return click.option("--from", "begin", metavar="ISO", help=words("market.option.from"))(function)

    return decorate


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
    return make_context(home=home).home_path if data is None else Path(data).expanduser().absolute()


def _teller(done: Callable[[str], None], words: Words) -> Watch:
    """Tells what is done as it is done, and what is left out with its reason."""

    def tell(what: str, error: RuntimeError | None) -> None:
        if error is None:
            done(f"✓ {what}")
        elif isinstance(error, TypedError):
            reason = error.sentence(words.language)
            done(words("market.built.left_out", what=what, reason=reason))

    return tell


def _write(result: Any, json_path: str | None) -> None:
    text = json.dumps(result, ensure_ascii=False, indent=2, default=str, allow_nan=False)
    options.write_json(text, json_path)


def _fetch(words: Words) -> click.Command:
    @options.local_command("fetch", words, room="market")
    @click.argument("symbol", metavar="SYMBOL")
    @click.option("--exchange", default="binance", show_default=True, help=words("market.option.exchange"))
    @click.option("--timeframe", default="1d", show_default=True, help=words("market.option.timeframe"))
    @click.option("--since", metavar="ISO", help=words("market.option.since", years=_YEARS_FETCHED))
    @click.option("--api", metavar="URL", help=words("market.option.api"))
    @_shared(words)
    def fetch(
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
    ) -> None:
        hour = _hour(as_of)
        begin = hour - timedelta(days=365 * _YEARS_FETCHED) if since is None else _hour(since)
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
            click.echo(
                words(
                    "market.built.fetched",
                    added=words.number(fetched.added, 0),
                    rows=words.number(fetched.rows, 0),
                    first=f"{fetched.first:%Y-%m-%d %H:%M}",
                    last=f"{fetched.last:%Y-%m-%d %H:%M}",
                    path=fetched.path,
                )
            )
        _write(asdict(fetched), json_path)

    return fetch


def _forecast(words: Words) -> click.Command:
    @options.local_command("forecast", words, room="market")
    @click.argument("prices", metavar="[PRICES]", required=False)
    @click.option(
        "--close-hours",
        type=click.IntRange(min=0, max=72),
        default=24,
        show_default=True,
        help=words("market.option.close_hours"),
    )
    @_over_time(words)
    @_shared(words)
    def forecast(
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
        root = _root(data, home)
        folder = PriceFolder(root / "prices" if prices is None else Path(prices).expanduser())
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

    return forecast


def _quiet(what: str, error: RuntimeError | None) -> None:
    """Over many hours each hour is told, not each file."""


def _tell_forecasts(built: BuiltForecasts, terminal: Terminal, words: Words) -> None:
    def cell(row: dict[str, Any], name: str) -> str:
        return f"{words.number(row[name], 2)} ({words.percent(row[f'{name}_hit_rate'], 0)})"

    def direction(row: dict[str, Any]) -> str:
        told = words(f"market.direction.{row['direction']}")
        return f"{told} ({words.percent(row['confidence'], 0)})"

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


def _macro(words: Words) -> click.Command:
    @options.local_command("macro", words, room="market")
    @click.argument("paths", metavar="[PATH]...", nargs=-1)
    @click.option("--prices", metavar="FILE", help=words("market.option.volatility_prices"))
    @click.option(
        "--use",
        "pairs",
        multiple=True,
        metavar="INPUT=SERIES",
        help=words("market.option.use", inputs=", ".join(INPUTS)),
    )
    @_over_time(words)
    @_shared(words)
    def macro(
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
            archive = SeriesArchive(Path(path).expanduser() for path in paths)
            for hour in _hours(begin, as_of, every):
                one = build_macro(
                    archive,
                    _root(data, home),
                    hour,
                    prices=None if prices is None else Path(prices).expanduser(),
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
                        *(_figure(name, row[name], words) for row in last.rows),
                    ]
                    for name in (*FIGURES, *FEATURES)
                ],
            )
        _write([asdict(one) for one in built], json_path)

    return macro


def _figure(name: str, value: float | None, words: Words) -> str:
    return words.percent(value) if name in _SHARES else words.number(value)


def _news(words: Words) -> click.Command:
    @options.local_command("news", words, room="market")
    @click.argument("references", metavar="[FEED|FILE|DIR]...", nargs=-1)
    @click.option("--names", "names_file", metavar="FILE", help=words("market.option.names"))
    @click.option("--gauge", "gauges", multiple=True, metavar="FILE", help=words("market.option.gauge"))
    @click.option("--gauge-tickers", metavar="TICKER[,TICKER…]", help=words("market.option.gauge_tickers"))
    @click.option(
        "--days",
        type=click.FloatRange(min=0, min_open=True),
        default=7.0,
        show_default=True,
        help=words("market.option.days"),
    )
    @click.option("--by-hour", is_flag=True, help=words("market.option.by_hour"))
    @_shared(words)
    def news(
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
        if not references and not gauges:
            raise MarketError("no_news_inputs", count=0)
        root, hour = _root(data, home), _hour(as_of)
        folder = DataFolder(root)
        known = [row.ticker for row in read_forecasts(folder, hour).rows]
        names = load_names(None if names_file is None else Path(names_file).expanduser())
        tickers = tuple(part.strip().upper() for part in (gauge_tickers or "").split(",") if part.strip())
        terminal = Terminal(words)
        with terminal.steps(words("market.built.reading_news")) as done:
            built = build_news(
                references,
                root,
                hour,
                names=Names(names, [*known, *read_watchlist(folder).tickers]),
                gauges=dict.fromkeys((Path(gauge).expanduser() for gauge in gauges), tickers),
                days=days,
                by_hour=by_hour,
                watch=_teller(done, words),
            )
            for problem in built.refused[:_MOST_LINES]:
                told = words(f"market.problem.{problem.code}", reason=problem.reason)
                done(f"{problem.file} #{problem.row}: {told}")
        if json_path != "-":
            click.echo(
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
                click.echo(", ".join(f"{ticker} {words.number(count, 0)}" for ticker, count in most))
        _write(asdict(built) | {"refused": [one.model_dump() for one in built.refused]}, json_path)

    return news
