"""The published outlooks one by one, and what came of each: what the summary's page draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nodes.ensemble.changes import read_summary
from nodes.ensemble.policies.pooling import OUTLOOKS
from nodes.ensemble.schemas import DAYS, ProposalHorizon
from nodes.ensemble.scores.outcomes import MarketHistory, Outcome, read_history
from nodes.ensemble.scores.scoring import likeliest
from nodes.ensemble.scores.stances import NAMES, hour_of, read_stances

SHOWN = 2160
"""Newest hours: ninety days of hourly summaries."""


@dataclass(frozen=True)
class Published:
    """One hour's outlook over one horizon.

    Attributes:
        hour: for which it was published (UTC).
        said: index of the outcome it named (`stances.NAMES`).
        came: what the market did; None while its horizon has not passed, or without prices.
    """

    hour: datetime
    said: int
    came: Outcome | None


@dataclass(frozen=True)
class Fared:
    """The outlooks over one horizon.

    Attributes:
        outlooks: earliest hour first.
        passed: how many of them can be compared with what came.
        windows: of these, those whose horizons do not overlap.
        right: how many named what came.
        right_climatology: how often the most frequent past move would have been right.
    """

    outlooks: tuple[Published, ...]
    passed: int
    windows: int
    right: int
    right_climatology: int


@dataclass(frozen=True)
class Course:
    """How the newest outlooks fared, over each horizon.

    Attributes:
        horizons: by horizon.
        later: how many of the hours were published after the fact, of the past.
        market: the market's level by day, over the same time; empty without prices.
    """

    horizons: Mapping[ProposalHorizon, Fared]
    later: int
    market: tuple[tuple[datetime, float], ...]


def course(home: Path, as_of: datetime) -> Course:
    """Read what was published and the prices of a data folder; nothing is written.

    Args:
        home: the data folder.
        as_of: what had happened by then.

    Raises:
        MarketError, BacktestError: a price file cannot be used.
    """
    lines = [line for line in read_stances(home) if hour_of(line) <= as_of][-SHOWN:]
    told = [(line, summary) for line in lines if (summary := read_summary(home, hour_of(line)))]
    market = read_history(home, home) if told else None
    horizons = {}
    for outlook, horizon in OUTLOOKS.items():
        shown = []
        for line, summary in told:
            hour, said = hour_of(line), NAMES.index(getattr(summary, outlook))
            came = market.outcome(hour, horizon, as_of) if market is not None else None
            shown.append(Published(hour, said, came))
        horizons[horizon] = _compared(tuple(shown), timedelta(days=DAYS[horizon]))
    later = sum(not line["live"] for line, _ in told)
    levels = _levels(market, hour_of(told[0][0]), as_of) if market is not None else ()
    return Course(horizons, later, levels)


def _compared(outlooks: tuple[Published, ...], length: timedelta) -> Fared:
    passed = [(one, one.came) for one in outlooks if one.came is not None]
    windows, until = 0, None
    for one, _ in passed:
        if until is None or one.hour >= until:
            windows, until = windows + 1, one.hour + length
    right = sum(one.said == came.outcome for one, came in passed)
    usual = sum(likeliest(came.climatology) == came.outcome for _, came in passed)
    return Fared(outlooks, len(passed), windows, right, usual)


def _levels(market: MarketHistory, first: datetime, as_of: datetime) -> tuple[tuple[datetime, float], ...]:
    days = [datetime.fromisoformat(str(day)).replace(tzinfo=UTC) for day in market.days]
    levels = zip(days, market.levels.tolist(), strict=True)
    return tuple((day, level) for day, level in levels if first - timedelta(days=1) <= day < as_of)
