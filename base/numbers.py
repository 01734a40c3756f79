"""Numbers of outsiders' files, settings and answers: true is not 1."""

from __future__ import annotations

from functools import lru_cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, model_validator


class Numeric(BaseModel):
    """A model in whose fields a truth value is refused where a number is meant; pydantic takes true for 1."""

    @model_validator(mode="before")
    @classmethod
    def _no_truth_value(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        numbers = _numbers(cls)
        # As the word that it is in a file, it is refused by its own field, under its own name.
        changed = {
            name: _spelled(value)
            for name, value in given.items()
            if name in numbers and _has_truth_value(value)
        }
        return {**given, **changed} if changed else given


_DEPTH = 4
"""Numbers lie no deeper in any field; what is nested deeper is refused for that."""


def _has_truth_value(value: Any, depth: int = _DEPTH) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    if depth and inside:
        return any(_has_truth_value(part, depth - 1) for part in inside)
    return isinstance(value, bool)


def _spelled(value: Any, depth: int = _DEPTH) -> Any:
    if depth and isinstance(value, dict):
        return {name: _spelled(part, depth - 1) for name, part in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [_spelled(part, depth - 1) for part in value]
    return str(value).lower() if isinstance(value, bool) else value


@lru_cache(maxsize=512)  # schemas are made for every case, and are not to be kept for ever
def _numbers(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields that hold numbers and no truth values."""
    kinds = {name: set(_leaves(field.annotation)) for name, field in model.model_fields.items()}
    return frozenset(name for name, found in kinds.items() if found & {int, float} and bool not in found)


def _leaves(annotation: Any) -> list[Any]:
    """Classes of the values that a field may hold, its own or one by one inside it."""
    if get_origin(annotation) is Literal:
        return [type(value) for value in get_args(annotation)]
    parts = [part for part in get_args(annotation) if isinstance(part, (type, UnionType)) or get_args(part)]
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [annotation]
