"""What a summary says otherwise than the one published before it, by what things are, not by their words.

A figure that moves within a sentence, or a recommendation in other words, is no change: a reader who comes
every hour must see at once whether there is anything to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from base.plain_files import read_plain
from nodes.ensemble.operation.partition import SUMMARY, hour_folder, published_hours, read_trace
from nodes.ensemble.schemas import VERDICTS, Change, ChangeKind, LLMEnsembleSummary

_NEARBY = 48
"""Hours before an hour that are looked at one by one; beyond that every published hour is listed."""


def read_summary(home: Path, hour: datetime) -> LLMEnsembleSummary | None:
    """An hour's summary; None where it is missing, damaged or of another schema."""
    try:
        return LLMEnsembleSummary.model_validate_json(read_plain(hour_folder(home, hour) / SUMMARY))
    except (OSError, ValidationError):
        return None


def last_published(home: Path, hour: datetime, *, sample: bool) -> tuple[datetime, LLMEnsembleSummary] | None:
    """The newest readable summary before an hour, of the same kind of data; None without one.

    Args:
        home: the data folder.
        hour: as of which (UTC); a summary of the hour itself is a rerun's earlier version.
        sample: of the packaged sample, which is compared with nothing else.
    """
    near = (hour - timedelta(hours=back) for back in range(1, _NEARBY + 1))
    for one in near:
        if (found := _usable(home, one, sample)) is not None:
            return one, found
    for one in reversed(published_hours(home)):
        if one < hour and (found := _usable(home, one, sample)) is not None:
            return one, found
    return None


def _usable(home: Path, hour: datetime, sample: bool) -> LLMEnsembleSummary | None:
    if not (hour_folder(home, hour) / SUMMARY).is_file():
        return None
    run = (read_trace(home, hour) or {}).get("run", {})
    return read_summary(home, hour) if bool(run.get("sample")) == sample else None


def changes_between(before: LLMEnsembleSummary, now: LLMEnsembleSummary) -> list[Change]:
    """Every change, the judgement first; sentences as the summary that has them tells them."""
    found = [
        Change(kind=name, before=getattr(before, name), now=getattr(now, name))
        for name in VERDICTS
        if getattr(before, name) != getattr(now, name)
    ]
    # A summary of an earlier version says neither what its advice nor what its limits are about.
    typed = bool(before.recommendation_details and now.recommendation_details)
    found += _differing("recommendation", _advice(before, typed), _advice(now, typed))
    found += _differing("alert", {one: one for one in before.alerts}, {one: one for one in now.alerts})
    if typed:
        found += _differing("limit", _limits(before), _limits(now))
    return found


def _differing(kind: ChangeKind, before: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    new = [Change(kind=kind, now=text) for key, text in now.items() if key not in before]
    return new + [Change(kind=kind, before=text) for key, text in before.items() if key not in now]


def _advice(summary: LLMEnsembleSummary, typed: bool) -> dict[str, str]:
    """Sentences by what they recommend; by themselves where an earlier version wrote one of the two."""
    if not typed:
        return {sentence: sentence for sentence in summary.recommendations}
    return {
        f"{one.act} {one.instrument} {one.horizon} {one.size}": one.sentence
        for one in summary.recommendation_details
    }


def _limits(summary: LLMEnsembleSummary) -> dict[str, str]:
    """The limits that code knows, by what they are about; a model's own come in new words every hour."""
    return dict(zip(summary.limit_codes, summary.limits, strict=False))
