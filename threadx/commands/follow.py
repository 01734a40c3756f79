"""`threadx follow`: a champion sealed, and judged on bars that did not exist then."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.commands.output_path import OutputPath


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("follow", words)
    @click.argument("run", required=False)
    @click.option("--data", metavar="PATH", help=words("follow.option.data"))
    @click.option("--with", "tables", multiple=True, metavar="NAME=FILE", help=words("follow.option.with"))
    @click.option(
        "--picture", "picture_path", type=OutputPath(), metavar="PATH", help=words("follow.option.picture")
    )
    @options.json_option(words)
    @options.common(words)
    def follow_command(**given: Any) -> Any:
        return work("follow", "follow", words, given)

    return follow_command
