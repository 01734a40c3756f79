"""Agent `quality`: judges the data itself; what its judgement costs a source is arithmetic."""

from __future__ import annotations

from typing_extensions import TypeIs

from feeds.forecasts import Forecast, at_odds
from feeds.news import GENERAL, NewsItem
from nodes.ensemble.agent import Agent, Citation, Evidence, Inputs, candidate
from nodes.ensemble.policies.words import HIGH, LOW, MEDIUM
from nodes.ensemble.schemas import Concern, QualityReport
from nodes.ensemble.types import CitedRow, Row, Sourced
from prompts import Words

MOST_ISSUES = 20
CONTRADICTORY = "contradictory"
"""The flag of forecasts or news that contradict themselves."""
_STRONG_TONE = 0.5
_FEWEST_STRONG = 4
_DISPUTED = 0.25
"""Share of rows against themselves from which a source is contradictory."""


class SourceRow(Row):
    """How far a source can be trusted, and what costs it trust."""

    symbol: str
    latest: str | None
    age_hours: float | None
    allowed_hours: float
    rows: int
    refused: int
    contradictory_share: float
    flags: list[str]
    factor: float


class IssueRow(Row):
    """A line of an optional report."""

    symbol: str
    severity: str
    message: str


def rows(inputs: Inputs) -> list[SourceRow | IssueRow]:
    """One row a source, what contradicts itself included, then one a line of the optional reports."""
    disputed = {
        "forecast": _disputed_forecasts(inputs.forecasts.rows),
        "news": _disputed_news(inputs.news.items),
    }
    sources: list[SourceRow] = []
    for number, source in enumerate(inputs.quality.sources, start=1):
        flags, factor = list(source.flags), source.factor
        share = disputed.get(source.source, 0.0)
        if share >= _DISPUTED:
            flags.append(CONTRADICTORY)
            factor = round(factor * (1.0 - share / 2.0), 4)
        sources.append(
            {
                "id": f"Q{number}",
                "symbol": source.source,
                "latest": None if source.latest is None else source.latest.isoformat(),
                "age_hours": source.age_hours,
                "allowed_hours": source.allowed_hours,
                "rows": source.rows,
                "refused": source.refused,
                "contradictory_share": round(share, 2),
                "flags": flags,
                "factor": factor,
            }
        )
    issues: list[IssueRow] = [
        {"id": f"Q{number}", "symbol": issue.section, "severity": issue.severity, "message": issue.message}
        for number, issue in enumerate(inputs.quality.issues[:MOST_ISSUES], start=len(sources) + 1)
    ]
    return [*sources, *issues]


def coverage(inputs: Inputs) -> float:
    """Share of the sources that have a usable row."""
    return sum(source.rows > 0 for source in inputs.quality.sources) / len(inputs.quality.sources)


def told_as(flag: str, source: str) -> str:
    """The name of the sentence on a flag: forecasts contradict themselves otherwise than news do."""
    return f"{flag}_{source}" if flag == CONTRADICTORY else flag


def is_source(row: SourceRow | IssueRow) -> TypeIs[SourceRow]:
    """Whether a row is about a source, and no line of a report."""
    return "factor" in row


def cited(row: SourceRow | IssueRow) -> CitedRow | None:
    """A source's factor of trust; a line of a report is not cited."""
    if not is_source(row):
        return None
    return candidate(
        row,
        horizon="n/a",
        symbol=row["symbol"],
        score=row["factor"],
        prediction="neutre",
    )


def rationale(row: Sourced, words: Words) -> str:
    """How far a source is trusted."""
    source = words(f"ensemble.source.{row['symbol']}")
    return words("agents.quality.rationale", symbol=source, score=words.percent(row["score"], 0))


def policy(evidence: Evidence) -> QualityReport:
    """Every flag that cost a source trust, dearest first."""
    words = Words(evidence["language"])
    given: list[SourceRow | IssueRow] = evidence["quality"]
    sources = [row for row in given if is_source(row)]
    concerns = [
        Concern(
            text=words(
                f"agents.quality.{told_as(flag, row['symbol'])}",
                source=words(f"ensemble.source.{row['symbol']}"),
                hours=words.number(row["age_hours"] or 0.0, 0),
                rows=row["rows"],
                refused=row["refused"],
                share=words.percent(row["contradictory_share"], 0),
            ),
            severity=HIGH if row["factor"] < 0.3 else MEDIUM if row["factor"] < 0.75 else LOW,
            evidence=[row["id"]],
        )
        for row in sorted(sources, key=lambda row: row["factor"])
        for flag in row["flags"]
    ]
    trust = sum(row["factor"] for row in sources) / len(sources)
    return QualityReport(concerns=concerns[:6], confidence=round(trust, 4))


def _disputed_forecasts(forecasts: list[Forecast]) -> float:
    """Share of forecasts whose expected return has the other sign than their direction."""
    against = sum(at_odds(row.direction, row.expected_return) for row in forecasts)
    return against / len(forecasts) if forecasts else 0.0


def _disputed_news(items: list[NewsItem]) -> float:
    """Share of items on instruments of which good and bad news say opposite things as strongly.

    An instrument is disputed when half of its items are strong, and two in five of those against the others:
    some bad news among good ones is the ordinary course of things.
    """
    by_ticker: dict[str, list[float]] = {}
    for item in items:
        for ticker in item.tickers or (GENERAL,):
            by_ticker.setdefault(ticker, []).append(item.sent)
    told = sum(map(len, by_ticker.values()))
    disputed = 0
    for tones in by_ticker.values():
        good = sum(tone >= _STRONG_TONE for tone in tones)
        bad = sum(tone <= -_STRONG_TONE for tone in tones)
        strong = good + bad
        if strong >= max(_FEWEST_STRONG, len(tones) / 2) and 5 * min(good, bad) >= 2 * strong:
            disputed += len(tones)
    return disputed / told if told else 0.0


AGENT = Agent(
    name="quality",
    schema=QualityReport,
    rows=rows,
    coverage=coverage,
    policy=policy,
    weight=0.4,
    reads=None,
    cites=Citation(
        source="quality",
        made_by="freshness",
        most=1,
        row=cited,
        rationale=rationale,
        weakest_first=True,
    ),
)
