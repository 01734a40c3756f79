"""JSON Schemas as grammars can take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STRING_LENGTH = 160
LIST_LENGTH = 5
_LETTERS = 3
"""Letters of a token, rather too few."""
_FIELD = 6
"""Tokens of a field's name, or of a number or one of a few words."""
_DEEPEST = 20
_PROSE = ("title", "description", "examples", "default", "discriminator")


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which everything a model writes is bounded, for grammar-constrained decoding.

    A small model inside a grammar goes on for ever wherever the grammar lets it: strings get at most
    160 characters and lists at most 5 items (or their own minimum, if longer), objects no further keys.
    `oneOf` becomes `anyOf`, and words are left out, because the grammar does not read them. What satisfies
    the copy satisfies the original, apart from rules that no grammar knows.
    """
    return _object({key: value for key, value in schema.items()})


def answer_room(schema: Mapping[str, Any]) -> int:
    """About how many tokens a full answer to a schema takes: each role's own, for a window that is short.

    As long as `bounded` lets every text and list be, with the names of the fields.
    """
    whole = bounded(schema)
    return _room(whole, whole.get("$defs", {}), 0)


def _room(part: Any, named: Mapping[str, Any], depth: int) -> int:
    if not isinstance(part, dict) or depth > _DEEPEST:
        return 0
    if "$ref" in part:
        return _room(named.get(str(part["$ref"]).rpartition("/")[2], {}), named, depth + 1)
    if choices := [*part.get("anyOf", ()), *part.get("allOf", ())]:
        return max(_room(one, named, depth + 1) for one in choices)
    match part.get("type"):
        case "object":
            fields = part.get("properties", {})
            return sum(_FIELD + _room(one, named, depth + 1) for one in fields.values()) + 2
        case "array":
            least = _room(part.get("items"), named, depth + 1)
            return int(part.get("maxItems", LIST_LENGTH)) * (least + 1) + 2
        case "string" if "maxLength" in part:
            return int(part["maxLength"]) // _LETTERS + 2
    return _FIELD


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _PROSE:
            continue
        if key in ("properties", "$defs"):  # here keys are names, also a property called `title`
            copy[key] = {name: _value(part) for name, part in value.items()}
        else:
            copy["anyOf" if key == "oneOf" else key] = _value(value)
    kind = copy.get("type")
    if kind == "string" and not copy.keys() & {"enum", "const", "format", "pattern"}:
        longest = min(copy.get("maxLength", STRING_LENGTH), STRING_LENGTH)
        copy["maxLength"] = max(longest, copy.get("minLength", 0))
    if kind == "array" and "prefixItems" not in copy:
        longest = min(copy.get("maxItems", LIST_LENGTH), LIST_LENGTH)
        copy["maxItems"] = max(longest, copy.get("minItems", 0))
    if kind == "object" and "properties" in copy:
        copy["additionalProperties"] = False
    return copy


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value
