"""How far each source can be relied on: age against its own cadence, size, refusals, its own reports.

The penalties are arithmetic, so that no model decides how much a stale source counts.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from feeds.folder import DataFolder
from feeds.forecasts import Forecasts
from feeds.macro import FIGURES, Macro
from feeds.news import News
from feeds.partitions import Problem, parse_moment
from feeds.quarantine import addresses_model, clean_text

Source = Literal["forecast", "macro", "news"]

CADENCE_HOURS: dict[Source, int] = {"forecast": 24, "macro": 31 * 24, "news": 24}
GRACE_HOURS = 48
"""A source is stale when it is older than its cadence by this much; weekends do not count."""

REPORT_HOURS = 72
"""Hours, weekends left out, after which a quality file tells nothing about today."""

FEW_FORECASTS = 4
FEW_NEWS = 5
_REPORT_SECTIONS: dict[str, Source] = {
    "news": "news",
    "macro": "macro",
    "forecasts": "forecast",
    "features": "forecast",
    "prices": "forecast",
}
_DECLARED: dict[str, Source] = {
    "forecast_dt": "forecast",
    "final_dt": "forecast",
    "macro_forecast_dt": "macro",
}
_SEVERITIES: dict[str, Literal["error", "warn", "info"]] = {
    "error": "error",
    "err": "error",
    "critical": "error",
    "warn": "warn",
    "warning": "warn",
    "info": "info",
}
_KEPT = 8


class SourceQuality(BaseModel):
    """One source.

    Attributes:
        source: `forecast`, `macro` or `news`.
        latest: when its newest content dates from (UTC), or None when there is none.
        age_hours: hours since then, weekends left out; None when there is none.
        allowed_hours: its cadence plus 48 h.
        rows: valid rows.
        refused: rows refused.
        flags: what costs trust: `missing`, `stale`, `very_stale`, `thin`, `incomplete`, `refused_rows`,
            `report_error`, `report_warning`.
        factor: 0–1, the product of the penalties; the source's weight is multiplied by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    latest: datetime | None
    age_hours: float | None
    allowed_hours: int
    rows: int
    refused: int
    flags: list[str]
    factor: float


class ReportIssue(BaseModel):
    """One line of a `report.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: str
    severity: Literal["error", "warn", "info"]
    message: str


class Quality(BaseModel):
    """Freshness and quality of every source as of an hour.

    Attributes:
        sources: in the order forecast, macro, news.
        issues: what the optional quality files say.
        computed: no usable `freshness.json` was there, ages come from the partitions alone.
        problems: quality files that could not be read.
        quarantined: messages of quality files that speak to a language model.
    """

    sources: list[SourceQuality]
    issues: list[ReportIssue]
    computed: bool
    problems: list[Problem]
    quarantined: int


def weekday_hours(begin: datetime, end: datetime) -> float:
    """Hours between two times, Saturdays and Sundays left out; 0 when `end` is not later."""
    total = timedelta()
    while begin < end:
        midnight = (begin + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        step = min(midnight, end)
        if begin.weekday() < 5:
            total += step - begin
        begin = step
    return total / timedelta(hours=1)


def read_quality(
    folder: DataFolder, as_of: datetime, forecasts: Forecasts, macro: Macro, news: News
) -> Quality:
    """Judge the three sources as read, with the help of `quality/dt=*/freshness.json` and `report.json`.

    Args:
        folder: the data folder.
        as_of: hour of the run (UTC).
        forecasts: as read for that hour.
        macro: as read for that hour.
        news: as read for that hour.

    Raises:
        MarketError: `unreadable_file`: a folder may not be read.
    """
    problems: list[Problem] = []
    with folder.lock:
        checks = _newest(folder, as_of, "freshness.json", problems)
        report = _newest(folder, as_of, "report.json", problems)
    told, quarantined = _report_issues(report)
    issues = told + _check_issues(checks)
    declared = _declared(checks)
    graded = {
        source: {issue.severity for issue in issues if _REPORT_SECTIONS.get(issue.section) == source}
        for source in CADENCE_HOURS
    }
    newest = news.items[0].ts if news.items else None
    sources = [
        _judge(
            "forecast",
            as_of,
            _older(forecasts.partition, declared.get("forecast")),
            len(forecasts.rows),
            forecasts.refused,
            graded["forecast"],
            thin=len(forecasts.rows) < FEW_FORECASTS,
            absent=0,
        ),
        _judge(
            "macro",
            as_of,
            _older(macro.partition, declared.get("macro")),
            len(macro.rows),
            macro.refused,
            graded["macro"],
            thin=False,
            absent=len(macro.absent),
        ),
        _judge(
            "news",
            as_of,
            newest,
            len(news.items),
            news.refused,
            graded["news"],
            thin=len(news.items) < FEW_NEWS,
            absent=0,
        ),
    ]
    return Quality(
        sources=sources, issues=issues, computed=not checks, problems=problems, quarantined=quarantined
    )


def _judge(
    source: Source,
    as_of: datetime,
    latest: datetime | None,
    rows: int,
    refused: int,
    severities: AbstractSet[str],
    *,
    thin: bool,
    absent: int,
) -> SourceQuality:
    allowed = CADENCE_HOURS[source] + GRACE_HOURS
    age = None if latest is None else weekday_hours(latest, as_of)
    penalties: dict[str, float] = {}
    if age is None or rows == 0:
        penalties["missing"] = 0.0
    else:
        if age > 2 * allowed:
            penalties["very_stale"] = 0.25
        elif age > allowed:
            penalties["stale"] = 0.5
        if thin:
            penalties["thin"] = 0.7
        if absent:
            penalties["incomplete"] = 1.0 - 0.6 * absent / len(FIGURES)
    if refused:
        penalties["refused_rows"] = rows / (rows + refused)
    if "error" in severities:
        penalties["report_error"] = 0.7
    elif "warn" in severities:
        penalties["report_warning"] = 0.9
    factor = 1.0
    for penalty in penalties.values():
        factor *= penalty
    return SourceQuality(
        source=source,
        latest=latest,
        age_hours=None if age is None else round(age, 1),
        allowed_hours=allowed,
        rows=rows,
        refused=refused,
        flags=list(penalties),
        factor=round(factor, 4),
    )


def _newest(folder: DataFolder, as_of: datetime, name: str, problems: list[Problem]) -> dict[str, Any]:
    """The newest readable JSON object of that name; empty when there is none, the files are optional.

    A file says when it was made (`asof`): later than the hour, it does not exist; older than a source may
    grow, it speaks of data that has gone since.
    """
    for partition in folder.partitions("quality", as_of):
        path = partition.path / name
        content, noted = folder.parsed("quality", (path,), partial(_read_json, folder, path), keep=_KEPT)
        problems += noted
        if not content:
            continue
        try:
            made = None if content.get("asof") is None else parse_moment(content["asof"])
        except ValueError:
            made = None
        if made is not None and not made.visible(as_of, folder.daily_delay):
            continue
        if weekday_hours(partition.start if made is None else made.time, as_of) > REPORT_HOURS:
            return {}
        return content
    return {}


def _read_json(folder: DataFolder, path: Path) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    return folder.json_object(path, problems), problems


def _declared(freshness: dict[str, Any]) -> dict[Source, datetime]:
    """From when `freshness.json` says that sources are; what it writes illegibly decides nothing."""
    latest = freshness.get("latest")
    found: dict[Source, datetime] = {}
    for name, source in _DECLARED.items():
        value = latest.get(name) if isinstance(latest, dict) else None
        try:
            moment = None if value is None else parse_moment(value).time
        except ValueError:
            continue
        if moment is not None:
            found[source] = max(moment, found.get(source, moment))
    return found


def _older(partition: datetime | None, declared: datetime | None) -> datetime | None:
    """A name tells when a folder was written, a declaration how old its content is: the older counts."""
    return partition if partition is None or declared is None else min(partition, declared)


def _report_issues(report: dict[str, Any]) -> tuple[list[ReportIssue], int]:
    """Issues of all sections, older files nest them under `sections`; and how many speak to a model."""
    nested = report.get("sections")
    sections: dict[str, Any] = nested if isinstance(nested, dict) else report
    found = []
    quarantined = 0
    for name, section in sorted(sections.items()):
        if not isinstance(section, dict):
            continue
        given = section.get("issues")
        issues = [issue for issue in given if isinstance(issue, dict)] if isinstance(given, list) else []
        if section.get("ok") is False and not issues:
            issues = [{"sev": "error", "msg": "ok: false"}]
        for issue in issues:
            message = clean_text(str(issue.get("msg") or ""))
            if addresses_model(f"{name}\n{message}"):
                quarantined += 1
            elif message:
                severity = _SEVERITIES.get(str(issue.get("sev")).strip().lower(), "info")
                found.append(
                    ReportIssue(section=clean_text(name)[:40], severity=severity, message=message[:200])
                )
    return found, quarantined


def _check_issues(freshness: dict[str, Any]) -> list[ReportIssue]:
    """What the checks of a `freshness.json` complain of."""
    checks = freshness.get("checks")
    if not isinstance(checks, dict):
        return []
    found = [
        ReportIssue(section=section, severity="info", message=f"{check}: false")
        for check, section in (
            ("forecasts_today", "forecasts"),
            ("final_today", "forecasts"),
            ("macro_today", "macro"),
        )
        if checks.get(check) is False
    ]
    ratio = checks.get("prices_5y_coverage_ratio")
    if isinstance(ratio, int | float) and not isinstance(ratio, bool) and ratio < 0.9:
        message = f"prices_5y_coverage_ratio: {ratio:.2f}"
        found.append(ReportIssue(section="prices", severity="warn", message=message))
    return found
