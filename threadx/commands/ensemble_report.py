"""`threadx ensemble report`: a published summary as a document."""

from __future__ import annotations

from typing import Any

import click

from prompts import Words
from threadx.commands import options
from threadx.commands.local import work


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("ensemble_report", words, shown_as="report")
    @click.argument("hour", required=False)
    @options.report_form(words)
    @options.common(words)
    def report(**given: Any) -> Any:
        return work("ensemble_report", "report", words, given)

    return report
