"""The log of runs, `<home>/logs/ensemble.log` (JSON lines): success, failures, latency, alerts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from pydantic import AwareDatetime, BaseModel

from base.errors import TypedError
from base.reasons import PlainError, plain
from nodes.ensemble.schemas import AlertCode
from nodes.ensemble.state import EnsembleState
from nodes.ensemble.types import RunLine
from providers.calls_log import append_line, read_lines

now: Callable[[], float] = time.time
"""Seconds since 1970; tests put a clock of their own here."""

LOWEST_SUCCESS = 0.90
"""Over seven days."""

MOST_FAILURES = 0.30
"""In a day."""

SLOWEST_P95 = 90.0
"""Seconds, over seven days."""

_DAY = 86_400.0
_WEEK = 7 * _DAY


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A limit that is passed.

    Attributes:
        code: `success`, `failures` or `latency`; its text is `ensemble.alert.<code>`.
        value: what was found: a fraction, or seconds.
        limit: where the alert begins.
        runs: how many runs it rests on.
    """

    code: AlertCode
    value: float
    limit: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The last seven days.

    Attributes:
        runs, finished, degraded, failed: how many.
        day_runs, day_failed: of the last 24 hours.
        p50_seconds, p95_seconds: of a run; None without one.
        alerts: limits that are passed.
    """

    runs: int
    finished: int
    degraded: int
    failed: int
    day_runs: int
    day_failed: int
    p50_seconds: float | None
    p95_seconds: float | None
    alerts: tuple[Alert, ...]


class _Run(BaseModel):
    """What a run's line holds at least, whichever version wrote it."""

    kind: Literal["run"]
    time: AwareDatetime
    status: Literal["finished", "degraded", "failed"]
    seconds: float
    hour: str | None = None
    failure: str | None = None
    reason: PlainError | None = None


def log_path(home: Path) -> Path:
    """The log's file."""
    return home / "logs" / "ensemble.log"


def run_line(state: EnsembleState, found: EnsembleState, *, seconds: float) -> RunLine:
    """One run's line."""
    turns = [*state["agents"].values(), *state["turns"]]
    provenances = [turn["provenance"] for turn in turns if turn["provenance"]]
    return {
        "run": state["run"],
        "hour": state["hour"],
        "status": found["status"],
        "failure": found["failure"],
        "seconds": round(seconds, 3),
        "roles": {turn["role"]: turn["status"] for turn in turns},
        "models": {p["role"]: p["model"] for p in provenances},
        "attempts": sum(len(p["attempts"]) for p in provenances),
        "prompt_tokens": sum(p["prompt_tokens"] or 0 for p in provenances),
        "answer_tokens": sum(p["answer_tokens"] or 0 for p in provenances),
        "cached": sum(p["cached"] for p in provenances),
    }


def append_run(home: Path, line: RunLine) -> None:
    """Add a run's line, and a line for each alert that it raises or ends."""
    moment = datetime.fromtimestamp(now(), UTC).isoformat(timespec="milliseconds")
    before = {alert.code for alert in statistics(home).alerts}
    # The log only watches: on a full disk the run itself says so where it publishes.
    with suppress(OSError):
        append_line(log_path(home), {"time": moment, "kind": "run", **line})
        after = {alert.code: alert for alert in statistics(home).alerts}
        for code in sorted(before ^ after.keys()):
            raised = after.get(code)
            told = {"value": raised.value, "limit": raised.limit} if raised else {}
            state = "raised" if raised else "ended"
            append_line(
                log_path(home), {"time": moment, "kind": "alert", "alert": code, "state": state, **told}
            )


def append_failure(
    home: Path, *, hour: str | None, code: str, seconds: float, reason: TypedError | None = None
) -> None:
    """Add the line of a run that an error stopped, with the error as `base.reasons.plain` keeps it."""
    append_run(
        home,
        {
            "run": "",
            "hour": hour,
            "status": "failed",
            "failure": code,
            "reason": None if reason is None else plain(reason),
            "seconds": round(seconds, 3),
        },
    )


def read_runs(home: Path, seconds: float = _WEEK) -> list[RunLine]:
    """The runs' lines of the last `seconds`, oldest first; lines of the future do not count."""
    end = now()
    lines = (cast(RunLine, line) for line in read_lines(log_path(home), _Run))
    return [line for line in lines if end - seconds < _moment(line) <= end + 1.0]


def statistics(home: Path) -> Statistics:
    """What the last seven days' runs were like, and which limits they pass."""
    runs = read_runs(home)
    day = [line for line in runs if _moment(line) > now() - _DAY]
    counts = {
        status: sum(line["status"] == status for line in runs)
        for status in ("finished", "degraded", "failed")
    }
    day_failed = sum(line["status"] == "failed" for line in day)
    seconds = sorted(float(line["seconds"]) for line in runs)
    p95 = quantile(seconds, 0.95)
    alerts = []
    if runs and (share := counts["finished"] / len(runs)) < LOWEST_SUCCESS:
        alerts.append(Alert(code="success", value=round(share, 4), limit=LOWEST_SUCCESS, runs=len(runs)))
    if day and (share := day_failed / len(day)) > MOST_FAILURES:
        alerts.append(Alert(code="failures", value=round(share, 4), limit=MOST_FAILURES, runs=len(day)))
    if p95 is not None and p95 > SLOWEST_P95:
        alerts.append(Alert(code="latency", value=round(p95, 1), limit=SLOWEST_P95, runs=len(runs)))
    return Statistics(
        runs=len(runs),
        **counts,
        day_runs=len(day),
        day_failed=day_failed,
        p50_seconds=quantile(seconds, 0.5),
        p95_seconds=p95,
        alerts=tuple(alerts),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all does not exceed (nearest rank); None without any."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


def _moment(line: RunLine) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
