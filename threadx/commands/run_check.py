"""`threadx runs check`: a run's figures computed once more, in a table beside what is on record."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("run_check", words, shown_as="check")
    @click.argument("run")
    @click.option("--data", "files", multiple=True, metavar="PATH", help=words("command.option.check_data"))
    @click.option("--every", is_flag=True, help=words("command.option.check_every"))
    @options.json_option(words)
    @options.common(words)
    def check(**given: Any) -> Any:
        return work("run_check", "check", words, given)

    return check
