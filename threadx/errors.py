"""Errors of this room, and the one place where any room's error becomes a line for people.

ThreadxError (RuntimeError)    a wrong option, an unwritable data folder, a run that failed

Every room's errors carry a room, a code and fields; they are known here by that, so that a face need not
import each room to name its errors.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from prompts import Language, text


class ThreadxError(RuntimeError):
    """Something wrong at the face.

    Attributes:
        code: what is wrong; its text is `command.error.<code>`.
        fields: what the text for people needs.
    """

    room = "command"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())


LIMITS = frozenset(
    {"less_than_equal", "greater_than_equal", "literal_error", "extra_forbidden", "int_parsing"}
)
"""Complaints of pydantic that have a text of their own: `command.error.setting_<complaint>`."""


@runtime_checkable
class TypedError(Protocol):
    """What every room's error has."""

    room: str
    code: str
    fields: dict[str, Any]


def error_line(error: TypedError, language: Language) -> str:
    """One clear line: what is wrong, where, and what to do."""
    return text(f"{error.room}.error.{error.code}", language, **error.fields)


def from_validation(error: ValidationError) -> ThreadxError:
    """The first complaint of a settings or input form, as an error of the face.

    The code is `setting_<pydantic's type>` where there is a text for it, `bad_setting` otherwise.
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "?"
    limits = [str(limit) for limit in first.get("ctx", {}).values()]
    kind = first["type"]
    return ThreadxError(
        f"setting_{kind}" if kind in LIMITS else "bad_setting",
        name=where,
        value=str(first.get("input"))[:80],
        limit=limits[0] if limits else "",
    )
