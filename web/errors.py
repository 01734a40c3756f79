"""Errors of the pages.

WebError (RuntimeError)    something asked for from a page that cannot be done
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from prompts import Words


class WebError(RuntimeError):
    """Something a page was asked for and cannot do.

    Attributes:
        code: what is wrong; its text is `web.error.<code>`.
        fields: what the text for people needs.
    """

    room = "web"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())


@runtime_checkable
class TypedError(Protocol):
    """What every room's error has."""

    room: str
    code: str
    fields: dict[str, Any]


def told(error: TypedError, words: Words) -> str:
    """Any room's error as one clear line."""
    return words(f"{error.room}.error.{error.code}", **error.fields)
