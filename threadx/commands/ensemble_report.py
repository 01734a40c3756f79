"""`threadx ensemble report`: a published summary as a document."""

from __future__ import annotations

import click

from market.partitions import parse_hour
from nodes.context import Context
from nodes.ensemble.partition import hour_folder
from prompts import Words
from threadx.commands import options
from threadx.commands.written import report_form, write_report
from threadx.reporting import Format, hour_document


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("ensemble_report", words, shown_as="report")
    @click.argument("hour", required=False)
    @report_form(words)
    @options.common(words)
    def report(
        hour: str | None, form: Format, out: str | None, home: str | None, language: str, debug: bool
    ) -> None:
        chosen = None if hour is None else parse_hour(hour)
        folder = (Context() if home is None else Context(home=home)).home_path
        document = hour_document(folder, chosen, words, drawn=form != "md")
        usual = hour_folder(folder, document.made) / f"report.{language}.{form}"
        write_report(words, document, form, out, usual)

    return report
