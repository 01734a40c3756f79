"""`threadx data`: what a price file is worth before anything is computed from it; and what fills a folder."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import data_sources, options
from threadx.commands.local import LocalGroup, work


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("data", help=words("command.help.data"), words=words, no_args_is_help=True)

    @options.local_command("check", words)
    @options.price_file(words)
    @options.json_option(words)
    @options.common(words)
    def check(**given: Any) -> Any:
        return work("data", "check", words, given)

    @options.local_command("advance", words)
    @options.price_file(words)
    @click.option("--to", metavar="ISO", help=words("command.option.advance_to"))
    @options.json_option(words)
    @options.common(words)
    def advance(**given: Any) -> Any:
        return work("data", "move", words, given)

    @options.local_command("migrate", words)
    @options.json_option(words)
    @options.common(words)
    def migrate(**given: Any) -> Any:
        return work("migrate", "migrate", words, given)

    for one in (check, advance, migrate):
        group.add_command(one)
    for filling in data_sources.commands(words):
        group.add_command(filling)
    return group
