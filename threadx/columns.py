"""Tables for a terminal of some width, and for a pipe: whole words, whole figures, whole names."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2
"""Columns of the terminal between two columns of a table."""
_SHORTEST = 6
"""Letters that are left of a word that is shortened."""


@dataclass(frozen=True)
class Fitted:
    """What of a table fits.

    Attributes:
        shown: places of the columns that are shown, in order.
        left_out: places of those that are not.
        widths: of each shown column.
    """

    shown: tuple[int, ...]
    left_out: tuple[int, ...]
    widths: tuple[int, ...]


def fitted(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    words_columns: Container[int] = (0,),
    spare: Sequence[int] = (),
) -> Fitted | None:
    """Widths that break no word, no figure and no name of the first column; None where there are none.

    Columns of words are wrapped between words; then `spare` columns are left out, one after the other; then
    the longest words are shortened.

    Args:
        head: names of the columns.
        rows: cells.
        width: of the terminal.
        words_columns: places of the columns that hold words; others hold figures.
        spare: places of columns that may be left out, the first to go first.
    """
    cells = [[head[place], *(row[place] for row in rows)] for place in range(len(head))]
    whole = [max(map(cell_len, column)) for column in cells]
    least = [
        max(cell_len(column[0]) if not place else 0, *map(cell_len, column[1:]), _longest(column[:1]))
        if not place or place not in words_columns
        else _longest(column)
        for place, column in enumerate(cells)
    ]
    shown = list(range(len(head)))
    leaving = list(spare)

    def lacking() -> int:
        return sum(least[place] for place in shown) + GAP * (len(shown) - 1) - width

    while lacking() > 0 and leaving:
        shown.remove(leaving.pop(0))
    while lacking() > 0:
        longest = max(
            (place for place in shown if place and place in words_columns), key=least.__getitem__, default=0
        )
        if least[longest] <= _SHORTEST or not longest:
            return None
        least[longest] -= 1
    widths = {place: least[place] for place in shown}
    for _ in range(-lacking()):
        narrow = [place for place in shown if widths[place] < whole[place]]
        if not narrow:
            break
        widths[max(narrow, key=lambda place: whole[place] / widths[place])] += 1
    left_out = tuple(place for place in range(len(head)) if place not in shown)
    return Fitted(tuple(shown), left_out, tuple(widths[place] for place in shown))


def _longest(cells: Sequence[str]) -> int:
    """Length of the longest word."""
    return max((cell_len(word) for cell in cells for word in cell.split(" ")), default=0)


def tab_separated(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for the head and one a row, cells between tabs; what is none is empty."""
    return ["\t".join(_cell(cell) for cell in row) for row in [head, *rows]]


def _cell(text: str) -> str:
    return "" if text == "–" else " ".join(text.replace("\t", " ").splitlines())
