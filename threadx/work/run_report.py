"""`threadx runs report`: a run as a document."""

from __future__ import annotations

from prompts import Words
from record.record import as_recorded, run_folder
from reports.forms import Format
from threadx.reporting import in_form, run_document
from threadx.settings import home_folder
from threadx.work.written import write_report


def report(
    words: Words, run: str, form: Format, out: str | None, home: str | None, language: str, debug: bool
) -> None:
    """The run as a document."""
    folder = home_folder(home)
    document = run_document(folder, run, words, drawn=form != "md")
    with as_recorded(run_folder(folder, run)):
        usual = run_folder(folder, run) / f"report.{language}.{form}"
        write_report(words, in_form(document, form), form, out, usual)
