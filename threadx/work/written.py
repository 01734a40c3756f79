"""Results, charts and reports as files that a command writes."""

from __future__ import annotations

import math
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from base.files import write_atomically, write_text_atomically
from base.reasons import because
from prompts import Words
from reports.forms import Format
from reports.pictures import write_picture
from threadx.errors import ThreadxError
from threadx.plain import say

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def write_drawing(chart: alt.TopLevelMixin, path: str) -> None:
    """A chart to a file, in the form that its suffix names.

    Raises:
        ReportError: `unknown_picture`.
        ThreadxError: `unwritable_file`.
    """
    try:
        write_picture(chart, Path(path))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ThreadxError("unwritable_file", path=path, reason=because(error)) from None


def write_report(words: Words, drawn: bytes, form: Format, out: str | None, usual: Path) -> None:
    """Markdown to standard output unless a file is named; page and PDF to the file named or to `usual`.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    if form == "md" and out is None:
        click.echo(drawn.decode(), nl=False)
        return
    path = usual if out is None else Path(out)
    try:
        write_atomically(path, lambda stream: stream.write(drawn), named=out is not None)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ThreadxError("unwritable_file", path=str(path), reason=because(error)) from None
    say(words("command.written", folder=str(path)))


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain JSON: figures with every digit they have, times as ISO text, None where undefined."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): plain(value) for name, value in row.items()} for row in rows]


def write_json(text: str, path: str | None) -> None:
    """The whole result to a file, or to standard output for `-`.

    Raises:
        ThreadxError: `unwritable_file`.
    """
    if path is None:
        return
    if path == "-":
        sys.stdout.write(text.rstrip("\n") + "\n")
        return
    try:
        write_text_atomically(Path(path), text.rstrip("\n") + "\n", named=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ThreadxError("unwritable_file", path=path, reason=because(error)) from None
