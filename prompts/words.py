"""Words and figures for people in one language: the face of the text catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from base.errors import Face, shown_at
from base.reasons import whole
from prompts.texts import Language, text

NO_BREAK_SPACE = "\u00a0"
NARROW_NO_BREAK_SPACE = "\u202f"
MINUS = "\u2212"


@dataclass(frozen=True)
class Words:
    """Renders texts, numbers and percentages in one language; what rounds to zero has no sign.

    Attributes:
        language: `fr` (decimal comma, space before %) or `en`.
        face: where they are read; None for the face at work (`base.errors.shown_at`).
    """

    language: Language
    face: Face | None = None

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of `key`, see `prompts.text`."""
        with self._shown():
            return text(key, self.language, **values)

    def told(self, error: Exception) -> str:
        """The sentence of an error that ends work without being a fault of the program's (`ENDINGS`)."""
        with self._shown():
            return whole(error).sentence(self.language)

    def _shown(self) -> AbstractContextManager[None]:
        return nullcontext() if self.face is None else shown_at(self.face)

    def number(self, value: float | int | None, digits: int = 2, *, signed: bool = False) -> str:
        """A figure with fixed decimals, thousands separated, a zero unsigned; a dash where there is none."""
        if value is None:
            return "–"
        words = f"{value:,d}" if isinstance(value, int) else f"{value:z,.{digits}f}"
        return self._localised(words, signed=signed)

    def short(self, value: float | int | None) -> str:
        """A figure with no more digits than it needs (six at most)."""
        return "–" if value is None else self._localised(f"{float(value):zg}")

    def percent(self, fraction: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """A fraction as a percentage: 0.125 is 12.5%, or 12,5 % in French; a gain may show its sign too."""
        if fraction is None:
            return "–"
        space = NO_BREAK_SPACE if self.language == "fr" else ""
        return f"{self._localised(f'{100 * fraction:z,.{digits}f}', signed=signed)}{space}%"

    def join(self, parts: Sequence[str]) -> str:
        """An enumeration: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        last = "et" if self.language == "fr" else "and"
        return f"{', '.join(parts[:-1])} {last} {parts[-1]}"

    def _localised(self, words: str, *, signed: bool = False) -> str:
        if signed and words[0] != "-" and words.strip("0."):
            words = f"+{words}"
        words = words.replace("-", MINUS)
        if self.language == "en":
            return words
        return words.replace(",", NARROW_NO_BREAK_SPACE).replace(".", ",")
