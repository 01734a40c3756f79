"""The one JSON object in a model's answer."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from base.errors import TypedError
from base.reasons import because, plain
from providers.errors import AnswerError, short

_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
# What opens like JSON; `{name}` and `[see` in prose do not.
_START = re.compile(r'\{(?=\s*["}]|\s*$)|\[(?=\s*[\[{"\]\d-]|\s*$)')
# A string that never ends is one token to the end of the text: nothing is read twice.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*+"?|[{}\[\]]', re.DOTALL)

DEEPEST = 100
"""Levels of nesting; no schema has ten, and what comes after reading walks down each of them."""

LONGEST_NUMBER = 400
"""Digits of a number: more are none that can be meant, and take quadratic time to read."""


def split_thinking(text: str) -> tuple[str, str]:
    """Separate `<think>…</think>` from what follows.

    Templates that open the thought in the prompt leave only `</think>` in the text: what comes before it is
    thought. A thought that never ends leaves no answer.

    Returns:
        The thoughts and the rest, both stripped.
    """
    thoughts: list[str] = []
    kept: list[str] = []
    position, inside = 0, False
    for tag in _TAG.finditer(text):
        closes = bool(tag.group(1))
        if inside and not closes:
            continue  # a thought that names the tag
        part = text[position : tag.start()]
        if not closes:
            kept.append(part)
        elif inside:
            thoughts.append(part)
        else:
            thoughts.append("".join([*kept, part]))
            kept = []
        position, inside = tag.end(), not closes
    (thoughts if inside else kept).append(text[position:])
    told = (thought.strip() for thought in thoughts)
    return "\n\n".join(thought for thought in told if thought), "".join(kept).strip()


def _finite(digits: str) -> float:
    number = float(digits) if len(digits) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(number):
        raise AnswerError("not_finite", number=short(digits))
    return number


def _whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _refuse(name: str) -> float:
    raise AnswerError("not_finite", number=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise AnswerError("duplicate_key", key=short(key))
        found[key] = value
    return found


# strict=False: models write line breaks inside strings; reading them loses nothing.
_DECODER = json.JSONDecoder(
    strict=False, parse_float=_finite, parse_int=_whole, parse_constant=_refuse, object_pairs_hook=_unique
)


def _extent(text: str, start: int) -> tuple[int, int]:
    """Where an object or list ends, whole or faulty, so that no part of a faulty one is taken for the answer.

    Returns:
        The position behind it, the end of the text where it never closes, and how deep it is nested; what
        is too deep is not read further.
    """
    depth = deepest = 0
    for token in _TOKEN.finditer(text, start):
        if token.group() in "{[":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEEPEST:
                break
        elif token.group() in "}]":
            depth -= 1
        if depth == 0:
            return token.end(), deepest
    return len(text), deepest


def extract_json(text: str) -> dict[str, Any]:
    """The last complete JSON object of a text, fenced, bare or in the midst of prose.

    The last one counts, because models first think aloud or repeat the question. Nothing is repaired: an
    object that the text breaks off is an error, never closed for the model.

    Args:
        text: the answer without thoughts.

    Raises:
        AnswerError: `no_json`, `too_deep`, `truncated_json`, `duplicate_key` or `not_finite` (NaN, infinity,
            1e999, whole numbers that no float can hold).
    """
    text = text.rstrip()
    found: dict[str, Any] | None = None
    trouble: json.JSONDecodeError | None = None  # told once, not for each of a hundred thousand
    position = 0
    while begin := _START.search(text, position):
        start = begin.start()
        position, deepest = _extent(text, start)
        if deepest > DEEPEST:
            raise AnswerError("too_deep", limit=DEEPEST)
        part = text[start:position]
        try:
            value, _ = _DECODER.raw_decode(part)
        except json.JSONDecodeError as error:
            broken_off = error.pos >= len(part) or error.msg.startswith("Unterminated string")
            if broken_off and position == len(text) and part[0] == "{":
                raise AnswerError("truncated_json", position=len(text)) from None
            trouble = error
            continue
        if isinstance(value, dict):
            found = value
    if found is None:
        reason: TypedError = AnswerError("no_object") if trouble is None else because(trouble)
        raise AnswerError("no_json", detail=plain(reason))
    return found
