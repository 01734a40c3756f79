"""`threadx follow`: a champion sealed, and judged on bars that did not exist then."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("follow", words)
    @click.argument("run", required=False)
    @click.option("--data", metavar="PATH", help=words("follow.option.data"))
    @options.json_option(words)
    @options.common(words)
    def follow_command(**given: Any) -> Any:
        return work("follow", "follow", words, given)

    return follow_command
