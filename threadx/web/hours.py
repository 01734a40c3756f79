"""The ensemble's published hours, as their page shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from base.plain_files import read_plain
from nodes.ensemble.operation.partition import SUMMARY, hour_folder, published_hours, read_trace
from nodes.ensemble.schemas import LLMEnsembleSummary

VERDICTS = ("regime", "risk_level", "outlook_days_7", "outlook_days_30")
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
        before: the hour published before it, if any.
    """

    hour: datetime
    summary: LLMEnsembleSummary | None
    trace: Mapping[str, Any] = field(default_factory=dict)
    before: LLMEnsembleSummary | None = None


@dataclass(frozen=True)
class Change:
    """What one hour says otherwise than the one before.

    Attributes:
        turned: verdicts that changed: name, before, now.
        new_drivers: reasons that were not there before.
    """

    turned: tuple[tuple[str, str, str], ...]
    new_drivers: int


def change(before: LLMEnsembleSummary, now: LLMEnsembleSummary) -> Change:
    """Compare two summaries."""
    turned = tuple(
        (name, getattr(before, name), getattr(now, name))
        for name in VERDICTS
        if getattr(before, name) != getattr(now, name)
    )
    return Change(turned, len(set(now.key_drivers) - set(before.key_drivers)))


def _summary(home: Path, hour: datetime) -> LLMEnsembleSummary | None:
    try:
        content = read_plain(hour_folder(home, hour) / SUMMARY)
        return LLMEnsembleSummary.model_validate_json(content)
    except (OSError, ValidationError):
        return None


def read_hour(home: Path, wanted: datetime | None = None) -> Hour | None:
    """A published hour, the newest if none is wanted; None where there is none."""
    hours = published_hours(home)
    if not hours or (wanted is not None and wanted not in hours):
        return None
    hour = wanted or hours[-1]
    place = hours.index(hour)
    return Hour(
        hour=hour,
        summary=_summary(home, hour),
        trace=read_trace(home, hour) or {},
        before=_summary(home, hours[place - 1]) if place else None,
    )


def history(home: Path) -> list[tuple[datetime, LLMEnsembleSummary | None, Change | None]]:
    """The newest hours, the newest first: each with what it changed against the one before."""
    hours = published_hours(home)[-(SHOWN_HOURS + 1) :]
    told = [(hour, _summary(home, hour)) for hour in hours]
    found = []
    for place in range(len(told) - 1, -1, -1):
        hour, now = told[place]
        before = told[place - 1][1] if place else None
        found.append((hour, now, change(before, now) if before and now else None))
    return found[:SHOWN_HOURS]
