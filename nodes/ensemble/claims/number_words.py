"""Numbers written in letters, put into figures: « vingt pour cent » is read as « 20 pour cent ».

The numerals are read by text2num. Beside it stand here the shares and round counts that it leaves (« deux
tiers », "half of", « une vingtaine »): they claim a figure, and claim it roughly. Ordinals (« troisième »)
give a place, not a figure, and « un », "one" are articles more often than numbers: both are left alone, the
latter unless a percentage follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from text_to_num import alpha2digit, find_numbers

from prompts import Language

_TOKEN = re.compile(r"[^\W\d_]+|\d+|\s+|.", re.DOTALL)
_PER = frozenset({"pour", "per"})
_ARTICLES = frozenset({"un", "une", "one"})
_PERCENT = re.compile(r"\s*(?:%|pour[ \u00a0-]?cent|per ?cent|points? de base|basis points?)", re.IGNORECASE)
_NEW = re.compile(r"\s*[^\W\d_]")
"""What follows « neuf » where it is the number: a noun. « Rien de neuf » is no nine."""

_SHARE = 0.02
_ROUND = 0.1
_HEDGED = 0.1
_HEDGE = re.compile(
    r"(?:moins d[e’']|plus d[e’']|près d[e’']|environ|presque|quasi|autour de"
    r"|more than|less than|over|under|nearly|almost|about|around)\s*$",
    re.IGNORECASE,
)
"""« Près de la moitié » claims less than « la moitié »."""

_OF_AGENTS = re.compile(r"(?:\s+\w+){0,3}?\s+agents\b", re.IGNORECASE)
_OF = r"(?=\s+(?:de|du|des)\b|\s+d[’'](?!heure))"
_SHARES: dict[str, tuple[tuple[re.Pattern[str], float], ...]] = {
    language: tuple((re.compile(rf"\b(?:{words})", re.IGNORECASE), value) for words, value in table)
    for language, table in {
        "fr": (
            (r"(?:la|une) moitié\b", 1 / 2),
            (rf"(?:un|le) tiers{_OF}", 1 / 3),
            (r"(?:les )?deux[- ]tiers\b", 2 / 3),
            (rf"(?:un|le) quart{_OF}", 1 / 4),
            (rf"(?:les )?trois[- ]quarts{_OF}", 3 / 4),
            (rf"(?:un|le) cinquième{_OF}", 1 / 5),
            (rf"(?:un|le) dixième{_OF}", 1 / 10),
        ),
        "en": (
            (
                r"(?<!first )(?<!second )(?<!latter )(?<!other )half (?:of|the)\b|(?:by|in|a|one) half\b",
                1 / 2,
            ),
            (r"(?:a|one)[- ]third of\b", 1 / 3),
            (r"two[- ]thirds\b", 2 / 3),
            (r"(?:a|one)[- ]quarter of\b", 1 / 4),
            (r"three[- ]quarters of\b", 3 / 4),
            (r"(?:a|one)[- ]fifth of\b", 1 / 5),
            (r"(?:a|one)[- ]tenth of\b", 1 / 10),
        ),
    }.items()
}
_COUNTS: dict[str, tuple[tuple[re.Pattern[str], float], ...]] = {
    language: tuple((re.compile(rf"\b{word}\b", re.IGNORECASE), value) for word, value in table.items())
    for language, table in {
        "fr": {
            "une dizaine": 10,
            "une douzaine": 12,
            "une vingtaine": 20,
            "une trentaine": 30,
            "une quarantaine": 40,
            "une cinquantaine": 50,
            "une soixantaine": 60,
            "une centaine": 100,
        },
        "en": {"a dozen": 12, "a score of": 20},
    }.items()
}


class Rough(NamedTuple):
    """A figure claimed in round words.

    Attributes:
        written: as it stands in the text.
        value: what it claims; a share as a fraction.
        within: how far the given figure may lie from it.
        of_agents: it is a share of the agents.
    """

    written: str
    value: float
    within: float
    of_agents: bool


@dataclass(frozen=True)
class Rewritten:
    """A text whose numbers are all in figures.

    Attributes:
        text: the text, without what `rough` holds.
        numbers: (start, end, as written) of each number that stood in letters.
        rough: shares and round counts.
    """

    text: str
    numbers: tuple[tuple[int, int, str], ...]
    rough: tuple[Rough, ...]

    def as_written(self, start: int, end: int) -> str:
        """A part of the text in the words of its writer."""
        parts, at = [], start
        for begin, stop, letters in self.numbers:
            if start <= begin and stop <= end:
                parts += [self.text[at:begin], letters]
                at = stop
        return "".join([*parts, self.text[at:end]])


class _Word:
    """A piece of a text, as text2num reads it (its protocol `Token`)."""

    def __init__(self, text: str, *, is_unit: bool) -> None:
        self._text = text
        self._is_unit = is_unit

    def text(self) -> str:
        return self._text

    def nt_separated(self, previous: _Word) -> bool:
        return False

    def not_a_number_part(self) -> bool:
        return self._is_unit


@lru_cache(maxsize=1024)
def in_figures(text: str, language: Language) -> Rewritten:
    """Put the numbers of a text into figures.

    Args:
        text: in that language.
        language: whose numerals are read.
    """
    rest, rough = _without_rough(text, language)
    if alpha2digit(rest, language, threshold=0.0) == rest:
        return Rewritten(rest, (), rough)
    pieces = _TOKEN.findall(rest)
    words = [" " if piece.isspace() else piece for piece in pieces]
    tokens = [
        # The cent of « pour cent » is a unit, not a hundred.
        _Word(word, is_unit=word.lower() == "cent" and place > 1 and words[place - 2].lower() in _PER)
        for place, word in enumerate(words)
    ]
    parts: list[str] = []
    numbers: list[tuple[int, int, str]] = []
    at = length = 0
    for found in find_numbers(tokens, language, threshold=0.0):
        written = "".join(pieces[found.start : found.end])
        before, after = "".join(pieces[at : found.start]), "".join(pieces[found.end :])
        if found.is_ordinal or written[0].isdigit() or not _is_number(written, before, after):
            continue
        parts += [before, found.text]
        begin = length + len(before)
        length = begin + len(found.text)
        numbers.append((begin, length, written))
        at = found.end
    return Rewritten("".join([*parts, *pieces[at:]]), tuple(numbers), rough)


def _is_number(written: str, before: str, after: str) -> bool:
    if written.lower() in _ARTICLES:
        return _PERCENT.match(after) is not None
    if written.lower() == "neuf":
        return _NEW.match(after) is not None and not before.lower().endswith("de ")
    return True


def _without_rough(text: str, language: Language) -> tuple[str, tuple[Rough, ...]]:
    found: list[Rough] = []
    for table, share in ((_SHARES[language], True), (_COUNTS[language], False)):
        for pattern, value in table:
            for match in pattern.finditer(text):
                hedged = _HEDGE.search(text, 0, match.start()) is not None
                within = (_HEDGED if hedged else _SHARE) if share else _ROUND * value
                of_agents = _OF_AGENTS.match(text, match.end()) is not None
                found.append(Rough(match[0], value, within, of_agents))
            text = pattern.sub(" ", text)
    return text, tuple(found)
