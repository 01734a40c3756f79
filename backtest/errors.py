"""Errors of this room: a code and fields, no prose. The words are in `prompts/texts/backtest.*.toml`.

BacktestError (base.errors.TypedError)
├── PriceError            the price data is refused
├── StrategyError         a strategy, its parameters, its risk settings or its costs are refused
│   └── ExpressionError   a condition does not parse, or means nothing
├── CodedError            a strategy that is code: it cannot be read or run, or does what a strategy must not
└── RequestError          data and strategy are fine, what is asked of them is not
"""

from __future__ import annotations

from base.errors import TypedError


class BacktestError(TypedError):
    """What the engine refuses, and why.

    `fields` are plain str, int or float.
    """

    room = "backtest"


class PriceError(BacktestError):
    """The price data is refused: `row` counts from 1, `time` is the bar's own."""


class StrategyError(BacktestError):
    """A strategy, its parameters, its risk settings or its costs are refused."""


class ExpressionError(StrategyError):
    """A condition is refused: `position` counts characters of `expression` from 1."""


class CodedError(BacktestError):
    """A strategy that is code is refused, or has failed; `line` counts from 1 where one line is to blame."""


class RequestError(BacktestError):
    """Too few bars, an empty grid, a time outside the data."""
