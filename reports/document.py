"""A report before it has a form: what it says, block by block. Markdown, page and PDF are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # a document without charts need not wait for the drawing library
    import altair as alt

Tone = Literal["plain", "good", "doubtful", "bad", "quiet"]


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Begins a section (`level` 1) or a part of one (2)."""

    text: str
    level: Literal[1, 2] = 1


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Words; any tone but `plain` and `quiet` sets them off in a box."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table.

    Attributes:
        head: names of the columns.
        rows: cells as text.
        words: how many columns at the left are words; those behind are figures, set to the right.
        exact: the cells are identifiers and values, in a fixed-width font.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart.

    Attributes:
        chart: finished, for white ground.
        says: what it shows, for those who cannot see it.
    """

    chart: alt.TopLevelMixin
    says: str


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text to be taken exactly as it stands."""

    text: str


Block = Heading | Paragraph | Items | Grid | Picture | Code


@dataclass(frozen=True, kw_only=True)
class Document:
    """A report.

    Attributes:
        title: what it is about.
        about: a line under the title.
        language: `fr` or `en`.
        made: when what it reports was finished: the same for each drawing of the same report.
        blocks: in order.
    """

    title: str
    about: str
    language: str
    made: datetime
    blocks: tuple[Block, ...]
