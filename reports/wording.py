"""What a report needs of whoever words it."""

from __future__ import annotations

from typing import Any, Protocol


class WordsLike(Protocol):
    """Texts and figures in one language; the caller brings them (`prompts.Words`)."""

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key."""

    def number(self, value: float | int | None, digits: int = 2) -> str:
        """A figure."""

    def short(self, value: float | int | None) -> str:
        """A figure with no more digits than it needs."""

    def percent(self, fraction: float | None, digits: int = 1) -> str:
        """A fraction as a percentage."""
