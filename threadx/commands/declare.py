"""`threadx declare`: one hypothesis about a market, before anybody looks at it."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("declare", words)
    @options.price_file(words)
    @options.strategy(words)
    @click.option("--text", required=True, metavar="TEXT", help=words("command.option.text"))
    @click.option(
        "--direction",
        type=click.Choice(("above", "below")),
        default="above",
        show_default=True,
        help=words("command.option.direction"),
    )
    @options.json_option(words)
    @options.common(words)
    def declare(**given: Any) -> Any:
        return work("declare", "declare", words, given)

    return declare
