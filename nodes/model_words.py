"""What is known of a model that is there, in words."""

from __future__ import annotations

from prompts import Words
from providers.installed import Installed

_GIB = 1024.0**3


def traits(one: Installed, words: Words) -> list[str]:
    """What is known of a model beside its size."""
    told = [
        one.quantisation,
        words("models.list.window", tokens=words.number(one.window)) if one.window else "",
        words("models.list.thinks") if one.thinks else "",
        words("models.list.loaded") if one.loaded else "",
    ]
    return [part for part in told if part]


def gib(size: int | None, words: Words) -> str:
    """Bytes as people read them."""
    return words("models.list.size", size=words.number(None if size is None else size / _GIB, 1))
