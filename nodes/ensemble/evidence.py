"""The evidence every agent is given: rows with identifiers, built by code from what the readers returned.

The same plain JSON feeds a model's prompt and the rules. `candidates` are the rows a summary may cite.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from market.forecasts import Forecasts
from market.freshness import Quality
from market.macro import FIGURES, Macro
from market.news import GENERAL, News

TOP_FORECASTS = 50
TOP_TICKERS = 20
TITLES = 4

HORIZONS = {"1w": "7d", "1m": "30d", "1y": "1y"}
PREDICTIONS = {"up": "haussier", "flat": "neutre", "down": "baissier"}
_MACRO_HORIZONS = {"1m": "1m", "12m": "1y"}
_QUIET_TONE = 0.1


def technical_rows(forecasts: Forecasts) -> list[dict[str, Any]]:
    """The strongest forecasts."""
    return [
        {
            "id": f"T{number}",
            "symbol": row.ticker,
            "horizon": HORIZONS[row.horizon],
            "direction": row.direction,
            "confidence": round(row.confidence, 4),
            "expected_return": row.expected_return,
            "final_score": row.final_score,
            "row": f"{row.file}#{row.row}",
        }
        for number, row in enumerate(forecasts.rows[:TOP_FORECASTS], start=1)
    ]


def macro_rows(macro: Macro) -> list[dict[str, Any]]:
    """One row a horizon."""
    return [
        {
            "id": f"M{number}",
            "horizon": row.horizon,
            **{name: getattr(row, name) for name in FIGURES},
            "row": f"{row.file}#{row.row}",
        }
        for number, row in enumerate(macro.rows, start=1)
    ]


def sentiment_rows(news: News) -> list[dict[str, Any]]:
    """News by instrument: how many, their mean tone, the most telling headlines; most talked about first."""
    by_ticker: dict[str, list[Any]] = {}
    for item in news.items:
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
                }
                for item in sorted(items, key=lambda item: (-abs(item.sent), -item.ts.timestamp()))[:TITLES]
            ],
        }
        for number, (ticker, items) in enumerate(ranked, start=1)
    ]


def quality_rows(quality: Quality) -> list[dict[str, Any]]:
    """One row a source, then one a line of the optional reports."""
    sources = [
        {
            "id": f"Q{number}",
            "symbol": source.source,
            "latest": None if source.latest is None else source.latest.isoformat(),
            "age_hours": source.age_hours,
            "allowed_hours": source.allowed_hours,
            "rows": source.rows,
            "refused": source.refused,
            "flags": source.flags,
            "factor": source.factor,
        }
        for number, source in enumerate(quality.sources, start=1)
    ]
    issues = [
        {
            "id": f"Q{number}",
            "symbol": issue.section,
            "severity": issue.severity,
            "message": issue.message,
        }
        for number, issue in enumerate(quality.issues[:20], start=len(sources) + 1)
    ]
    return [*sources, *issues]


def candidates(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row a summary may cite as contributor, its score and prediction computed here.

    The score says how strongly the row speaks, 0–1: a forecast's confidence; the larger of recession or no
    recession; one half plus half the tone of news; a source's factor of trust.
    """
    found = [
        {
            "id": row["id"],
            "source": "technique",
            "model": "momentum",
            "horizon": row["horizon"],
            "symbol": row["symbol"],
            "score": round(row["confidence"], 2),
            "prediction": PREDICTIONS[row["direction"]],
        }
        for row in evidence["technical"]
    ]
    for row in evidence["macro"]:
        odds = row["recession_prob"]
        if odds is not None and row["horizon"] in _MACRO_HORIZONS:
            found.append(
                {
                    "id": row["id"],
                    "source": "macro",
                    "model": "regime",
                    "horizon": _MACRO_HORIZONS[row["horizon"]],
                    "symbol": "US",
                    "score": round(max(odds, 1.0 - odds), 2),
                    "prediction": "baissier" if odds >= 0.5 else "neutre" if odds >= 0.25 else "haussier",
                }
            )
    for row in evidence["sentiment"]:
        tone = row["tone"]
        found.append(
            {
                "id": row["id"],
                "source": "sentiment",
                "model": "news_llm",
                "horizon": "7d",
                "symbol": row["symbol"],
                "score": round(0.5 + abs(tone) / 2, 2),
                "prediction": "neutre" if abs(tone) < _QUIET_TONE else "haussier" if tone > 0 else "baissier",
            }
        )
    found += [
        {
            "id": row["id"],
            "source": "quality",
            "model": "freshness",
            "horizon": "n/a",
            "symbol": row["symbol"],
            "score": round(row["factor"], 2),
            "prediction": "neutre",
        }
        for row in evidence["quality"]
        if "factor" in row
    ]
    return found


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as a prompt shows them: one JSON object a line, without the trace back to the file."""
    return "\n".join(
        json.dumps(_shown(row), ensure_ascii=False, separators=(", ", ": "), allow_nan=False) for row in rows
    )


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(part) for key, part in value.items() if key != "row" and part is not None}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    return value
