"""A report as PDF."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.drawing import typeset
from reports.pictures import picture


def to_pdf(document: Document) -> bytes:
    """The document as PDF; the same document gives the same bytes.

    Raises:
        ReportError: `not_drawn`.
    """
    pictures: dict[str, bytes] = {}
    blocks = [_block(block, pictures) for block in document.blocks]
    template = files("reports").joinpath("report.typ").read_text(encoding="utf-8")
    data = {
        "title": document.title,
        "about": document.about,
        "language": document.language,
        "blocks": blocks,
    }
    return typeset(template, pictures, data, document.made)


def _block(block: Block, pictures: dict[str, bytes]) -> dict[str, Any]:
    """The block as the template reads it; a chart becomes a file beside it."""
    match block:
        case Heading(text=text, level=level):
            return {"kind": "heading", "text": text, "level": level}
        case Paragraph(text=text, tone=tone):
            return {"kind": "paragraph", "text": text, "tone": tone}
        case Items(items=items):
            return {"kind": "items", "items": items}
        case Grid(head=head, rows=rows, words=words, exact=exact):
            return {"kind": "grid", "head": head, "rows": rows, "words": words, "exact": exact}
        case Code(text=text):
            return {"kind": "code", "text": text}
        case Picture(chart=chart, says=says):
            name = f"chart-{len(pictures)}.pdf"
            pictures[name] = picture(chart, ".pdf")
            return {"kind": "picture", "file": name, "says": says}
