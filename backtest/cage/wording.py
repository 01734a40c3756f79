"""What a function made here does, in both languages: its docstring is English, whoever reads it may not be.

Docstrings of templates and of bred functions are filled from texts. What was filled is found again by the
same texts; what a person or a model wrote stays as it was written.
"""

from __future__ import annotations

import re
from functools import cache

from base.errors import Language, catalogue, text

_WHOLE = ("changed", "joined", "memory", "leave")
"""Tables of whole sentences; a part of a sentence is of the table that its placeholder is called after."""


def worded(table: str, name: str, language: Language = "en", /, **parts: str) -> str:
    """A text about a function, its parts filled in."""
    return text(f"code.{table}.{name}", language, **parts)


def told(about: str, language: Language) -> str:
    """What a docstring says, in a language: as it stands where it is not one of ours.

    Args:
        about: the first paragraph, in English.
        language: of the reader.
    """
    return about if language == "en" else _told(about, _WHOLE, language)


def _told(said: str, tables: tuple[str, ...], language: Language) -> str:
    for table in tables:
        for key, pattern in _patterns(table).items():
            if found := pattern.fullmatch(said):
                parts = {
                    name: _told(part, _WHOLE if name in ("about", "other") else (name,), language)
                    for name, part in found.groupdict().items()
                }
                return text(f"code.{key}", language, **parts)
    return said


@cache
def _patterns(table: str) -> dict[str, re.Pattern[str]]:
    """The English texts of a table as patterns, by key."""
    return {
        key: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(words)))
        for key, words in catalogue("code", "en").items()
        if key.startswith(f"{table}.")
    }
