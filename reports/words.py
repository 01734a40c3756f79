"""The words and figures that reports and charts are written in; the caller brings them (`prompts.Words`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from base.errors import catalogue

if TYPE_CHECKING:
    import pandas as pd

FRACTIONS = frozenset(
    {
        "max_drawdown",
        "win_rate",
        "total_return",
        "cagr",
        "volatility",
        "exposure",
        "avg_trade",
        "best_trade",
        "worst_trade",
    }
)
"""Metrics that people read as percentages."""


class WordsLike(Protocol):
    """Texts and figures in one language."""

    @property
    def language(self) -> str:
        """`fr` or `en`."""

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key."""

    def number(self, value: float | int | None, digits: int = 2, *, signed: bool = False) -> str:
        """A figure, a positive one with its sign where asked."""

    def short(self, value: float | int | None) -> str:
        """A figure with no more digits than it needs."""

    def day(self, moment: str | date) -> str:
        """A date, or the date of an ISO time."""

    def moment(self, moment: str | datetime) -> str:
        """A date with its hour and minute in UTC."""

    def bar_time(self, time: datetime) -> str:
        """The time of a bar: the day, with the hour where bars are shorter than days."""

    def percent(self, fraction: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """A fraction as a percentage."""


def figure(words: WordsLike, name: str, value: float | int | None) -> str:
    """A metric's value as people read it: a percentage or a number, a dash where it is undefined."""
    return words.percent(value) if name in FRACTIONS else words.number(value)


def setting_name(name: str, words: WordsLike) -> str:
    """A parameter or a setting of a strategy in words; one of somebody's own by its name."""
    return catalogue("report", words.language).get(f"param.{name}", name)


def moment(time: pd.Timestamp) -> str:
    """A bar's time: the day, with the hour where bars are shorter than days."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"
