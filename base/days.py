"""Days as a reader of a language writes them."""

from __future__ import annotations

from datetime import date
from typing import Literal

MONTHS: dict[str, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fr": (
        *("janv.", "févr.", "mars", "avr.", "mai", "juin"),
        *("juil.", "août", "sept.", "oct.", "nov.", "déc."),
    ),
}
"""Short names of the months [Lexique des règles typographiques en usage à l’Imprimerie nationale]."""
_SPACE = "\u00a0"


def day(when: date, language: Literal["fr", "en"]) -> str:
    """`3 Feb 2026`, `3 févr. 2026`, `1er févr. 2026`; its parts are never parted."""
    first = "er" if language == "fr" and when.day == 1 else ""
    return _SPACE.join((f"{when.day}{first}", MONTHS[language][when.month - 1], str(when.year)))
