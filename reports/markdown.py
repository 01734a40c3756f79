"""A report as Markdown: all it says, without its charts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.explain import explain
from reports.words import WordsLike

# What models wrote and what strategies are called comes out as it is: `a*b*c`, `<b>`, `1. ` are no markup.
_MARKUP = re.compile(r"[\\`*]|<(?=[A-Za-z/!?])|\[(?=[^\]]*\]\s*[(\[])|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_BEGINNING = re.compile(r"^(\d*)([.)#>+=-])")


def _plain(text: str) -> str:
    """A text of one line, with whatever Markdown would take for markup escaped."""
    line = _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(text.split("\n")))
    return _BEGINNING.sub(r"\1\\\2", line)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; vertical bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def to_markdown(document: Document) -> str:
    """The document as Markdown text."""
    parts = [f"# {_plain(document.title)}", _plain(document.about)]
    parts += [words for block in document.blocks if (words := _block(block))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"{'#' * (level + 1)} {_plain(text)}"
        case Paragraph(text=text, tone="plain" | "quiet"):
            return _plain(text)
        case Paragraph(text=text):
            return f"> {_plain(text)}"
        case Items(items=items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Grid(head=head, rows=rows):
            return table(head, rows)
        case Code(text=text):
            return f"```\n{text}\n```"
        case Picture():
            return ""


def optimization_report(result: Mapping[str, Any], words: WordsLike) -> str:
    """The report of an optimisation run as it stands in the run's folder, from its result alone."""
    return to_markdown(explain(result, words, timed=False))
