"""The words people read, one TOML catalogue a room and language (`backtest.fr.toml`, `backtest.en.toml`).

A key is `room.name` or `room.table.name`, for example `backtest.error.unknown_strategy`. Both languages hold
the same keys with the same placeholders; a test sees to it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from prompts.errors import PromptError

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def catalogue(room: str, language: Language) -> dict[str, str]:
    """Every text of one room in one language, by its key without the room.

    Raises:
        PromptError: there is no such catalogue.
    """
    source = files("prompts.texts").joinpath(f"{room}.{language}.toml")
    if not source.is_file():
        raise PromptError("missing_text", room=room, language=language)
    found: dict[str, str] = {}
    for name, entry in tomllib.loads(source.read_text(encoding="utf-8")).items():
        if isinstance(entry, str):
            found[name] = entry
        else:
            found.update({f"{name}.{inner}": words for inner, words in entry.items()})
    return found


def text(key: str, language: Language, /, **values: Any) -> str:
    """The text of `key` in `language`, its placeholders filled.

    Args:
        key: `room.name` or `room.table.name`.
        language: `fr` or `en`.
        **values: placeholders; more than the text uses is allowed, so that each language may say less.

    Raises:
        PromptError: no such text, or a placeholder without a value.
    """
    room, _, name = key.partition(".")
    try:
        template = catalogue(room, language)[name]
    except KeyError:
        raise PromptError("missing_text", key=key, language=language) from None
    try:
        return template.format(**values)
    except (KeyError, IndexError) as missing:
        raise PromptError("missing_value", key=key, language=language, value=str(missing)) from None
