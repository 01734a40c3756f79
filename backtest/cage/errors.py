"""Errors of the cage.

CodeError (base.errors.TypedError)    code is refused: what it says, what it does, or what it gives
"""

from __future__ import annotations

from typing import Any

from base.errors import TypedError


class CodeError(TypedError):
    """Code is refused; `line` counts from 1 where one line is to blame. The text is `code.error.<code>`."""

    room = "code"

    @classmethod
    def of(cls, code: str, fields: dict[str, Any]) -> CodeError:
        """The error that another process has met."""
        return cls(code, **fields)
