"""Agent `technical`: reads the strongest forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nodes.ensemble.agent import Agent, Citation, Evidence, Inputs, Row, candidate
from nodes.ensemble.policies.words import instrument, opened, stance
from nodes.ensemble.schemas import Driver, Prediction, Stance, TechnicalReport
from prompts import Words

TOP_FORECASTS = 50
HORIZONS = {"1w": "7d", "1m": "30d", "1y": "1y"}
PREDICTIONS: dict[str, Prediction] = {"up": "haussier", "flat": "neutre", "down": "baissier"}
_FULL_BREADTH = 6


def rows(inputs: Inputs) -> list[Row]:
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
            "origin": row.origin,
        }
        for number, row in enumerate(inputs.forecasts.rows[:TOP_FORECASTS], start=1)
    ]


def coverage(inputs: Inputs) -> float:
    """Share of instruments and horizons (7 and 30 days) that have a forecast."""
    tickers = {row.ticker for row in inputs.forecasts.rows}
    known = {(row.ticker, row.horizon) for row in inputs.forecasts.rows if row.horizon in ("1w", "1m")}
    return len(known) / (2 * len(tickers)) if tickers else 0.0


def cited(row: Row) -> Row | None:
    """A forecast, scored by its confidence."""
    return candidate(
        row,
        horizon=row["horizon"],
        symbol=row["symbol"],
        score=row["confidence"],
        prediction=PREDICTIONS[row["direction"]],
    )


def contradicted(row: Mapping[str, Any]) -> bool:
    """Whether the expected return has the other sign than the direction."""
    sign = {"up": 1.0, "flat": 0.0, "down": -1.0}[row["direction"]]
    return row["expected_return"] is not None and sign * row["expected_return"] < 0.0


def policy(evidence: Evidence) -> TechnicalReport:
    """Vote of the forecasts, each by its confidence and the size of its score."""
    words, given = Words(evidence["language"]), evidence["technical"]
    largest = max(abs(row["final_score"] or 0.0) for row in given) or 1.0

    def share(row: Evidence) -> float:
        size = abs(row["final_score"]) / largest if row["final_score"] is not None else row["confidence"]
        return float(0.1 + size) / (2.0 if contradicted(row) else 1.0)

    def voted(horizon: str) -> Stance:
        voters = [row for row in given if row["horizon"] == horizon] or given
        masses = {"up": 0.0, "flat": 0.0, "down": 0.0}
        for row in voters:
            # What the forecast leaves open is shared by the two other outcomes.
            for outcome in masses:
                known = row["confidence"] if outcome == row["direction"] else (1.0 - row["confidence"]) / 2
                masses[outcome] += share(row) * known
        return stance(masses["up"], masses["flat"], masses["down"])

    breadth = min(len(given) / _FULL_BREADTH, 1.0)
    confidence = breadth * sum(row["confidence"] for row in given) / len(given)
    telling = sorted(given, key=contradicted)  # the strongest first, those at odds with themselves last
    return TechnicalReport(
        outlook_days_7=voted("7d"),
        outlook_days_30=voted("30d"),
        drivers=[Driver(text=_sentence(row, words), evidence=[row["id"]]) for row in telling[:3]],
        confidence=round(confidence, 4),
    )


def rationale(row: Row, words: Words) -> str:
    """What the forecast says, and how sure it is."""
    return words(
        "agents.technical.rationale",
        symbol=instrument(row["symbol"], words),
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        prediction=words(f"ensemble.expected.{row['prediction']}"),
        score=words.percent(row["score"], 0),
    )


def _sentence(row: Evidence, words: Words) -> str:
    expected = row["expected_return"]
    name = (
        "forecast_bare" if expected is None else "forecast_contradicted" if contradicted(row) else "forecast"
    )
    told = words(
        f"agents.technical.{name}",
        symbol=instrument(row["symbol"], words),
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        direction=words(f"ensemble.direction.{row['direction']}"),
        confidence=words.percent(row["confidence"], 0),
        expected="" if expected is None else words.percent(expected, 1),
    )
    return opened(told)


AGENT = Agent(
    name="technical",
    schema=TechnicalReport,
    rows=rows,
    coverage=coverage,
    policy=policy,
    weight=0.3,
    reads="forecast",
    cites=Citation(
        source="technique",
        made_by="momentum",
        most=4,
        row=cited,
        rationale=rationale,
        instruments=True,
    ),
)
