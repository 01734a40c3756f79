"""`threadx doctor`: which models answer, and what to do about the others; which files are damaged."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("doctor", words)
    @click.option("--repair", is_flag=True, help=words("command.option.repair"))
    @options.json_option(words)
    @options.common(words)
    def doctor(**given: Any) -> Any:
        return work("doctor", "doctor", words, given)

    return doctor
