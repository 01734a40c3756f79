"""`threadx models`: circuit breakers closed by hand."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import LocalGroup, work


def command(words: Words) -> click.Group:
    """Build the group."""
    group = LocalGroup("models", help=words("command.help.models"), words=words, no_args_is_help=True)

    @options.local_command("reset", words, room="models")
    @click.argument("models", metavar="[MODEL…]", nargs=-1)
    @options.common(words)
    def reset(**given: Any) -> Any:
        return work("models", "reset", words, given)

    group.add_command(reset)
    return group
