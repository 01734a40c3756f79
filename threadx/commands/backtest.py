"""`threadx backtest`: one strategy on prices of one instrument or several, or target weights of several."""

from __future__ import annotations

from typing import Any

import click

from backtest.types import EVERY
from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("backtest", words)
    @options.price_file(words, several=True)
    @options.strategy(words)
    @options.further(words)
    @click.option("--weights", metavar="PATH|equal", help=words("command.option.weights"))
    @click.option("--rebalance", type=click.Choice(EVERY), help=words("command.option.rebalance"))
    @click.option("--max-leverage", type=float, help=words("command.option.max_leverage"))
    @click.option("--cash-yield-pct", type=float, help=words("command.option.cash_yield_pct"))
    @click.option(
        "--capital",
        type=float,
        default=10_000.0,
        show_default=True,
        metavar="CASH",
        help=words("command.option.capital"),
    )
    @click.option(
        "--picture",
        "picture_path",
        type=OutputPath(),
        metavar="PATH",
        help=words("command.option.backtest_picture"),
    )
    @click.option("--all", "whole", is_flag=True, help=words("command.option.all"))
    @options.json_option(words)
    @options.common(words)
    def backtest(**given: Any) -> Any:
        return work("backtest", "backtest", words, given)

    return backtest
