"""`threadx ensemble report`: a published summary as a document."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from nodes.context import Context
from prompts import Words
from threadx.commands import options
from threadx.commands.written import report_form, write_report
from threadx.errors import ThreadxError
from threadx.reporting import Format, hour_document


def chosen_hour(text: str | None) -> datetime | None:
    """`2018-12-31T22` or `2018123122` in UTC; None for the newest.

    Raises:
        ThreadxError: `bad_hour`.
    """
    if text is None:
        return None
    try:
        if len(text) == 10 and text.isdigit():
            return datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ThreadxError("bad_hour", hour=text) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("ensemble_report", words, shown_as="report")
    @click.argument("hour", required=False)
    @report_form(words)
    @options.common(words)
    def report(
        hour: str | None, form: Format, out: str | None, home: str | None, language: str, debug: bool
    ) -> None:
        folder = (Context() if home is None else Context(home=home)).home_path
        document = hour_document(folder, chosen_hour(hour), words, drawn=form != "md")
        usual = folder / "llm_summary" / f"dt={document.made:%Y%m%d%H}" / f"report.{language}.{form}"
        write_report(words, document, form, out, usual)

    return report
