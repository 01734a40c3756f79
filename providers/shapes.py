"""A JSON Schema as a model reads it: the shape of the answer, a field a line, each thing told once.

JSON Schema was made for programs: of the schema of a strategist's answer five sixths are names and marks that
tell a reader nothing. What a server enforces, and what answers are validated by, stays the schema itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Schema = Mapping[str, Any]

LONGEST_LINE = 110
"""Letters of an object that stands on one line."""

MOST_CHOICES = 16
"""Choices that are listed; of more, ids of evidence say, the first two and the last stand for all."""

_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}


def shape(schema: Schema) -> str:
    """The shape of an answer, in a notation close to TypeScript.

    `?` marks a field that may be left out, `//` what a field means. A text that describes several fields
    stands at the first of them.

    Args:
        schema: JSON Schema with its `$defs`.
    """
    return _Writer(schema.get("$defs", {})).written(schema, "")


class _Writer:
    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        self._told: set[str] = set()

    def written(self, schema: Schema, indent: str) -> str:
        while "$ref" in schema:
            schema = self._definitions[str(schema["$ref"]).rpartition("/")[2]]
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self._one_of([self.written(one, indent) for one in _flat(choices)], indent)
        if "const" in schema or "enum" in schema:
            return _choice(schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object" if "properties" in schema:
                return self._object(schema, indent)
            case "array" if "items" in schema:
                return self._list(schema, indent)
            case "number" | "integer" as kind:
                bounds = [said.format(f"{schema[key]:g}") for key, said in _BOUNDS.items() if key in schema]
                return " ".join([kind, *bounds])
            case "string":
                return _text(schema)
            case "boolean" | "null" as kind:
                return str(kind)
            case _:
                return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))

    def _one_of(self, choices: Sequence[str], indent: str) -> str:
        if sum(map(len, choices)) <= LONGEST_LINE and not any("\n" in one for one in choices):
            return " | ".join(choices)
        return "".join(f"\n{indent}| {one}" for one in choices)

    def _object(self, schema: Schema, indent: str) -> str:
        inner = f"{indent}  "
        told = {name: self._untold(field) for name, field in schema["properties"].items()}
        marks = {name: "" if name in schema.get("required", ()) else "?" for name in told}
        kinds = {name: self.written(field, inner) for name, field in schema["properties"].items()}
        if not any(told.values()) and len(line := _line(marks, kinds)) <= LONGEST_LINE and "\n" not in line:
            return line
        lines = []
        for name, kind in kinds.items():
            gap = "" if kind.startswith("\n") else " "
            field, words = f"{inner}{name}{marks[name]}:{gap}{kind}", told[name]
            if words and "\n" in kind:
                lines.append(f"{inner}// {words}")
            lines.append(f"{field} // {words}" if words and "\n" not in kind else field)
        return "\n".join(["{", *lines, f"{indent}}}"])

    def _untold(self, field: Schema) -> str:
        """What describes a field, unless another field has said the same."""
        words = " ".join(str(field.get("description", "")).split())
        found = "" if words in self._told else words
        self._told.add(words)
        return found

    def _list(self, schema: Schema, indent: str) -> str:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        count = f"{least} to {most}" if most is not None else f"{least} or more" if least else ""
        if least == most:
            count = str(most)
        item = self.written(schema["items"], indent)
        return f"[{item}, …]" + (f" ({count})" if count else "")


def _line(marks: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """An object on one line; neighbours of one kind share its name: `{low, high: number from 1 to 5}`."""
    names = list(kinds)
    shared = [kinds[name] == kinds[after] for name, after in pairwise(names)]
    told = [
        f"{name}{marks[name]}" + ("" if same else f": {kinds[name]}")
        for name, same in zip(names, [*shared, False], strict=True)
    ]
    return "{" + ", ".join(told) + "}"


def _flat(choices: Sequence[Schema]) -> list[Schema]:
    """Alternatives that are alternatives themselves stand side by side."""
    found: list[Schema] = []
    for one in choices:
        inner = one.get("anyOf") or one.get("oneOf")
        found += _flat(inner) if inner else [one]
    return found


def _choice(values: Sequence[Any]) -> str:
    told = [json.dumps(value, ensure_ascii=False) for value in values]
    if len(told) > MOST_CHOICES:
        told = [*told[:2], "…", told[-1]]
    return " | ".join(told)


def _text(schema: Schema) -> str:
    told = "string"
    if form := schema.get("format") or schema.get("pattern"):
        told += f" ({form})"
    return f"{told} up to {schema['maxLength']} characters" if "maxLength" in schema else told
