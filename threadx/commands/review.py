"""`threadx review`: a backtest read, discussed and left as it is."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.sectioned_command("review", words)
    @options.price_file(words)
    @options.strategy(words)
    @options.further(words)
    @options.roles(words)
    @click.option("--seed", type=int, help=words("command.option.seed"))
    @click.option("--run", help=words("command.option.run"))
    @options.json_option(words)
    @options.common(words)
    def review(**given: Any) -> Any:
        return work("starting", "review", words, given)

    return review
