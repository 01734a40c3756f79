"""Agent `technical`: counts every forecast, horizon by horizon, and shows some of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Literal

from typing_extensions import TypeIs

from feeds.forecasts import SIGNS, Forecast, at_odds
from nodes.ensemble.agent import Agent, Citation, Evidence, Inputs, candidate
from nodes.ensemble.policies.words import opened, stance
from nodes.ensemble.schemas import ContributorHorizon, Driver, Prediction, Stance, TechnicalReport
from nodes.ensemble.types import CitedRow, Row, Sourced
from prompts import Words
from reports.tables import instrument

Way = Literal["up", "flat", "down"]

MOST_EXAMPLES = 50
HORIZONS: dict[str, ContributorHorizon] = {"1w": "7d", "1m": "30d", "1y": "1y"}
OUTLOOKS = ("7d", "30d")
PREDICTIONS: dict[Way, Prediction] = {"up": "haussier", "flat": "neutre", "down": "baissier"}
_FULL_BREADTH = 6


class VoteRow(Row):
    """All forecasts of a horizon: how many point each way, and the mean of the probabilities they give."""

    horizon: ContributorHorizon
    forecasts: int
    up: int
    flat: int
    down: int
    positive: float
    neutral: float
    negative: float
    confidence: float
    median_return: float | None


class ForecastRow(Row):
    """One forecast, shown as an example."""

    symbol: str
    horizon: ContributorHorizon
    direction: Way
    confidence: float
    expected_return: float | None
    row: str
    origin: str | None


def rows(inputs: Inputs) -> list[VoteRow | ForecastRow]:
    """What is laid out of the forecasts known at the hour."""
    return laid_out(inputs.forecasts.rows)


def laid_out(found: Sequence[Forecast]) -> list[VoteRow | ForecastRow]:
    """The vote of all forecasts over each horizon, then examples of them."""
    votes = [
        _vote(horizon, [row for row in found if row.horizon == name])
        for name, horizon in HORIZONS.items()
        if any(row.horizon == name for row in found)
    ]
    examples: list[ForecastRow] = [
        {
            "id": f"T{number}",
            "symbol": row.ticker,
            "horizon": HORIZONS[row.horizon],
            "direction": row.direction,
            "confidence": round(row.confidence, 4),
            "expected_return": row.expected_return,
            "row": f"{row.file}#{row.row}",
            "origin": row.origin,
        }
        for number, row in enumerate(_examples(found), start=1)
    ]
    return [*votes, *examples]


def _vote(horizon: ContributorHorizon, voters: Sequence[Forecast]) -> VoteRow:
    """All forecasts of a horizon: how many point each way, and the mean of the probabilities they give.

    What a forecast leaves open is shared by the two other outcomes; one that is at odds with its own expected
    return counts half.
    """
    masses = dict.fromkeys(SIGNS, 0.0)
    for row in voters:
        share = 0.5 if at_odds(row.direction, row.expected_return) else 1.0
        for outcome in masses:
            known = row.confidence if outcome == row.direction else (1.0 - row.confidence) / 2
            masses[outcome] += share * known
    found = stance(masses["up"], masses["flat"], masses["down"])
    expected = [row.expected_return for row in voters if row.expected_return is not None]
    return {
        "id": f"V{horizon}",
        "horizon": horizon,
        "forecasts": len(voters),
        "up": sum(row.direction == "up" for row in voters),
        "flat": sum(row.direction == "flat" for row in voters),
        "down": sum(row.direction == "down" for row in voters),
        "positive": found.positive,
        "neutral": found.neutral,
        "negative": found.negative,
        "confidence": round(fmean(row.confidence for row in voters), 4),
        "median_return": round(median(expected), 6) if expected else None,
    }


def _examples(found: Sequence[Forecast]) -> list[Forecast]:
    """Forecasts to show: horizons by turns, each direction as often as its horizon holds it.

    Within a horizon and a direction the surest come first, then those that expect most, then those whose
    score lies farthest in their direction: what scale a score has is not known, so it decides no more.
    """
    queues: dict[tuple[str, str], list[Forecast]] = {}
    for row in found:
        queues.setdefault((row.horizon, row.direction), []).append(row)
    sizes = {key: len(queue) for key, queue in queues.items()}
    for queue in queues.values():
        queue.sort(
            key=lambda row: (
                -row.confidence,
                -abs(row.expected_return or 0.0),
                -SIGNS[row.direction] * (row.final_score or 0.0),
            )
        )
    chosen: list[Forecast] = []
    shown = dict.fromkeys(queues, 0)
    while len(chosen) < MOST_EXAMPLES and any(queues.values()):
        for horizon in HORIZONS:
            ways = [key for key, queue in queues.items() if key[0] == horizon and queue]
            if ways:
                # The next seat goes to the direction that has most forecasts for each one shown.
                key = max(ways, key=lambda key: sizes[key] / (shown[key] + 1))
                shown[key] += 1
                chosen.append(queues[key].pop(0))
    return chosen[:MOST_EXAMPLES]


def coverage(inputs: Inputs) -> float:
    """Share of instruments and horizons (7 and 30 days) that have a forecast."""
    tickers = {row.ticker for row in inputs.forecasts.rows}
    known = {(row.ticker, row.horizon) for row in inputs.forecasts.rows if row.horizon in ("1w", "1m")}
    return len(known) / (2 * len(tickers)) if tickers else 0.0


def cited(row: VoteRow | ForecastRow) -> CitedRow | None:
    """A forecast, scored by its confidence; a vote is no forecast."""
    if is_vote(row):
        return None
    return candidate(
        row,
        horizon=row["horizon"],
        symbol=row["symbol"],
        score=row["confidence"],
        prediction=PREDICTIONS[row["direction"]],
    )


def is_vote(row: VoteRow | ForecastRow) -> TypeIs[VoteRow]:
    """Whether a row is the vote of a horizon, and no forecast."""
    return "forecasts" in row


def contradicted(row: ForecastRow) -> bool:
    """Whether a forecast contradicts itself."""
    return at_odds(row["direction"], row["expected_return"])


def policy(evidence: Evidence) -> TechnicalReport:
    """The votes over 7 and 30 days; a horizon that nobody forecasts is not judged by another."""
    words = Words(evidence["language"])
    given: list[VoteRow | ForecastRow] = evidence["technical"]
    votes = {row["horizon"]: row for row in given if is_vote(row)}
    judged = [votes[horizon] for horizon in OUTLOOKS if horizon in votes]
    total = sum(row["forecasts"] for row in judged)
    confidence = sum(row["forecasts"] * row["confidence"] for row in judged) / total if total else 0.0
    most = {horizon: leading(row) for horizon, row in votes.items()}
    examples = sorted(
        (row for row in given if not is_vote(row)),
        key=lambda row: (
            row["horizon"] not in OUTLOOKS,
            contradicted(row),
            row["direction"] != most.get(row["horizon"]),
        ),
    )
    told = [*reversed(judged), *(row for horizon, row in votes.items() if horizon not in OUTLOOKS)]
    drivers = [
        Driver(text=_vote_sentence(row, words), evidence=[row["id"]])
        for row in told[:2]
        if row[leading(row)] > 1  # of one forecast its own sentence tells more
    ]
    drivers += [Driver(text=_sentence(row, words), evidence=[row["id"]]) for row in examples]
    return TechnicalReport(
        outlook_days_7=_view(votes.get("7d")),
        outlook_days_30=_view(votes.get("30d")),
        drivers=drivers[:3],
        confidence=round(min(total / _FULL_BREADTH, 1.0) * confidence, 4),
    )


def _view(vote: VoteRow | None) -> Stance:
    if vote is None:
        return stance(1.0, 1.0, 1.0)
    return Stance(positive=vote["positive"], neutral=vote["neutral"], negative=vote["negative"])


def leading(vote: VoteRow) -> Way:
    """The direction of most forecasts; of two with as many, the one that the probabilities favour."""
    shares: dict[Way, tuple[int, float]] = {
        "up": (vote["up"], vote["positive"]),
        "flat": (vote["flat"], vote["neutral"]),
        "down": (vote["down"], vote["negative"]),
    }
    return max(shares, key=lambda way: shares[way])


def rationale(row: Sourced, words: Words) -> str:
    """What the forecast says, and how sure it is."""
    return words(
        "agents.technical.rationale",
        symbol=instrument(row["symbol"], words),
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        prediction=words(f"ensemble.expected.{row['prediction']}"),
        score=words.percent(row["score"], 0),
    )


def _vote_sentence(row: VoteRow, words: Words) -> str:
    way = leading(row)
    return words(
        f"agents.technical.vote_{way}",
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        count=row[way],
        forecasts=row["forecasts"],
        confidence=words.percent(row["confidence"], 0),
    )


def _sentence(row: ForecastRow, words: Words) -> str:
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
