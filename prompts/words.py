"""Words and figures for people in one language: the face of the text catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from base.days import day
from base.errors import Face, shown_at, told_moment
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
        raw: figures for programs: a decimal point, no separators, fractions in place of percentages, ten
            digits, nothing where there is none.
    """

    language: Language
    face: Face | None = None
    raw: bool = False

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
        if self.raw:
            return _raw(value)
        if value is None:
            return "–"
        words = f"{value:,d}" if isinstance(value, int) else f"{value:z,.{digits}f}"
        return self._localised(words, signed=signed)

    def short(self, value: float | int | None) -> str:
        """A figure with no more digits than it needs (six at most)."""
        if self.raw:
            return _raw(value)
        return "–" if value is None else self._localised(f"{float(value):zg}")

    def percent(self, fraction: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """A fraction as a percentage: 0.125 is 12.5%, or 12,5 % in French; a gain may show its sign too."""
        if self.raw:
            return _raw(fraction)
        if fraction is None:
            return "–"
        space = NO_BREAK_SPACE if self.language == "fr" else ""
        return f"{self._localised(f'{100 * fraction:z,.{digits}f}', signed=signed)}{space}%"

    def day(self, moment: str | date) -> str:
        """A date, or the date of an ISO time, as `base.days.day`; a dash where there is none."""
        if not moment:
            return "–"
        return day(date.fromisoformat(moment[:10]) if isinstance(moment, str) else moment, self.language)

    def moment(self, moment: str | datetime) -> str:
        """A date with its hour and minute in UTC, as `day`; text is an ISO time."""
        if not moment:
            return "–"
        when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        when = when.astimezone(UTC) if when.tzinfo is not None else when
        return f"{self.day(when)}, {when:%H:%M} UTC".replace(" UTC", f"{NO_BREAK_SPACE}UTC")

    def bar_time(self, time: datetime) -> str:
        """The time of a bar as its data has it: the day, with the hour where bars are shorter than days."""
        with self._shown():
            return told_moment(f"{time:%Y-%m-%dT%H:%M}", self.language)

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


def _raw(value: float | int | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:z.10g}"
