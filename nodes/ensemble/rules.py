"""The agents without a model: deterministic policies over the same evidence, in the same schemas.

They are the baseline that a model must beat. Every sentence is worded from the evidence's own figures through
the text catalogue, so that both languages tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nodes.ensemble.schemas import (
    Concern,
    Driver,
    Level,
    MacroReport,
    QualityReport,
    Regime,
    SentimentReport,
    Stance,
    TechnicalReport,
)
from prompts import Words

Evidence = Mapping[str, Any]

EXPANSION: Regime = "expansion_modérée"
DISINFLATION: Regime = "désinflation"
CONTRACTION: Regime = "contraction"
UNCERTAIN: Regime = "incertain"
LOW: Level = "low"
MEDIUM: Level = "medium"
HIGH: Level = "high"

_FULL_BREADTH = 6
_FALLING_INFLATION = 0.002  # 0.2 points between the nearest horizon and the farthest
LONGEST = 300


def technical(evidence: Evidence) -> TechnicalReport:
    """Vote of the forecasts, each by its confidence and the size of its score."""
    words, rows = Words(evidence["language"]), evidence["technical"]
    largest = max(abs(row["final_score"] or 0.0) for row in rows) or 1.0

    def share(row: Evidence) -> float:
        size = abs(row["final_score"]) / largest if row["final_score"] is not None else row["confidence"]
        return float(0.1 + size) / (2.0 if _contradicted(row) else 1.0)

    def stance(horizon: str) -> Stance:
        voters = [row for row in rows if row["horizon"] == horizon] or rows
        masses = {"up": 0.0, "flat": 0.0, "down": 0.0}
        for row in voters:
            # What the forecast leaves open is shared by the two other outcomes.
            for outcome in masses:
                known = row["confidence"] if outcome == row["direction"] else (1.0 - row["confidence"]) / 2
                masses[outcome] += share(row) * known
        return _stance(masses["up"], masses["flat"], masses["down"])

    breadth = min(len(rows) / _FULL_BREADTH, 1.0)
    confidence = breadth * sum(row["confidence"] for row in rows) / len(rows)
    return TechnicalReport(
        outlook_days_7=stance("7d"),
        outlook_days_30=stance("30d"),
        drivers=[Driver(text=_forecast(row, words), evidence=[row["id"]]) for row in rows[:3]],
        confidence=round(confidence, 4),
    )


def macro(evidence: Evidence) -> MacroReport:
    """Recession odds lean the outlook; inflation and curve name the regime."""
    words, rows = Words(evidence["language"]), evidence["macro"]
    near, far = rows[0], rows[-1]
    odds = _first(rows, "recession_prob")
    furthest_odds = _first(reversed(rows), "recession_prob")
    lean = 0.5 if odds is None else odds
    drivers = [
        Driver(text=words(f"ensemble.rules.{name}", **figures), evidence=[row["id"]])
        for name, row, figures in _macro_facts(near, far, words)
    ]
    known = sum(
        _first(rows, name) is not None for name in ("inflation_yoy", "yield_curve_slope", "unemployment")
    )
    return MacroReport(
        outlook_days_7=_stance(0.4 * (1 - lean), 0.6, 0.4 * lean),
        outlook_days_30=_stance(0.7 * (1 - lean), 0.3, 0.7 * lean),
        drivers=drivers[:5],
        confidence=round((0.4 if odds is not None else 0.1) + 0.15 * known, 4),
        regime=regime(rows),
        risk_level=risk(furthest_odds),
    )


def regime(rows: list[dict[str, Any]]) -> Regime:
    """The state of the economy by fixed thresholds; `incertain` without recession odds."""
    odds = _first(rows, "recession_prob")
    slope = _first(rows, "yield_curve_slope")
    begin, end = _first(rows, "inflation_yoy"), _first(reversed(rows), "inflation_yoy")
    if odds is None:
        return UNCERTAIN
    if odds >= 0.5:
        return CONTRACTION
    if begin is not None and end is not None and begin - end >= _FALLING_INFLATION:
        return DISINFLATION
    return EXPANSION if odds < 0.3 and (slope is None or slope > 0.0) else UNCERTAIN


def risk(odds: float | None) -> Level:
    """Risk by the odds of a recession at the farthest horizon; `medium` when nobody knows."""
    if odds is None:
        return MEDIUM
    return HIGH if odds >= 0.5 else MEDIUM if odds >= 0.2 else LOW


def sentiment(evidence: Evidence) -> SentimentReport:
    """Mean tone of the news, each instrument by its number of items; at 30 days half of it is left."""
    words, rows = Words(evidence["language"]), evidence["sentiment"]
    items = sum(row["items"] for row in rows)
    tone = sum(row["tone"] * row["items"] for row in rows) / items

    def stance(tone: float) -> Stance:
        neutral = 0.6 * (1.0 - abs(tone))
        return _stance((1 - neutral) * (1 + tone) / 2, neutral, (1 - neutral) * (1 - tone) / 2)

    telling = sorted(rows, key=lambda row: (-abs(row["tone"]) * _breadth(row), row["symbol"]))
    return SentimentReport(
        outlook_days_7=stance(tone),
        outlook_days_30=stance(tone / 2),
        drivers=[Driver(text=_tone(row, words), evidence=[row["id"]]) for row in telling[:3]],
        confidence=round(min(items / 20, 1.0) * 0.6, 4),
    )


def quality(evidence: Evidence) -> QualityReport:
    """Every flag that cost a source trust, dearest first."""
    words = Words(evidence["language"])
    sources = [row for row in evidence["quality"] if "factor" in row]
    concerns = [
        Concern(
            text=words(
                f"ensemble.rules.quality_{flag}",
                source=words(f"ensemble.source.{row['symbol']}"),
                hours=words.number(row["age_hours"] or 0.0, 0),
                rows=row["rows"],
                refused=row["refused"],
            ),
            severity=HIGH if row["factor"] < 0.3 else MEDIUM if row["factor"] < 0.75 else LOW,
            evidence=[row["id"]],
        )
        for row in sorted(sources, key=lambda row: row["factor"])
        for flag in row["flags"]
    ]
    trust = sum(row["factor"] for row in sources) / len(sources)
    return QualityReport(concerns=concerns[:6], confidence=round(trust, 4))


def _breadth(row: Evidence) -> float:
    """How far a mean of n headlines counts: one says little, ten nearly all."""
    return float(row["items"] / (row["items"] + 2))


def _stance(positive: float, neutral: float, negative: float) -> Stance:
    total = positive + neutral + negative
    up, flat = round(positive / total, 4), round(neutral / total, 4)
    return Stance(positive=up, neutral=flat, negative=round(max(1.0 - up - flat, 0.0), 4))


def _first(rows: Any, name: str) -> Any:
    """The first known value of a figure."""
    return next((row[name] for row in rows if row[name] is not None), None)


def _forecast(row: Evidence, words: Words) -> str:
    expected = row["expected_return"]
    name = (
        "forecast_bare" if expected is None else "forecast_contradicted" if _contradicted(row) else "forecast"
    )
    return words(
        f"ensemble.rules.{name}",
        symbol=row["symbol"],
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        direction=words(f"ensemble.direction.{row['direction']}"),
        confidence=words.percent(row["confidence"], 0),
        expected="" if expected is None else words.percent(expected, 1),
    )


def _contradicted(row: Evidence) -> bool:
    """Whether the expected return has the other sign than the direction."""
    sign = {"up": 1.0, "flat": 0.0, "down": -1.0}[row["direction"]]
    return row["expected_return"] is not None and sign * row["expected_return"] < 0.0


def _macro_facts(
    near: dict[str, Any], far: dict[str, Any], words: Words
) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """What is known, the figure that matters most first."""
    facts: list[tuple[str, dict[str, Any], dict[str, str]]] = []
    for row in (far, near) if far is not near else (near,):
        if row["recession_prob"] is not None:
            horizon = words(f"ensemble.horizon.{row['horizon']}")
            odds = words.percent(row["recession_prob"], 0)
            facts.append(("recession", row, {"odds": odds, "horizon": horizon}))
    if near["inflation_yoy"] is not None:
        later = far["inflation_yoy"] if far["inflation_yoy"] is not None else near["inflation_yoy"]
        figures = {"now": words.percent(near["inflation_yoy"]), "later": words.percent(later)}
        facts.append(("inflation", near, {**figures, "horizon": words(f"ensemble.horizon.{far['horizon']}")}))
    if near["yield_curve_slope"] is not None:
        name = "curve_inverted" if near["yield_curve_slope"] < 0 else "curve"
        facts.append((name, near, {"slope": words.number(near["yield_curve_slope"])}))
    if near["unemployment"] is not None:
        facts.append(("unemployment", near, {"rate": words.percent(near["unemployment"] / 100)}))
    if not facts:
        facts.append(("macro_far_only", far, {"horizon": words(f"ensemble.horizon.{far['horizon']}")}))
    return facts


def _tone(row: Evidence, words: Words) -> str:
    tone = f"{'+' if row['tone'] > 0 else '−' if row['tone'] < 0 else ''}{words.number(abs(row['tone']))}"
    head = words(
        "ensemble.rules.tone",
        symbol=words("ensemble.source.market") if row["symbol"] == "MARKET" else row["symbol"],
        items=row["items"],
        tone=tone,
        title="{title}",
    )
    room = LONGEST - len(head)
    title = row["titles"][0]["title"]
    sentence = head.replace("{title}", title if len(title) <= room else f"{title[: room - 1]}…")
    return sentence[0].upper() + sentence[1:]
