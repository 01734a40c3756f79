"""What the agents' records make of their weights: `<home>/ensemble/standing.jsonl`, one line a day.

A factor is exp(gain × skill × w / (w + shrink)) of the agent's skill over its `w` windows, within a quarter
and four times: an agent without a record keeps its weight, thirty windows let half of its skill count. What a
model says later of an hour that its training data may hold is left out, since it may have read what came. A
line holds only outcomes known at its hour, and a run reads the last line at or before its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from pydantic import AwareDatetime, BaseModel

from nodes.ensemble.agents import VIEWS
from nodes.ensemble.schemas import ProposalHorizon
from nodes.ensemble.scores.scoring import REMEMBERED, Kind, Scorer, Tally
from nodes.ensemble.scores.stances import ARBITER, POOL
from nodes.ensemble.types import Standing
from providers.calls_log import append_line, read_lines

GAIN = 5.0
SHRINK = 30.0
LIMITS = (0.25, 4.0)
RENEWED_HOURS = 24

_read: dict[Path, tuple[tuple[int, int], list[tuple[datetime, Standing]]]] = {}


def standing_path(home: Path) -> Path:
    """The file of standings."""
    return home / "ensemble" / "standing.jsonl"


def standing_as_of(home: Path, hour: datetime) -> dict[str, float]:
    """Each agent's factor by what was known at an hour; 1 where there is no record."""
    known = {agent: 1.0 for agent in VIEWS}
    newest = _newest(home, hour)
    if newest is None:
        return known
    return {**known, **{agent: one for agent, one in newest[1]["factors"].items() if agent in known}}


def standing_line(home: Path, hour: datetime) -> Standing | None:
    """The line that counts at an hour: `as_of`, `factors`, `based_on` (skill and windows of each voice)."""
    newest = _newest(home, hour)
    return None if newest is None else newest[1]


def is_due(home: Path, hour: datetime) -> bool:
    """Whether no standing of the last day is there for an hour."""
    newest = _newest(home, hour)
    return newest is None or hour - newest[0] >= timedelta(hours=RENEWED_HOURS)


def keep_standing(home: Path, hour: datetime, scorer: Scorer) -> dict[str, float]:
    """Append what the records are worth at an hour; the scorer must have been advanced to it and no further.

    Raises:
        OSError: the folder cannot be written.
    """
    based_on = {voice: _record(voice, scorer.tallies) for voice in (*VIEWS, POOL, ARBITER)}
    found = {agent: factor(*based_on[agent]) for agent in VIEWS}
    line: Standing = {
        "as_of": hour.isoformat(),
        "factors": found,
        "based_on": {a: {"skill": round(s, 4), "windows": w} for a, (s, w) in based_on.items()},
    }
    append_line(standing_path(home), {**line})
    return found


def factor(skill: float, windows: int) -> float:
    """What a record makes of a weight.

    Args:
        skill: 1 − Brier / Brier of climatology.
        windows: forecasts whose horizons do not overlap.
    """
    low, high = LIMITS
    return round(min(max(math.exp(GAIN * skill * windows / (windows + SHRINK)), low), high), 4)


def _record(voice: str, tallies: Mapping[tuple[str, ProposalHorizon, Kind], Tally]) -> tuple[float, int]:
    """Skill over all that counts, and its windows."""
    counted = [tally for (one, _, kind), tally in tallies.items() if one == voice and kind not in REMEMBERED]
    said, climate = sum(t.brier for t in counted), sum(t.brier_climatology for t in counted)
    return (1.0 - said / climate if climate else 0.0), sum(t.windows for t in counted)


def _newest(home: Path, hour: datetime) -> tuple[datetime, Standing] | None:
    return max(
        (line for line in _lines(standing_path(home)) if line[0] <= hour),
        key=lambda line: line[0],
        default=None,
    )


class _Based(BaseModel):
    skill: float
    windows: int


class _Standing(BaseModel):
    """What a line holds at least."""

    as_of: AwareDatetime
    factors: dict[str, float]
    based_on: dict[str, _Based]


def _lines(path: Path) -> list[tuple[datetime, Standing]]:
    """Every line, read again only when the file has changed."""
    if not path.is_file():
        return []
    state = path.stat()
    stamp = (state.st_size, state.st_mtime_ns)
    if path not in _read or _read[path][0] != stamp:
        lines = [
            (datetime.fromisoformat(line["as_of"]), cast(Standing, line))
            for line in read_lines(path, _Standing)
        ]
        _read[path] = (stamp, lines)
    return _read[path][1]
