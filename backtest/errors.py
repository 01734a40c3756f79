"""Errors of this room: a code and fields, no prose. The words are in `prompts/texts/backtest.*.toml`.

BacktestError (RuntimeError)
├── PriceError            the price data is refused
├── StrategyError         a strategy, its parameters, its risk settings or its costs are refused
│   └── ExpressionError   a condition does not parse, or means nothing
└── RequestError          data and strategy are fine, what is asked of them is not

BacktestError is no ValueError on purpose: pydantic would wrap it into its own ValidationError. It is a
built-in error all the same: the LangGraph server hides the message of any other from its clients.
"""

from __future__ import annotations

from typing import Any


def _rebuild(kind: type[BacktestError], code: str, fields: dict[str, Any]) -> BacktestError:
    return kind(code, **fields)


class BacktestError(RuntimeError):
    """What the engine refuses, and why.

    Attributes:
        code: snake_case name of the reason, the key of its text.
        fields: what the reason concerns: plain str, int or float.
    """

    room = "backtest"

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value!r}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.fields)


class PriceError(BacktestError):
    """The price data is refused: `row` counts from 1, `time` is the bar's own."""


class StrategyError(BacktestError):
    """A strategy, its parameters, its risk settings or its costs are refused."""


class ExpressionError(StrategyError):
    """A condition is refused: `position` counts characters of `expression` from 1."""


class RequestError(BacktestError):
    """Too few bars, an empty grid, a time outside the data."""
