"""A report as Markdown: all it says, without its charts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from base.labels import UNSEEN
from record.results import RunResult
from reports.document import Block, Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.explain import explain
from reports.words import WordsLike

# What models wrote and what strategies are called comes out as it is: `a*b*c`, `<b>`, `1. ` are no markup.
_MARKUP = re.compile(r"[\\`*]|<(?=[A-Za-z/!?])|\[(?=[^\]]*\]\s*[(\[])|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_BEGINNING = re.compile(r"^\d*(?=[.)](\s|$))|^(?=[#>=]|[+-]([\s-]|$))")


def _inline(text: str) -> str:
    """A text of one line, with whatever Markdown would take for markup escaped."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(text.split("\n")))


def _plain(text: str) -> str:
    """As `_inline`, where the beginning of the line counts as well."""
    return _BEGINNING.sub(lambda found: f"{found[0]}\\", _inline(text), count=1)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; vertical bars inside cells are escaped."""
    escaped = [[_inline(cell).replace("|", "\\|") for cell in line] for line in (head, *rows)]
    lines = [escaped[0], ["---"] * len(head), *escaped[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_markdown(document: Document) -> str:
    """The document as Markdown text."""
    parts = [f"# {_plain(document.title)}", _plain(document.about)]
    parts += [words for block in document.blocks if (words := _block(block))]
    # Who shows the file in a terminal reads words, not orders to the terminal.
    return UNSEEN.sub(_written, "\n\n".join(parts)) + "\n"


def _written(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else f"\\u{ord(found[0]):04x}"


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
            longest = max((len(run) for run in re.findall("`+", text)), default=0)
            fence = "`" * max(3, longest + 1)
            return f"{fence}\n{text}\n{fence}"
        case Picture():
            return ""


def optimization_report(result: RunResult, words: WordsLike) -> str:
    """The report of an optimisation run as it stands in the run's folder, from its result alone."""
    return to_markdown(explain(result, words, timed=False))
