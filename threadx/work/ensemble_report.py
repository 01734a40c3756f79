"""`threadx ensemble report`: a published summary as a document."""

from __future__ import annotations

from feeds.partitions import parse_hour
from nodes.context import Context
from nodes.ensemble.operation.partition import hour_folder
from prompts import Words
from record.record import as_recorded
from reports.forms import Format
from threadx.reporting import hour_document, in_form
from threadx.work.written import write_report


def report(
    words: Words,
    hour: str | None,
    form: Format,
    out: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """The summary of an hour, or the newest, as a document."""
    chosen = None if hour is None else parse_hour(hour)
    folder = (Context() if home is None else Context(home=home)).home_path
    document = hour_document(folder, chosen, words, drawn=form != "md")
    usual = hour_folder(folder, document.made) / f"report.{language}.{form}"
    with as_recorded(usual.parent):
        write_report(words, in_form(document, form), form, out, usual)
