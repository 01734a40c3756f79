"""Agent `sentiment`: reads seven days of news, instrument by instrument."""

from __future__ import annotations

import math

from typing_extensions import TypedDict

from feeds.lexicon import lexicon_score
from feeds.news import GENERAL, WINDOW_DAYS, NewsItem
from nodes.ensemble.agent import Agent, Citation, Evidence, Inputs, candidate
from nodes.ensemble.policies.bounds import FREEDOM, near, near_confidence
from nodes.ensemble.policies.words import opened, stance
from nodes.ensemble.schemas import Driver, Prediction, SentimentReport, Stance
from nodes.ensemble.types import Candidate, CitedRow, Row, Sourced
from prompts import Words
from reports.tables import instrument

TOP_TICKERS = 20
TITLES = 4
MOST_NAMED = 5
"""A headline that names more instruments is about the market: one headline counts five times at most."""

LONGEST = 300
_THIN = 10
"""Headlines with which a tone is worth half: a handful about one name must not beat the market's own news."""

_QUIET_TONE = 0.1


class Title(TypedDict):
    """A headline; `doubtful` where it may be dictating its own tone."""

    date: str
    source: str
    title: str
    tone: float
    doubtful: bool | None
    row: str
    origin: str | None


class NewsRow(Row):
    """The news about an instrument: how many, their mean tone, the most telling of them."""

    symbol: str
    items: int
    tone: float
    titles: list[Title]


def rows(inputs: Inputs) -> list[NewsRow]:
    """News by instrument: how many, their mean tone, the most telling headlines; most talked about first."""
    by_ticker: dict[str, list[NewsItem]] = {}
    for item in inputs.news.items:
        for ticker in item.tickers if 0 < len(item.tickers) <= MOST_NAMED else (GENERAL,):
            by_ticker.setdefault(ticker, []).append(item)
    ranked = sorted(by_ticker.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:TOP_TICKERS]
    return [
        {
            "id": f"S{number}",
            "symbol": ticker,
            "items": len(items),
            "tone": round(sum(_tone(item) for item in items) / len(items), 4),
            "titles": [
                {
                    "date": f"{item.ts:%Y-%m-%d}",
                    "source": item.source,
                    "title": item.title,
                    "tone": round(_tone(item), 2),
                    "doubtful": item.doubtful or None,
                    "row": f"{item.file}#{item.row}",
                    "origin": item.origin,
                }
                for item in sorted(items, key=lambda item: (-abs(_tone(item)), -item.ts.timestamp()))[:TITLES]
            ],
        }
        for number, (ticker, items) in enumerate(ranked, start=1)
    ]


def _tone(item: NewsItem) -> float:
    """A headline's tone; of one that may be dictating its own, none."""
    return 0.0 if item.doubtful else item.sent


def coverage(inputs: Inputs) -> float:
    """Share of the window's days with at least one piece of news."""
    return min(len({item.ts.date() for item in inputs.news.items}) / WINDOW_DAYS, 1.0)


def cited(row: NewsRow) -> CitedRow:
    """An instrument's mean tone, scored by one half plus half its size, less where few headlines tell it."""
    tone = row["tone"]
    prediction: Prediction = "neutre" if abs(tone) < _QUIET_TONE else "haussier" if tone > 0 else "baissier"
    return candidate(
        row,
        horizon="7d",
        symbol=row["symbol"],
        score=0.5 + abs(tone) * row["items"] / (row["items"] + _THIN) / 2,
        prediction=prediction,
    )


def rationale(row: Sourced, words: Words) -> str:
    """The tone of an instrument's news."""
    return words(
        "agents.sentiment.rationale",
        symbol=instrument(row["symbol"], words),
        prediction=words(f"ensemble.tone.{row['prediction']}"),
    )


def advice(rows: list[Candidate], evidence: Evidence, words: Words) -> str | None:
    """Follow the news of the most pronounced tone, of what one may act on; nothing where all are quiet."""
    known = evidence["instruments"]
    tones = [row for row in rows if row["prediction"] != "neutre" and row["symbol"] in known]
    if not tones:
        return None
    strongest = max(tones, key=lambda row: row["score"])
    tone = words(f"ensemble.tone.{strongest['prediction']}")
    return words("agents.sentiment.advice", symbol=instrument(strongest["symbol"], words), tone=tone)


def _given(evidence: Evidence) -> list[NewsRow]:
    rows: list[NewsRow] = evidence["sentiment"]
    return rows


def policy(evidence: Evidence) -> SentimentReport:
    """Mean tone of the news, each instrument by its number of items; at 30 days half of it is left."""
    words, given = Words(evidence["language"]), _given(evidence)
    items = sum(row["items"] for row in given)
    mean = sum(row["tone"] * row["items"] for row in given) / items

    def leaning(tone: float) -> Stance:
        neutral = 0.6 * (1.0 - abs(tone))
        return stance((1 - neutral) * (1 + tone) / 2, neutral, (1 - neutral) * (1 - tone) / 2)

    # Reasons for the view before what speaks against it; tone and coverage together within each.
    telling = sorted(
        given,
        key=lambda row: (
            row["tone"] * mean < 0.0,
            -abs(row["tone"]) * math.sqrt(row["items"]),
            row["symbol"],
        ),
    )
    return SentimentReport(
        outlook_days_7=leaning(mean),
        outlook_days_30=leaning(mean / 2),
        drivers=[Driver(text=_sentence(row, words), evidence=[row["id"]]) for row in telling[:3]],
        confidence=round(min(items / 20, 1.0) * 0.6, 4),
    )


def bounded(report: SentimentReport, evidence: Evidence) -> SentimentReport:
    """A model's view held near the policy's; of its reasons the rows alone, worded by the program."""
    words, own = Words(evidence["language"]), policy(evidence)
    rows = {row["id"]: row for row in _given(evidence)}
    cited = dict.fromkeys(row for driver in report.drivers for row in driver.evidence)
    freedom = FREEDOM * _breadth(sum(row["items"] for row in rows.values()))
    return SentimentReport(
        outlook_days_7=near(report.outlook_days_7, own.outlook_days_7, freedom),
        outlook_days_30=near(report.outlook_days_30, own.outlook_days_30, freedom),
        drivers=[Driver(text=_sentence(rows[row], words), evidence=[row]) for row in [*cited][:5]],
        confidence=near_confidence(report.confidence, own.confidence),
    )


def quoted(evidence: Evidence) -> dict[str, str]:
    """Each row's sentence, and the same with its most telling headline that is above doubt.

    A headline whose tone the lexicon does not hear in its words says something else than its figure: whoever
    scored it may have been told what to find.
    """
    words = Words(evidence["language"])
    found = {}
    for row in _given(evidence):
        title = next((title["title"] for title in row["titles"] if _quotable(title)), None)
        if title is not None:
            found[_sentence(row, words)] = _sentence(row, words, title)
    return found


def _quotable(title: Title) -> bool:
    return not title.get("doubtful") and lexicon_score(title["title"]) * title["tone"] > 0.0


def _breadth(items: int) -> float:
    """How far a mean of n headlines counts: one says little, ten nearly all."""
    return items / (items + 2)


def _sentence(row: NewsRow, words: Words, title: str | None = None) -> str:
    tone = f"{'+' if row['tone'] > 0 else '−' if row['tone'] < 0 else ''}{words.number(abs(row['tone']))}"
    name = "tone" if row["items"] > 1 else "tone_single"
    head = words(
        f"agents.sentiment.{name}" if title is None else f"agents.sentiment.{name}_quoted",
        symbol=instrument(row["symbol"], words),
        items=row["items"],
        tone=tone,
        **({} if title is None else {"title": "{title}"}),
    )
    if title is not None:
        room = LONGEST - len(head)
        head = head.replace("{title}", title if len(title) <= room else f"{title[: room - 1]}…")
    return opened(head)


AGENT = Agent(
    name="sentiment",
    schema=SentimentReport,
    rows=rows,
    coverage=coverage,
    policy=policy,
    weight=0.2,
    reads="news",
    cites=Citation(
        source="sentiment", made_by="news_llm", most=3, row=cited, rationale=rationale, advice=advice
    ),
    bounded=bounded,
    quoted=quoted,
)
