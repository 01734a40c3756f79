"""The one JSON object in a model's answer."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from providers.errors import AnswerError

_THOUGHTS = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
# What opens like JSON; `{name}` and `[see` in prose do not.
_START = re.compile(r'\{(?=\s*["}]|\s*$)|\[(?=\s*[\[{"\]\d-]|\s*$)')
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\]]', re.DOTALL)


def split_thinking(text: str) -> tuple[str, str]:
    """Separate `<think>…</think>` from what follows.

    Templates that open the thought in the prompt leave only `</think>` in the text: what comes before it is
    thought. A thought that never ends leaves no answer.

    Returns:
        The thoughts and the rest, both stripped.
    """
    thoughts = [match.group(1).strip() for match in _THOUGHTS.finditer(text)]
    rest = _THOUGHTS.sub("", text)
    if close := _CLOSE.search(rest):
        thoughts.insert(0, rest[: close.start()].strip())
        rest = rest[close.end() :]
    if opened := _OPEN.search(rest):
        thoughts.append(rest[opened.end() :].strip())
        rest = rest[: opened.start()]
    return "\n\n".join(thought for thought in thoughts if thought), rest.strip()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise AnswerError("not_finite", number=digits)
    return number


def _refuse(name: str) -> float:
    raise AnswerError("not_finite", number=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise AnswerError("duplicate_key", key=key)
        found[key] = value
    return found


# strict=False: models write line breaks inside strings; reading them loses nothing.
_DECODER = json.JSONDecoder(
    strict=False, parse_float=_finite, parse_constant=_refuse, object_pairs_hook=_unique
)


def _behind(text: str, start: int) -> int:
    """Where a broken object or list ends, so that no part of it is taken for the answer."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token.group() in "{[":
            depth += 1
        elif token.group() in "}]":
            depth -= 1
        if depth == 0:
            return token.end()
    return len(text)


def extract_json(text: str) -> dict[str, Any]:
    """The last complete JSON object of a text, fenced, bare or in the midst of prose.

    The last one counts, because models first think aloud or repeat the question. Nothing is repaired: an
    object that the text breaks off is an error, never closed for the model.

    Args:
        text: the answer without thoughts.

    Raises:
        AnswerError: `no_json`, `truncated_json`, `duplicate_key` or `not_finite` (NaN, infinity, 1e999).
    """
    found: dict[str, Any] | None = None
    trouble = ""
    position = 0
    while start := _START.search(text, position):
        try:
            value, position = _DECODER.raw_decode(text, start.start())
        except json.JSONDecodeError as error:
            broken_off = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
            if broken_off and text[start.start()] == "{":
                raise AnswerError("truncated_json", position=len(text)) from None
            trouble, position = error.msg, _behind(text, start.start())
            continue
        except RecursionError:
            raise AnswerError("no_json", detail="nested too deeply") from None
        if isinstance(value, dict):
            found = value
    if found is None:
        raise AnswerError("no_json", detail=trouble or "no object")
    return found
