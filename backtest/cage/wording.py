"""What a function made here does, in both languages: its docstring is English, whoever reads it may not be.

Docstrings of templates and of bred functions are filled from texts. What was filled is found again by the
same texts; what a person or a model wrote stays as it was written.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

from base.errors import catalogue, text

_WHOLE = ("joined", "changed", "memory", "leave")  # what is joined may have been changed before
"""Tables of whole sentences; a part of a sentence is of the table that its placeholder is called after."""


class Speaker(Protocol):
    """Texts in one language."""

    @property
    def language(self) -> str:
        """`fr` or `en`."""

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key."""


def worded(table: str, name: str, /, **parts: str) -> str:
    """What a docstring says, in English, its parts filled in."""
    return text(f"code.{table}.{name}", "en", **parts)


def told(about: str, words: Speaker) -> str:
    """What a docstring says, in the reader's language: as it stands where it is not one of ours.

    Args:
        about: the first paragraph, in English.
        words: of the reader.
    """
    return about if words.language == "en" else _told(about, _WHOLE, words)


def _told(said: str, tables: tuple[str, ...], words: Speaker) -> str:
    for table in tables:
        for key, pattern in _patterns(table).items():
            if found := pattern.fullmatch(said):
                parts = {
                    name: _told(part, _WHOLE if name in ("about", "other") else (name,), words)
                    for name, part in found.groupdict().items()
                }
                return words(f"code.{key}", **parts)
    return said


@cache
def _patterns(table: str) -> dict[str, re.Pattern[str]]:
    """The English texts of a table as patterns, by key."""
    return {
        key: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english)))
        for key, english in catalogue("code", "en").items()
        if key.startswith(f"{table}.")
    }
