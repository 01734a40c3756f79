"""`threadx watch`: a run that is at work elsewhere, as it goes."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("watch", words)
    @click.argument("run")
    @options.json_option(words)
    @options.common(words)
    def watch(**given: Any) -> Any:
        return work("watch", "watch", words, given)

    return watch
