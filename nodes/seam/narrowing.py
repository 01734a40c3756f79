"""Schemas of a case: the same shapes with the ids, names and bounds that this very case has."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, create_model

T = TypeVar("T", bound=BaseModel)


def one_of(words: Iterable[str | int]) -> Any:
    """The type of a field that may hold these values alone; there must be one."""
    return Literal[tuple(words)]


def narrowed(base: type[T], /, *, name: str = "", described: bool = True, **kinds: Any) -> type[T]:
    """A subclass whose fields of these names have narrower types, described and bounded as before.

    Args:
        base: what every case has.
        name: its own, where a schema holds several of one base; else that of the base.
        described: False where the field that holds it says enough.
        **kinds: a type a field.
    """
    fields: dict[str, Any] = {name: (kind, copy(base.model_fields[name])) for name, kind in kinds.items()}
    if not described:
        for _, field in fields.values():
            field.description = None
    return create_model(
        name or base.__name__,
        __base__=base,
        __module__=base.__module__,
        __doc__=base.__doc__ if described else "",
        **fields,
    )
