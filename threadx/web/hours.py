"""The ensemble's published hours, as their page shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nodes.ensemble.changes import changes_between, last_published, read_summary
from nodes.ensemble.operation.partition import published_hours, read_trace
from nodes.ensemble.schemas import Change, LLMEnsembleSummary

SHOWN_HOURS = 48
"""Newest hours of the history."""

_HOUR = re.compile(r"[0-9]{10}")


def parse_hour(text: str) -> datetime | None:
    """`YYYYMMDDHH` as an hour in UTC; None for anything else."""
    if not _HOUR.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC)
    except ValueError:
        return None


def hour_key(hour: datetime) -> str:
    """The hour as it stands in addresses and folders."""
    return f"{hour:%Y%m%d%H}"


@dataclass(frozen=True)
class Hour:
    """One published hour.

    Attributes:
        hour: which (UTC).
        summary: its content, or None where the file is damaged or of another schema.
        trace: of the audit; empty where there is none.
        since: the hour it is compared with, ISO; None without one.
        changes: what has changed since then.
    """

    hour: datetime
    summary: LLMEnsembleSummary | None
    trace: Mapping[str, Any] = field(default_factory=dict)
    since: str | None = None
    changes: tuple[Change, ...] = ()


def read_hour(home: Path, wanted: datetime | None = None) -> Hour | None:
    """A published hour, the newest if none is wanted; None where there is none."""
    hours = published_hours(home)
    if not hours or (wanted is not None and wanted not in hours):
        return None
    hour = wanted or hours[-1]
    summary, trace = read_summary(home, hour), read_trace(home, hour) or {}
    if summary is None or summary.since is not None:
        since, changes = (summary.since, summary.changes) if summary else (None, [])
    else:  # an earlier version did not compare
        last = last_published(home, hour, sample=bool(trace.get("run", {}).get("sample")))
        since, changes = (last[0].isoformat(), changes_between(last[1], summary)) if last else (None, [])
    return Hour(hour=hour, summary=summary, trace=trace, since=since, changes=tuple(changes))


def history(home: Path) -> list[tuple[datetime, LLMEnsembleSummary | None, list[Change] | None]]:
    """The newest hours, the newest first: each with what it changed against the one before."""
    hours = published_hours(home)[-(SHOWN_HOURS + 1) :]
    told = [(hour, read_summary(home, hour)) for hour in hours]
    found = []
    for place in range(len(told) - 1, -1, -1):
        hour, now = told[place]
        before = told[place - 1][1] if place else None
        found.append((hour, now, changes_between(before, now) if before and now else None))
    return found[:SHOWN_HOURS]
