"""Errors of this room.

PromptError (LookupError)    a text, a language or a value that a template needs is missing
"""

from __future__ import annotations

from typing import Any


class PromptError(LookupError):
    """A programming mistake in a template or in its caller.

    Attributes:
        code: `missing_text`, `missing_value`, `unknown_value` or `bad_template`.
        fields: what the mistake concerns.
    """

    room = "prompts"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
