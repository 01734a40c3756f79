"""Errors of this room.

MarketError (RuntimeError)    data that comes in is missing, unreadable or not what it must be
"""

from __future__ import annotations

from typing import Any


class MarketError(RuntimeError):
    """Data that cannot be used, in a form that a face turns into one clear line.

    Attributes:
        code: what went wrong, in snake_case; `market.error.<code>` is its text.
        fields: what it concerns, as plain texts and numbers.
    """

    room = "market"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (self.code, self.fields)


def _revive(code: str, fields: dict[str, Any]) -> MarketError:
    return MarketError(code, **fields)
