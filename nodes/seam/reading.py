"""What an answer means by its values, where a careful human would not ask back.

`read` brings an object into the shape of its schema: numbers written as text, enums in other case or in the
other language, keys that nobody asked for, null in the place of an empty list. What it does not understand
stays as it is, for the schema to refuse.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from base.json_files import Json
from prompts.texts import LANGUAGES, catalogue

Schema = Mapping[str, Any]

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_RATIO = re.compile(rf"({_NUMBER})/({_NUMBER})")
_PERCENT = re.compile(rf"({_NUMBER})%")
_THOUSANDS = re.compile(r"[-+]?\d{1,3},\d{3}")
_BETWEEN_WORDS = re.compile(r"(?<=[a-z])[\s_-]+(?=[a-z])")


def read(value: Any, schema: Schema) -> tuple[Any, frozenset[str]]:
    """A value in the shape of its schema, and what had to be repaired.

    Args:
        value: plain JSON.
        schema: JSON Schema with its `$defs`.

    Returns:
        The value, and kinds of repairs: `number`, `enum`, `extra_key`, `null`.
    """
    reader = _Reader(schema)
    return reader.read(value, schema), frozenset(reader.repairs)


class _Reader:
    def __init__(self, root: Schema) -> None:
        self.definitions: Schema = root.get("$defs", {})
        self.repairs: set[str] = set()

    def read(self, value: Any, schema: Schema) -> Any:
        schema = self._resolved(schema)
        if variants := schema.get("anyOf") or schema.get("oneOf"):
            return self.read(value, self._variant(value, [self._resolved(one) for one in variants]))
        if "const" in schema or "enum" in schema:
            return self._choice(value, schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object" if isinstance(value, dict):
                return self._object(value, schema)
            case "array" if isinstance(value, list):
                return [self.read(item, schema.get("items", {})) for item in value]
            case "array" if value is None:
                self.repairs.add("null")
                return []
            case "string" if value is None and not schema.get("minLength"):
                self.repairs.add("null")
                return ""
            case "number" | "integer":
                return self._number(value, schema)
            case _:
                return value

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        return schema

    def _object(self, value: Json, schema: Schema) -> Json:
        known = schema.get("properties", {})
        if known and schema.get("additionalProperties") is not True and not value.keys() <= known.keys():
            self.repairs.add("extra_key")
            value = {key: part for key, part in value.items() if key in known}
        return {key: self.read(part, known.get(key, {})) for key, part in value.items()}

    def _variant(self, value: Any, variants: Sequence[Schema]) -> Schema:
        """The shape that a value has; of several objects, the one whose fixed words fit it best."""
        kind = {dict: "object", list: "array", type(None): "null"}.get(type(value))
        inside = [one for one in variants if "oneOf" in one or "anyOf" in one]
        fitting = [one for one in variants if one.get("type") == kind] if kind else []
        if not fitting and isinstance(value, str):
            fitting = [one for one in variants if "enum" in one or "const" in one]
            fitting += [one for one in variants if one.get("type") == "string"]
        if not fitting and kind is None:
            fitting = [one for one in variants if one.get("type") in ("number", "integer")]
        fitting = [*fitting, *inside] or list(variants)
        return max(fitting, key=lambda one: self._agreement(value, one))

    def _agreement(self, value: Any, schema: Schema) -> int:
        inside = schema.get("oneOf") or schema.get("anyOf")
        if inside:
            return max(self._agreement(value, self._resolved(one)) for one in inside)
        if not isinstance(value, dict):
            return 0
        properties = schema.get("properties", {})
        fixed = [(value.get(key), self._resolved(part)) for key, part in properties.items()]
        return sum(
            1 if _chosen(given, part.get("enum") or [part["const"]]) is not None else -1
            for given, part in fixed
            if given is not None and ("enum" in part or "const" in part)
        )

    def _choice(self, value: Any, allowed: Sequence[Any]) -> Any:
        meant = _chosen(value, allowed)
        if meant is None or value in allowed:
            return value
        self.repairs.add("enum")
        return meant

    def _number(self, value: Any, schema: Schema) -> Any:
        if isinstance(value, bool):
            return str(value).lower()  # the word that it is in a file: no number
        if not isinstance(value, str):
            return value
        number = _number_in(value, schema)
        if number is None:
            return value
        self.repairs.add("number")
        return int(number) if schema["type"] == "integer" and number.is_integer() else number


def _number_in(words: str, schema: Schema) -> float | None:
    """The number that a text means in a field; None where there are two ways to read it."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", words)).replace("\u2212", "-")
    if _THOUSANDS.fullmatch(plain):
        return None
    plain = plain.replace(",", ".")
    top = _scale(schema)
    if (ratio := _RATIO.fullmatch(plain)) and top is not None and float(ratio[2]) > 0:
        return float(ratio[1]) * float(top) / float(ratio[2])
    if (percent := _PERCENT.fullmatch(plain)) and top in (1, 10):
        return float(percent[1]) * float(top) / 100.0
    return float(plain) if re.fullmatch(_NUMBER, plain) else None


def _scale(schema: Schema) -> float | None:
    """The top of the scale of a field whose values begin at 0; a share within narrower bounds too."""
    least, most = schema.get("minimum", 0), schema.get("maximum")
    if most is not None and 0 <= least <= most <= 1:
        return 1.0
    return most if least == 0 else None


def _plain(words: str) -> str:
    """Words without accents, case and blanks."""
    letters = unicodedata.normalize("NFKD", words.casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter)).strip(" \t\n.!\"'«»")
    return re.sub(r"\s+", "", _BETWEEN_WORDS.sub("_", bare))


def _chosen(value: Any, allowed: Sequence[Any]) -> Any:
    """Which of the allowed words is meant; None where none is, or more than one."""
    if value in allowed and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    words = [one for one in allowed if isinstance(one, str)]
    plain = _plain(value)
    found = [one for one in words if _plain(one) == plain] or [
        one for one in words if plain in _other_words().get(one, ())
    ]
    if not found:  # an id with the name of its line: `M1 sharpe_ratio`
        said = re.findall(r"[\w.]+", value)
        found = sorted({one for one in words if one in said[:1]})
        found = found if found and not set(said[1:]) & set(words) else []
    return found[0] if len(found) == 1 else None


@cache
def _other_words() -> dict[str, frozenset[str]]:
    """Words for a value of an enum in both languages, without accents and case."""
    told: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for key, words in catalogue("answers", language).items():
            value = key.partition(".")[2]
            told.setdefault(value, set()).update(_plain(one) for one in words.split(", "))
    return {value: frozenset(words) for value, words in told.items()}
