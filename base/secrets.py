"""What must not stand in any file: keys, tokens and passwords, whatever form they come back in.

One filter for all that is written down or told. It knows the values of the environment's keys (variables
named like `X_API_KEY`, `X_TOKEN`, `X_SECRET`, `X_PASSWORD`), the passwords inside the environment's
addresses, and by their place what stands before the `@` of an address and behind `Authorization`. It is
applied where something comes in (what a server said, the fields of an error) and where something is kept,
before it is hashed or compared.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from html.entities import html5
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"

SHORTEST = 8
SHORTEST_WORD = 16
"""Characters of a value that is a secret, and of one in small letters alone: `none` and `lm-studio` are no
keys, and a mask over them would take ordinary words with it."""

_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD)$|(?:APIKEY|PASSWORD)$", re.IGNORECASE
)
_WORD = re.compile(r"[a-z_-]*")
_USER = re.compile(r"((?::|%3[Aa])(?:\\?/|%2[Ff]){2})[^\s/?#\"'<>\\]+@")
_HEADER = re.compile(
    r"(\b(?:[Aa]uthorization|AUTHORIZATION)[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:[A-Za-z]{1,16} )?"
    r"(?:token=[\"']?)?"
    r"|\b(?:[Bb]earer|[Bb]asic)[ \u00a0])"
    r"(?:(?=[^\s\"',;]*[0-9=])[A-Za-z0-9+/=._~-]{8,}|[A-Za-z+/._~-]{20,})"
)
_HEADER_WORDS = ("uthorization", "UTHORIZATION", "earer", "asic")  # looked for first: most texts have none
_ESCAPED = re.compile(r"\\[ux][0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2}|&[a-zA-Z]{2,}|%[0-9a-fA-F]{2}")
_ENTITIES: dict[str, list[str]] = {}
for _name, _letter in sorted(html5.items()):
    _ENTITIES.setdefault(_letter, []).append(_name)


def masked(value: Any) -> Any:
    """Plain JSON without secrets: in texts and keys, at every depth. What is no text stays as it is."""
    return _masked(value, _secrets_now())


def masked_text(text: str) -> str:
    """The text with `***` in the place of each secret."""
    return _masked_text(text, _secrets_now())


def masked_json(value: Any) -> tuple[Any, str]:
    """`masked`, and the compact line of JSON it makes; NaN is refused.

    Nearly all of what is kept holds nothing to be masked, and its line tells so at one look.

    Raises:
        ValueError: NaN or an infinity.
    """
    secrets, line = _secrets_now(), _line(value)
    if not _may_hold(line, secrets):
        return value, line
    kept = _masked(value, secrets)
    return kept, _line(kept)


_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _may_hold(line: str, secrets: tuple[str, ...]) -> bool:
    """Whether a text in a line of JSON may hold what `_masked_text` looks for; rather once too often.

    What stands in a text stands in its JSON too, letter by letter, each as JSON writes it.
    """
    return (
        "@" in line
        or any(word in line for word in _HEADER_WORDS)
        or any(form in line for form in _lined(secrets))
        or (bool(secrets) and _ESCAPED.search(line) is not None)
    )


@lru_cache(maxsize=8)
def _lined(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """The forms of secrets as a line of JSON holds them."""
    return tuple(json.dumps(form, ensure_ascii=False)[1:-1] for form in _forms(secrets))


def _masked(value: Any, secrets: tuple[str, ...]) -> Any:
    match value:
        case str():
            return _masked_text(value, secrets)
        case Mapping():
            return {_masked(key, secrets): _masked(one, secrets) for key, one in value.items()}
        case list():
            return [_masked(one, secrets) for one in value]
        case _:
            return value


def _masked_text(text: str, secrets: tuple[str, ...]) -> str:
    for form in _forms(secrets):
        if form in text:
            text = text.replace(form, MASK)
    if "@" in text:
        text = _USER.sub(rf"\1{MASK}@", text)
    if secrets and _ESCAPED.search(text):
        for pattern in _patterns(secrets):
            text = pattern.sub(MASK, text)
    if any(word in text for word in _HEADER_WORDS):
        text = _HEADER.sub(rf"\1{MASK}", text)
    return text


def masked_stream(stream: TextIO) -> TextIO:
    """The stream with secrets masked line by line, where a file or a pipe takes it; a terminal as it is."""
    if stream is None or stream.isatty():
        return stream
    return io.TextIOWrapper(
        cast(BinaryIO, _Masked(stream.buffer)),
        stream.encoding,
        stream.errors,
        line_buffering=True,
        write_through=True,
    )


class _Masked(io.BufferedIOBase):
    """Bytes on their way to another stream, a whole line at a time."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._line = b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._inner.fileno()

    def write(self, given: Any) -> int:
        whole, end, rest = (self._line + bytes(given)).rpartition(b"\n")
        self._line = rest
        self._pass(whole + end)
        return len(given)

    def flush(self) -> None:
        if not self.closed:
            self._inner.flush()

    def close(self) -> None:
        if not self.closed:
            self._pass(self._line)
            self._line = b""
            self.flush()
        super().close()

    def _pass(self, told: bytes) -> None:
        if told:
            text = masked_text(told.decode("utf-8", "surrogateescape"))
            self._inner.write(text.encode("utf-8", "surrogateescape"))


def _secrets_now() -> tuple[str, ...]:
    """Read once for all of a value, and as Python keeps it: it decodes the whole environment at each look."""
    raw: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return _secrets(tuple(raw.items()))


@lru_cache(maxsize=8)
def _secrets(raw: tuple[tuple[str | bytes, str | bytes], ...]) -> tuple[str, ...]:
    """The environment's secrets, the longest first."""
    environment = [(os.fsdecode(name), os.fsdecode(value)) for name, value in raw]
    found = {value.strip() for name, value in environment if _NAME.search(name)}
    found |= {secret for _, value in environment if "://" in value for secret in _inside(value)}
    return tuple(sorted((one for one in found if _is_secret(one)), key=lambda one: (-len(one), one)))


def _inside(address: str) -> Iterator[str]:
    """Passwords in an address, as written and as meant; a user's name where it stands alone."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    if secret := parts.password or (parts.username if parts.password is None else None):
        yield from (secret, unquote(secret))


def _is_secret(value: str) -> bool:
    if len(value) < (SHORTEST_WORD if _WORD.fullmatch(value) else SHORTEST):
        return False
    return not (value.startswith(("/", "~", ".")) and Path(value).exists())  # a key's file is no key


@lru_cache(maxsize=8)
def _forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Each secret as it may come back: in JSON, in an address, in base64 at any place, in hexadecimal."""
    found: dict[str, None] = {}
    for secret in secrets:
        raw = secret.encode()
        written = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
        written += [one.replace("/", "\\/") for one in written]
        written += [quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper()]
        for offset, first in enumerate((0, 2, 3)):
            whole = (offset + len(raw)) * 8 // 6  # what follows shares the letter behind these
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                written.append(encode(bytes(offset) + raw).decode()[first:whole])
        found |= dict.fromkeys([secret, *written])
    return tuple(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=8)
def _patterns(secrets: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Each secret with any of its letters escaped, as JSON, addresses and pages do it."""

    def letter(one: str) -> str:
        code = "|".join(
            rf"(?i:{form})" for form in (rf"\\u{ord(one):04x}", rf"\\x{ord(one):02x}", rf"%{ord(one):02x}")
        )
        named = "".join(rf"|&{name}" for name in _ENTITIES.get(one, ()))
        return rf"(?:{re.escape(one)}|{code}|&#0*{ord(one)};|(?i:&#x0*{ord(one):x};){named})"

    return tuple(re.compile("".join(map(letter, secret))) for secret in secrets)
