"""A text as a person or a model would read it, whatever it wears: one reading for each disguise found.

Look-alike letters (full width, mathematical, Cyrillic, Greek), invisible and struck-through characters,
entities and escapes, figures for letters, letters spaced out, words run together, text backwards, Base64.
"""

from __future__ import annotations

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

# Cyrillic, Greek and other letters that look like a Latin one, in small letters (Unicode's confusables).
_LOOKS_LIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝьвкмнтгзαβεηικνορτυχγωϲɡıłøđℓ",
    "aeopcyxijshdqwbbkmhtr3abenikvoptuxywcgilodl",
)
_FIGURES = str.maketrans("013457@$!|", "oieastasil")
_MIXED = re.compile(r"(?<![a-z0-9@$!|])[a-z0-9@$!|]*(?:[a-z][013457@$!|]|[013457@$!|][a-z])[a-z0-9@$!|]*")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W\d_](?:[ .\-_*/]{1,3})){4,}[^\W\d_](?![^\W_])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/_-]{20,}={0,2}")
_ESCAPED = re.compile(r"&#?\w{2,8};|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\n")
_BACKWARDS = re.compile(r"erong|tegrof|drager|drawger|snoit|tpmorp|rewsna|metsys|zeilbuo|sengisnoc")
_ROTATED = re.compile(r"vtaber|sbetrg|qvfertneq|vafgehpg|cebzcg|nafjre|bhoyvrm|pbafvta")
_CODE = re.compile(r"\\[ux]([0-9A-Fa-f]{2,4})")


def readings(text: str) -> Iterator[str]:
    """The text in small letters without accents, then what stands behind each disguise that it wears."""
    plain = undisguised(text)
    yield plain
    if _ESCAPED.search(text):
        opened = unquote(html.unescape(text)).replace("\\n", "\n")
        yield undisguised(_CODE.sub(lambda code: chr(int(code[1], 16)), opened))
    latin = plain if plain.isascii() else plain.translate(_LOOKS_LIKE)
    if latin != plain:
        yield latin
    if _MIXED.search(latin):
        yield _MIXED.sub(lambda word: word[0].translate(_FIGURES), latin)
    if _SPACED.search(text):
        # Two blanks part words where one parts letters; without them the words run together.
        parted = re.sub(r"\s{2,}", "\n", text)
        joined = _SPACED.sub(lambda run: re.sub(r"[ .\-_*/]", "", run[0]), parted)
        yield undisguised(joined).replace("\n", " ")
    if _BACKWARDS.search(latin):
        yield latin[::-1]
    if _ROTATED.search(latin):
        yield codecs.decode(latin, "rot13")
    for token in _BASE64.findall(text):
        if hidden := _decoded(token):
            yield undisguised(hidden)


def run_together(text: str) -> str:
    """The letters of a reading alone: what was parted in odd places is one word again."""
    return re.sub(r"[^a-z]", "", text)


def undisguised(text: str) -> str:
    """Lower case without accents, look-alike widths or invisible characters, apostrophes straight."""
    if not text.isascii():
        text = "".join(
            letter
            for letter in unicodedata.normalize("NFKD", text.replace("’", "'"))
            if unicodedata.category(letter) not in {"Mn", "Cf", "Cs", "Co"}
        )
    return re.sub(r"[^\S\n]+", " ", text.lower().replace("\r", "\n"))


def _decoded(token: str) -> str:
    """What a Base64 token says; empty where it says nothing that can be read."""
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        told = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("utf-8")
    except ValueError:  # of the alphabet, the length or the encoding
        return ""
    return told if told.isprintable() else ""
