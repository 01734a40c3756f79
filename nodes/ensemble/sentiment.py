"""Agent `sentiment`: reads seven days of news, instrument by instrument."""

from __future__ import annotations

from market.news import GENERAL, WINDOW_DAYS, NewsItem
from nodes.ensemble.agent import Agent, Evidence, Inputs, Row, candidate
from nodes.ensemble.rules import instrument, opened, stance
from nodes.ensemble.schemas import Driver, Prediction, SentimentReport, Stance
from prompts import Words

TOP_TICKERS = 20
TITLES = 4
LONGEST = 300
_QUIET_TONE = 0.1


def rows(inputs: Inputs) -> list[Row]:
    """News by instrument: how many, their mean tone, the most telling headlines; most talked about first."""
    by_ticker: dict[str, list[NewsItem]] = {}
    for item in inputs.news.items:
        for ticker in item.tickers or (GENERAL,):
            by_ticker.setdefault(ticker, []).append(item)
    ranked = sorted(by_ticker.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:TOP_TICKERS]
    return [
        {
            "id": f"S{number}",
            "symbol": ticker,
            "items": len(items),
            "tone": round(sum(item.sent for item in items) / len(items), 4),
            "titles": [
                {
                    "date": f"{item.ts:%Y-%m-%d}",
                    "source": item.source,
                    "title": item.title,
                    "tone": round(item.sent, 2),
                    "row": f"{item.file}#{item.row}",
                    "origin": item.origin,
                }
                for item in sorted(items, key=lambda item: (-abs(item.sent), -item.ts.timestamp()))[:TITLES]
            ],
        }
        for number, (ticker, items) in enumerate(ranked, start=1)
    ]


def coverage(inputs: Inputs) -> float:
    """Share of the window's days with at least one piece of news."""
    return min(len({item.ts.date() for item in inputs.news.items}) / WINDOW_DAYS, 1.0)


def cites(row: Row) -> Row | None:
    """An instrument's mean tone, scored by one half plus half its size; one headline's counts a third."""
    tone = row["tone"]
    prediction: Prediction = "neutre" if abs(tone) < _QUIET_TONE else "haussier" if tone > 0 else "baissier"
    return candidate(
        row,
        source="sentiment",
        model="news_llm",
        horizon="7d",
        symbol=row["symbol"],
        score=0.5 + abs(tone) * _breadth(row) / 2,
        prediction=prediction,
    )


def policy(evidence: Evidence) -> SentimentReport:
    """Mean tone of the news, each instrument by its number of items; at 30 days half of it is left."""
    words, given = Words(evidence["language"]), evidence["sentiment"]
    items = sum(row["items"] for row in given)
    mean = sum(row["tone"] * row["items"] for row in given) / items

    def leaning(tone: float) -> Stance:
        neutral = 0.6 * (1.0 - abs(tone))
        return stance((1 - neutral) * (1 + tone) / 2, neutral, (1 - neutral) * (1 - tone) / 2)

    telling = sorted(given, key=lambda row: (-abs(row["tone"]) * _breadth(row), row["symbol"]))
    return SentimentReport(
        outlook_days_7=leaning(mean),
        outlook_days_30=leaning(mean / 2),
        drivers=[Driver(text=_sentence(row, words), evidence=[row["id"]]) for row in telling[:3]],
        confidence=round(min(items / 20, 1.0) * 0.6, 4),
    )


def _breadth(row: Evidence) -> float:
    """How far a mean of n headlines counts: one says little, ten nearly all."""
    return float(row["items"] / (row["items"] + 2))


def _sentence(row: Evidence, words: Words) -> str:
    tone = f"{'+' if row['tone'] > 0 else '−' if row['tone'] < 0 else ''}{words.number(abs(row['tone']))}"
    head = words(
        "ensemble.rules.tone" if row["items"] > 1 else "ensemble.rules.tone_single",
        symbol=instrument(row["symbol"], words),
        items=row["items"],
        tone=tone,
        title="{title}",
    )
    room = LONGEST - len(head)
    title = row["titles"][0]["title"]
    sentence = head.replace("{title}", title if len(title) <= room else f"{title[: room - 1]}…")
    return opened(sentence)


AGENT = Agent(
    name="sentiment",
    schema=SentimentReport,
    rows=rows,
    coverage=coverage,
    policy=policy,
    weight=0.2,
    reads="news",
    cites=cites,
)
