"""Charts and reports as files that a command writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import altair as alt
import click

from backtest.files import write_atomically
from prompts import Words
from reports.document import Document
from reports.pictures import write_picture
from threadx.commands.options import Function
from threadx.errors import ThreadxError
from threadx.reporting import FORMATS, Format, in_form


def write_drawing(chart: alt.TopLevelMixin, path: str) -> None:
    """A chart to a file, in the form that its suffix names.

    Raises:
        ReportError: `unknown_picture`.
        ThreadxError: `unwritable_file`.
    """
    try:
        write_picture(chart, Path(path))
    except OSError as error:
        raise ThreadxError("unwritable_file", path=path, reason=str(error.strerror)) from None


def report_form(words: Words) -> Callable[[Function], Function]:
    """Decorator: `--format` and `--out` of a report."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option("--out", type=click.Path(), metavar="PATH", help=words("command.option.report_out")),
            click.option(
                "--format",
                "form",
                type=click.Choice(FORMATS),
                default="md",
                show_default=True,
                help=words("command.option.format"),
            ),
        ):
            function = option(function)
        return function

    return decorate


def write_report(words: Words, document: Document, form: Format, out: str | None, usual: Path) -> None:
    """Markdown to standard output unless a file is named; page and PDF to the file named or to `usual`.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    drawn = in_form(document, form)
    if form == "md" and out is None:
        click.echo(drawn.decode(), nl=False)
        return
    path = usual if out is None else Path(out)
    try:
        write_atomically(path, lambda stream: stream.write(drawn))
    except OSError as error:
        raise ThreadxError("unwritable_file", path=str(path), reason=str(error.strerror)) from None
    click.echo(words("command.written", folder=str(path)))
