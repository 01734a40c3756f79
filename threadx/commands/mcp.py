"""`threadx mcp`: tools for coding assistants."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work
from threadx.errors import ThreadxError


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("mcp", words)
    @click.option("--runs", is_flag=True, help=words("command.option.mcp_runs"))
    @options.common(words)
    def mcp(**given: Any) -> Any:
        if find_spec("mcp") is None:
            raise ThreadxError("no_mcp")
        return work("mcp", "mcp", words, given)

    return mcp
