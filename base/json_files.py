"""JSON that people hand over, read within bounds: how large, how deep, and no number that none can mean."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from base.reasons import ReasonError

Json = dict[str, Any]
"""An object that is nobody's yet: a model's raw answer, a JSON Schema, a file before it is checked."""

LARGEST = 4 * 1024 * 1024
"""Bytes of a file of settings, a strategy or an answer."""

DEEPEST = 60
"""Levels of nesting."""

LONGEST_NUMBER = 400
"""Digits; more take quadratic time to read, and are none that can be meant."""

_LONGEST_STORED = 20
"""Digits and sign of the longest whole number of 64 bits."""

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*+"?|[{}\[\]]', re.DOTALL)


def parse_json(text: str) -> Any:
    """A JSON value out of text.

    Raises:
        ReasonError: `larger_than`, `too_deep`, `too_large_number`, `not_text` (a lone half of a pair).
        ValueError: this is no JSON.
    """
    if len(text) > LARGEST:
        raise ReasonError("larger_than", limit=LARGEST // 1024**2)
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.group(), 0)
        if depth > DEEPEST:
            raise ReasonError("too_deep")
    found = json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_number)
    try:
        text.encode()
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ReasonError("not_text") from None
    return found


def check_json(value: Any) -> None:
    """Refuse a value that came by another way than text and is no JSON within the bounds of `parse_json`.

    Raises:
        ReasonError: as `parse_json`; `too_large_number` for whole numbers of more than 64 bits, which
            databases do not take; `other_shape`: no JSON at all.
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
        json.loads(text, parse_int=_stored)
    except RecursionError:
        raise ReasonError("too_deep") from None
    except UnicodeEncodeError:
        raise ReasonError("not_text") from None
    except (TypeError, ValueError):
        raise ReasonError("other_shape") from None
    parse_json(text)


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        ReasonError: as `parse_json`.
        OSError, ValueError: it cannot be read, or is no JSON in UTF-8.
    """
    if path.stat().st_size > LARGEST:
        raise ReasonError("larger_than", limit=LARGEST // 1024**2)
    return parse_json(path.read_text(encoding="utf-8"))


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(value):
        raise ReasonError("too_large_number")
    return value


def _stored(digits: str) -> None:
    if len(digits) > _LONGEST_STORED or not -(2**63) <= int(digits) < 2**63:
        raise ReasonError("too_large_number")


def _whole(digits: str) -> int:
    _number(digits)
    return int(digits)
