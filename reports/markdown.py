"""A report as Markdown: all it says, without its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.explain import explain
from reports.tables import METRIC_ROWS, brain_lines, failure_lines, figures_table, metric
from reports.words import WordsLike

__all__ = [
    "METRIC_ROWS",
    "brain_lines",
    "failure_lines",
    "figures_table",
    "metric",
    "optimization_report",
    "table",
    "to_markdown",
]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; vertical bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def to_markdown(document: Document) -> str:
    """The document as Markdown text."""
    parts = [f"# {document.title}", document.about]
    parts += [words for block in document.blocks if (words := _block(block))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"{'#' * (level + 1)} {text}"
        case Paragraph(text=text, tone="plain" | "quiet"):
            return text
        case Paragraph(text=text):
            return f"> {text}"
        case Items(items=items):
            return "\n".join(f"- {_one_line(item)}" for item in items)
        case Grid(head=head, rows=rows):
            return table(head, rows)
        case Code(text=text):
            return f"```\n{text}\n```"
        case Picture():
            return ""


def _one_line(text: str) -> str:
    """A line break in what a model wrote would end the list it stands in."""
    return text.replace("\n", " ")


def optimization_report(result: Mapping[str, Any], words: WordsLike) -> str:
    """The report of an optimisation run as it stands in the run's folder, from its result alone."""
    return to_markdown(explain(result, words, timed=False))
