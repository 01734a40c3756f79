"""A chart as a file: PNG, SVG, PDF, or a page of its own that asks nothing of the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from base.files import write_atomically
from record.errors import ReportError
from reports.drawing import drawn, typeset

if TYPE_CHECKING:
    import altair as alt

SUFFIXES = (".png", ".svg", ".pdf", ".html")
_PAGE = '#set page(width: auto, height: auto, margin: 0pt)\n#image("chart.pdf")'
# Saving as SVG or PNG works in the page itself; the editor is a website.
_EMBED = {"actions": {"export": True, "source": False, "compiled": False, "editor": False}}


def picture_suffix(path: Path | str) -> str:
    """The suffix that says how a picture is written.

    Raises:
        ReportError: `unknown_picture`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ReportError("unknown_picture", path=str(path), known=", ".join(SUFFIXES))
    return suffix


def specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The chart as Vega-Lite. Altair checked its parts when they were made; the rows need no such check."""
    told: dict[str, Any] = chart.to_dict(validate=False)
    return told


def picture(chart: alt.TopLevelMixin, suffix: str) -> bytes:
    """The chart's bytes; the same chart gives the same bytes.

    Args:
        chart: a finished chart.
        suffix: one of `SUFFIXES`.

    Raises:
        ReportError: `not_drawn`: the renderer crashed, or took too long.
    """
    if suffix == ".html":
        return str(chart.to_html(inline=True, embed_options=_EMBED)).encode()
    told = specification(chart)
    if suffix == ".pdf":
        # vl-convert orders a PDF's objects as it happens; typst, which takes it in, always alike.
        return typeset(_PAGE, {"chart.pdf": drawn("pdf", told)})
    return drawn(suffix.removeprefix("."), told)


def write_picture(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write the chart in the form that the file's suffix names, whole or not at all.

    Raises:
        ReportError: `unknown_picture`, `not_drawn`.
        OSError: the file cannot be written.
    """
    content = picture(chart, picture_suffix(path))
    write_atomically(path, lambda stream: stream.write(content), named=True)
