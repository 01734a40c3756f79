"""What each agent and the arbiter said of the market, hour by hour: `<home>/ensemble/stances.jsonl`.

One line a published hour, appended when it is published; the last line of an hour counts. Everything in it
stands in the hour's trace too, and `missing_stances` reads it from there where a line is lacking.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from nodes.ensemble.agents import VIEWS
from nodes.ensemble.operation.partition import published_hours, read_trace
from nodes.ensemble.policies.pooling import OUTLOOKS, direction
from nodes.ensemble.state import Consultation, EnsembleState, reports_of
from nodes.ensemble.types import Outlook, Shares, Stances, Voice
from providers.calls_log import append_line, read_lines

POOL, ARBITER = "pool", "arbiter"
LIVE_HOURS = 3
"""A summary made later than this after its hour is a back-run."""

NAMES = ("positive", "neutral", "negative")


HOUR = "%Y%m%d%H"

_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Shares = tuple[_Share, _Share, _Share]


class _Voice(BaseModel):
    """The model that spoke, and its probabilities of each horizon."""

    model: str
    days_7: Annotated[_Shares, Field(alias="7d")]
    days_30: Annotated[_Shares, Field(alias="30d")]


def _is_hour(text: str) -> str:
    datetime.strptime(text, HOUR)
    return text


class _Stances(BaseModel):
    """What a line holds at least."""

    hour: Annotated[str, AfterValidator(_is_hour)]
    live: bool
    voices: dict[str, _Voice]


class _Run(BaseModel):
    sample: bool


class _Told(BaseModel):
    """What a trace tells of it."""

    run: _Run
    stances: _Stances


def stances_path(home: Path) -> Path:
    """The file of stances."""
    return home / "ensemble" / "stances.jsonl"


def stances_of(
    state: EnsembleState, pooled: Mapping[Outlook, Shares], *, made: datetime, back_run: bool
) -> Stances:
    """One hour's line: the probabilities of each voice, at 7 and 30 days, and which model spoke.

    The arbiter names a direction without probabilities: it is given the pool's, with the largest share moved
    to the direction it names where the two differ.
    """
    hour = datetime.fromisoformat(state["hour"])
    voices: dict[str, Voice] = {}
    for agent, report in reports_of(state).items():
        if agent in VIEWS:
            views = {outlook: report[outlook] for outlook in OUTLOOKS}
            voices[agent] = _voice(views, _model(state["agents"][agent]))
    voices[POOL] = _voice(pooled, "rules")
    if (draft := state["draft"]) is not None:
        moved = {outlook: _towards(pooled[outlook], draft[outlook]) for outlook in OUTLOOKS}
        voices[ARBITER] = _voice(moved, _model(state["arbiter"]))
    return {
        "hour": f"{hour:%Y%m%d%H}",
        "made": made.isoformat(timespec="seconds"),
        "live": not back_run and abs(made - hour) <= timedelta(hours=LIVE_HOURS),
        "voices": voices,
    }


def keep_stances(home: Path, line: Stances) -> None:
    """Append one hour's line.

    Raises:
        OSError: the folder cannot be written.
    """
    append_line(stances_path(home), dict(line))


def read_stances(home: Path) -> list[Stances]:
    """The last line of each hour, earliest hour first."""
    by_hour = {line["hour"]: line for line in read_lines(stances_path(home), _Stances)}
    return [cast(Stances, by_hour[hour]) for hour in sorted(by_hour)]


def missing_stances(home: Path) -> int:
    """Take in the published hours that have no line, from their traces; gives how many there were."""
    known = {line["hour"] for line in read_lines(stances_path(home), _Stances)}
    added = 0
    for hour in published_hours(home):
        if f"{hour:%Y%m%d%H}" in known:
            continue
        trace = read_trace(home, hour) or {}
        try:
            told = _Told.model_validate(trace)
        except ValidationError:  # no trace, or one that tells nothing of it
            continue
        if not told.run.sample:
            keep_stances(home, trace["stances"])
            added += 1
    return added


def hour_of(line: Stances) -> datetime:
    """The hour of a line."""
    return datetime.strptime(line["hour"], HOUR).replace(tzinfo=UTC)


def _model(turn: Consultation) -> str:
    """Who answered; empty where nobody did."""
    return turn["provenance"]["model"] if turn["provenance"] else ""


def _voice(views: Mapping[Outlook, Shares], model: str) -> Voice:
    days_7, days_30 = ([round(float(views[outlook][name]), 4) for name in NAMES] for outlook in OUTLOOKS)
    return {"model": model, "7d": days_7, "30d": days_30}


def _towards(pooled: Mapping[str, float], named: str) -> dict[str, float]:
    shares = dict(pooled)
    if direction(pooled) != named:
        largest = max(NAMES, key=lambda name: shares[name])
        shares[named], shares[largest] = shares[largest], shares[named]
    return shares
