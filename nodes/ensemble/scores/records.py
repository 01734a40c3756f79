"""How good the voices have been, by what is known at an hour: scores, and what they make of the weights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nodes.ensemble.scores.outcomes import read_history
from nodes.ensemble.scores.scoring import Scorer, ScoreRow
from nodes.ensemble.scores.stances import hour_of, missing_stances, read_stances
from nodes.ensemble.scores.track_record import is_due, keep_standing, standing_as_of


@dataclass(frozen=True, kw_only=True)
class Record:
    """What has been scored.

    Attributes:
        hours: published before the hour.
        rows: one a voice, horizon and kind, as `Scorer.rows` gives them.
        standing: each agent's factor.
    """

    hours: int
    rows: list[ScoreRow]
    standing: dict[str, float]


def record_at(home: Path, root: Path, hour: datetime) -> Record | None:
    """Score every hour published before `hour` whose horizon has passed by it, and renew the standing if due.

    Args:
        home: the data folder, which holds what was said.
        root: holds `prices/ticker=T/prices.parquet`.
        hour: by what was known then.

    Returns:
        The record, or None where there are no prices to score against.

    Raises:
        MarketError, BacktestError: a price file cannot be used.
        OSError: the data folder cannot be written.
    """
    market = read_history(root, home)
    if market is None:
        return None
    missing_stances(home)
    lines = [line for line in read_stances(home) if hour_of(line) < hour]
    scorer = Scorer(market)
    scorer.add(lines)
    scorer.advance(hour)
    if lines and is_due(home, hour):
        keep_standing(home, hour, scorer)
    return Record(hours=len(lines), rows=scorer.rows(), standing=standing_as_of(home, hour))
