"""The JSON objects in a model's answer, read as leniently as a careful human would.

Read, and counted as repaired: fences and prose around an object, an object alone in a list, trailing commas,
comments, single quotes, no-break spaces, Python's constants, `7/10` and `45 %` without quotation marks.
Refused, because a reader would have to guess: what breaks off, a key twice, a missing comma, numbers that are
none. json5 was chosen by the cases of `tests/providers/test_extraction.py`: json-repair guesses in all of
these, and partial-json-parser completes what breaks off and reads neither comments nor trailing commas.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import json5

from providers.errors import AnswerError, short

_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
# What opens like JSON; `{name}` and `[see` in prose do not.
_START = re.compile(r'\{(?=\s*(?:["\'}#]|//|/\*)|\s*$)|\[(?=\s*[\[{"\'\]\d-]|\s*$)')
# A string or comment that never ends is one token to the end of the text: nothing is read twice.
_TOKEN = re.compile(
    r""""(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|[{}\[\]]""",
    re.DOTALL,
)
# What neither JSON nor JSON5 knows, and where it cannot be: inside strings and comments.
_FOREIGN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*+"?|'(?:\\.|[^'\\])*+'?|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"""
    r"|(?P<comment>\#[^\n]*+)"
    r"|\b(?P<constant>True|False|None)\b"
    r"|(?P<ratio>(?<![\w.])-?\d{1,9}(?:\.\d{1,9})?\s*(?:/\s*\d{1,9}(?!\w)|%))",
    re.DOTALL,
)
_CONSTANTS = {"True": "true", "False": "false", "None": "null"}
_COMPLAINT = re.compile(r":(\d+) Unexpected (.*) at column (\d+)", re.DOTALL)

LONGEST_LENIENT = 8_000
"""Letters of an answer that are read leniently, all in all: it takes up to 90 microseconds a letter."""

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


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
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


def _extent(text: str, start: int) -> tuple[int, int, bool]:
    """Where an object or list ends, whole or faulty, so that no part of a faulty one is taken for the answer.

    Returns:
        The position behind it, the end of the text where it never closes, how deep it is nested (what is too
        deep is not read further), and whether it closes.
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
            return token.end(), deepest, True
    return len(text), deepest, False


@dataclass(frozen=True)
class Found:
    """An object of an answer.

    Attributes:
        value: it.
        repairs: what was read leniently: `syntax`, `list`, `surroundings`.
    """

    value: dict[str, Any]
    repairs: frozenset[str]


class _Trouble(Exception):
    """Where and why an object cannot be read: offset in the text, and what stands there."""

    def __init__(self, place: int, found: str) -> None:
        self.place = place
        self.found = found


def _own(match: re.Match[str]) -> str:
    """The same in JSON5."""
    if match["comment"] is not None:
        return " " * len(match["comment"])
    if match["constant"] is not None:
        return _CONSTANTS[match["constant"]]
    return f'"{match["ratio"]}"' if match["ratio"] is not None else match["string"]


def _lenient(part: str) -> Any:
    """What a faulty object says.

    Raises:
        _Trouble: it has to be guessed.
        AnswerError: `duplicate_key`, `not_finite`.
    """
    words = _FOREIGN.sub(_own, part)
    try:
        return json5.loads(
            words,
            strict=False,
            parse_float=_finite,
            parse_int=_whole,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except AnswerError:
        raise
    except ValueError as error:
        told = _COMPLAINT.search(str(error))
        if told is None:
            raise _Trouble(0, part[:1]) from None
        lines = words.splitlines(keepends=True)
        place = sum(map(len, lines[: int(told[1]) - 1])) + int(told[3]) - 1
        raise _Trouble(place, told[2].strip('"')) from None


def _guessed(part: str, place: int) -> Any:
    raise _Trouble(place, part[place : place + 1])


def objects_in(text: str) -> list[Found]:
    """Every complete JSON object of a text, fenced, bare or in the midst of prose, in order.

    Models think aloud or repeat the question before they answer; whoever knows the schema knows which object
    is the answer. What the text breaks off is an error, never closed for the model.

    Args:
        text: the answer without thoughts.

    Raises:
        AnswerError: `no_json`, `not_json`, `too_deep`, `truncated_json`, `duplicate_key` or `not_finite`
            (NaN, infinity, 1e999, whole numbers that no float can hold).
    """
    text = text.rstrip()
    found: list[Found] = []
    trouble: AnswerError | None = None  # told once, not for each of a hundred thousand
    position, room = 0, LONGEST_LENIENT
    while begin := _START.search(text, position):
        start = begin.start()
        position, deepest, closes = _extent(text, start)
        if deepest > DEEPEST:
            raise AnswerError("too_deep", limit=DEEPEST)
        part = text[start:position]
        repairs = {"surroundings"} if part != text else set()
        try:
            value, _ = _DECODER.raw_decode(part)
        except json.JSONDecodeError as error:
            if not closes and part[0] == "{":
                raise AnswerError("truncated_json", position=len(text)) from None
            try:
                room -= len(part)
                value = _lenient(part) if room >= 0 else _guessed(part, error.pos)
            except _Trouble as one:
                trouble = trouble or _faulty(text, start + one.place, one.found)
                continue
            repairs.add("syntax")
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            repairs.add("list")
            found += [Found(item, frozenset(repairs)) for item in value]
        elif isinstance(value, dict):
            found.append(Found(value, frozenset(repairs)))
    if not found:
        raise trouble or AnswerError("no_json", said=short(text))
    return found


def _faulty(text: str, place: int, found: str) -> AnswerError:
    before = text[:place]
    line, column = before.count("\n") + 1, place - before.rfind("\n")
    return AnswerError("not_json", line=line, column=column, found=short(found))
