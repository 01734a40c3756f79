"""Tone of a headline by a small lexicon made for financial news, in English and French (`lexicon.toml`).

A word counts with its weight; a negation within three words before it turns it round at half weight ("no
recession" is not the opposite of a recession); "less", « légère » and the like halve it. The sum is squashed
into −1…1, so that long texts do not outweigh short ones.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

_NEGATIONS = frozenset({"not", "no", "never", "without", "pas", "sans", "ni", "aucun", "aucune", "jamais"})
_SOFTENERS = frozenset({"less", "slightly", "moins", "legerement", "leger", "legere"})
_REACH = 3
_WORD = re.compile(r"[a-z]+")


@cache
def _lexicon() -> dict[str, float]:
    groups = tomllib.loads(files("feeds").joinpath("lexicon.toml").read_text(encoding="utf-8"))
    return {word: group["weight"] for group in groups.values() for word in group["words"].split()}


def without_accents(text: str) -> str:
    """A text without accents: words are written once for « récession » and "recession"."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def plain_words(text: str) -> list[str]:
    """Words in lower case without accents."""
    return _WORD.findall(without_accents(text).lower().replace("n't", " not"))


def lexicon_score(text: str) -> float:
    """Tone from −1 (bad news) to 1 (good news); 0 for a text without a known word."""
    words = plain_words(text)
    lexicon = _lexicon()
    total = 0.0
    for position, word in enumerate(words):
        weight = lexicon.get(word, 0.0)
        before = set(words[max(position - _REACH, 0) : position])
        if _NEGATIONS & before:
            weight /= -2
        if _SOFTENERS & before:
            weight /= 2
        total += weight
    return round(math.tanh(total), 4)
