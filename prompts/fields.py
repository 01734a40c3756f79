"""What the fields of an answer mean, in the language of the prompt."""

from __future__ import annotations

from functools import cache
from typing import Any

from prompts.texts import Language, catalogue


def in_language(schema: dict[str, Any], language: Language) -> dict[str, Any]:
    """A JSON Schema whose descriptions are in a language; what a plugin has said stays as it is.

    Args:
        schema: with English descriptions.
        language: of the prompt that shows it.
    """
    told: dict[str, Any] = schema if language == "en" else _translated(schema, _words(language))
    return told


@cache
def _words(language: Language) -> dict[str, str]:
    """Every description in English, and what it is in a language."""
    there = catalogue("fields", language)
    return {words: there[key] for key, words in catalogue("fields", "en").items()}


def _translated(part: Any, words: dict[str, str]) -> Any:
    if isinstance(part, list):
        return [_translated(one, words) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: words.get(value, value)
        if key == "description" and isinstance(value, str)
        else _translated(value, words)
        for key, value in part.items()
    }
