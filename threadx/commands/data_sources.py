"""`threadx data fetch | forecast | macro | news`: what the ensemble reads, made from a user's own files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from feeds.inputs import INPUTS
from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.defaults import YEARS_FETCHED


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


def _fetch(words: Words) -> click.Command:
    @options.local_command("fetch", words, room="market")
    @click.argument("symbol", metavar="SYMBOL")
    @click.option("--exchange", default="binance", show_default=True, help=words("market.option.exchange"))
    @click.option("--timeframe", default="1d", show_default=True, help=words("market.option.timeframe"))
    @click.option("--since", metavar="ISO", help=words("market.option.since", years=YEARS_FETCHED))
    @click.option("--api", metavar="URL", help=words("market.option.api"))
    @_shared(words)
    def fetch(**given: Any) -> Any:
        return work("data_sources", "fetch", words, given)

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
    def forecast(**given: Any) -> Any:
        return work("data_sources", "forecast", words, given)

    return forecast


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
    def macro(**given: Any) -> Any:
        return work("data_sources", "macro", words, given)

    return macro


def _news(words: Words) -> click.Command:
    @options.local_command("news", words, room="market")
    @click.argument("references", metavar="[FEED|FILE|DIR]...", nargs=-1)
    @click.option("--names", "names_file", metavar="FILE", help=words("market.option.names"))
    @click.option("--gauge", "gauges", multiple=True, metavar="FILE", help=words("market.option.gauge"))
    @click.option("--gauge-tickers", metavar="TICKER[,TICKER…]", help=words("market.option.gauge_tickers"))
    @click.option(
        "--days",
        type=options.POSITIVE,
        default=7.0,
        show_default=True,
        help=words("market.option.days"),
    )
    @click.option("--by-hour", is_flag=True, help=words("market.option.by_hour"))
    @_shared(words)
    def news(**given: Any) -> Any:
        return work("data_sources", "news", words, given)

    return news
