"""`threadx ui`: the pages without the LangGraph server."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("ui", words)
    @click.option("--host", metavar="ADDRESS", help=words("command.option.host"))
    @click.option("--port", type=click.IntRange(1, 65535), default=8100, help=words("command.option.port"))
    @options.common(words)
    def ui(**given: Any) -> Any:
        return work("ui", "ui", words, given)

    return ui
