"""`threadx backtest`: one strategy on one file of prices."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("backtest", words)
    @options.price_file(words)
    @options.strategy(words)
    @options.further(words)
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
