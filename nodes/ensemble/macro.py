"""Agent `macro`: reads the economy's figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, NotRequired, cast

from feeds.macro import FEATURES, FIGURES
from nodes.ensemble.agent import Agent, Citation, Evidence, Inputs, candidate
from nodes.ensemble.policies.words import (
    CONTRACTION,
    DISINFLATION,
    EXPANSION,
    HIGH,
    LOW,
    MEDIUM,
    UNCERTAIN,
    stance,
)
from nodes.ensemble.schemas import ContributorHorizon, Driver, Level, MacroReport, Prediction, Regime, Stance
from nodes.ensemble.types import Candidate, CitedRow, Row, Sourced
from prompts import Words

SYMBOL = "US"
CITED_HORIZONS: dict[str, ContributorHorizon] = {"1m": "1m", "12m": "1y"}
_HORIZONS = 3
_NO_FEAR, _FEAR = 0.3, 0.8
"""Lead of rise over fall at 30 days without a recession in sight, and what certainty of one takes from it.

The view is clearly positive below odds of a quarter and clearly negative from a half on, as for `cited`.
"""

_ROUGH = 0.9
"""Rank of volatility over ten years from which markets are rough."""

_FALLING_INFLATION = 0.002  # 0.2 points between the nearest horizon and the farthest


class MacroRow(Row):
    """A horizon's figures; the first row also tells the present."""

    horizon: str
    inflation_yoy: float | None
    yield_curve_slope: float | None
    unemployment: float | None
    recession_prob: float | None
    growth_yoy: NotRequired[float | None]
    growth_change: NotRequired[float | None]
    inflation_change: NotRequired[float | None]
    credit_spread: NotRequired[float | None]
    credit_spread_rank: NotRequired[float | None]
    volatility: NotRequired[float | None]
    volatility_rank: NotRequired[float | None]
    row: str
    origins: dict[str, list[str]]


Figure = Literal["inflation_yoy", "yield_curve_slope", "unemployment", "recession_prob"]
_KNOWN: tuple[Figure, ...] = ("inflation_yoy", "yield_curve_slope", "unemployment")


def rows(inputs: Inputs) -> list[MacroRow]:
    """One row a horizon; the first also tells the present, and each figure's origins stand beside it."""
    found: list[MacroRow] = []
    for number, row in enumerate(inputs.macro.rows, start=1):
        figures = (*FIGURES, *(() if found else FEATURES))
        told = {
            "id": f"M{number}",
            "horizon": row.horizon,
            **{name: getattr(row, name) for name in figures},
            "row": f"{row.file}#{row.row}",
            "origins": {name: inputs.macro.origins[name] for name in figures if name in inputs.macro.origins},
        }
        found.append(cast(MacroRow, told))
    return found


def coverage(inputs: Inputs) -> float:
    """Share of figures and horizons that have a value."""
    known = sum(getattr(row, name) is not None for row in inputs.macro.rows for name in FIGURES)
    return known / (_HORIZONS * len(FIGURES))


def cited(row: MacroRow) -> CitedRow | None:
    """The odds of a recession, scored by the larger of recession or no recession."""
    odds = row["recession_prob"]
    if odds is None or row["horizon"] not in CITED_HORIZONS:
        return None
    prediction: Prediction = "baissier" if odds >= 0.5 else "neutre" if odds >= 0.25 else "haussier"
    return candidate(
        row,
        horizon=CITED_HORIZONS[row["horizon"]],
        symbol=SYMBOL,
        score=max(odds, 1.0 - odds),
        prediction=prediction,
    )


def rationale(row: Sourced, words: Words) -> str:
    """The odds of a recession, or of none."""
    return words(
        f"agents.macro.rationale_{'risk' if row['prediction'] == 'baissier' else 'calm'}",
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        score=words.percent(row["score"], 0),
    )


def first(rows: Iterable[MacroRow], name: Figure) -> float | None:
    """The first known value of a figure."""
    return next((row[name] for row in rows if row[name] is not None), None)


def facts(rows: list[MacroRow]) -> dict[str, float | None]:
    """The farthest odds of a recession that are known."""
    return {"recession_prob": first(reversed(rows), "recession_prob")}


def advice(rows: list[Candidate], evidence: Evidence, words: Words) -> str:
    """Watch the odds of a recession at the farthest horizon cited."""
    row = rows[-1]
    odds = row["score"] if row["prediction"] == "baissier" else evidence["recession_prob"]
    horizon = words(f"ensemble.horizon.{row['horizon']}")
    return words("agents.macro.advice", odds=words.percent(odds, 0), horizon=horizon)


def policy(evidence: Evidence) -> MacroReport:
    """Recession odds lean the outlook; inflation and curve name the regime."""
    words = Words(evidence["language"])
    given: list[MacroRow] = evidence["macro"]
    near, far = given[0], given[-1]
    odds = first(given, "recession_prob")
    furthest_odds = first(reversed(given), "recession_prob")
    lead = 0.0 if odds is None else _NO_FEAR - _FEAR * odds
    drivers = [
        Driver(text=words(f"agents.macro.{name}", **figures), evidence=[row["id"]])
        for name, row, figures in _facts(near, far, words)
    ]
    known = sum(first(given, name) is not None for name in _KNOWN)
    return MacroReport(
        outlook_days_7=_leaning(0.6, lead / 2),
        outlook_days_30=_leaning(0.3, lead),
        drivers=drivers[:5],
        confidence=round((0.4 if odds is not None else 0.1) + 0.15 * known, 4),
        regime=regime(given),
        risk_level=risk(furthest_odds, near.get("volatility_rank")),
    )


def _leaning(neutral: float, lead: float) -> Stance:
    """Rise before fall by `lead`, what is left beside the neutral outcome shared between them."""
    return stance((1.0 - neutral + lead) / 2, neutral, (1.0 - neutral - lead) / 2)


def regime(given: list[MacroRow]) -> Regime:
    """The state of the economy by fixed thresholds; `incertain` without recession odds."""
    odds = first(given, "recession_prob")
    slope = first(given, "yield_curve_slope")
    begin, end = first(given, "inflation_yoy"), first(reversed(given), "inflation_yoy")
    if odds is None:
        return UNCERTAIN
    if odds >= 0.5:
        return CONTRACTION
    if begin is not None and end is not None and begin - end >= _FALLING_INFLATION:
        return DISINFLATION
    shrinking = (given[0].get("growth_yoy") or 0.0) < 0.0
    calm = odds < 0.3 and (slope is None or slope > 0.0) and not shrinking
    return EXPANSION if calm else UNCERTAIN


def risk(odds: float | None, volatility_rank: float | None = None) -> Level:
    """Risk by the farthest odds of a recession; at least `medium` where markets are rough or odds unknown."""
    if odds is None:
        return MEDIUM
    rough = volatility_rank is not None and volatility_rank >= _ROUGH
    return HIGH if odds >= 0.5 else MEDIUM if odds >= 0.2 or rough else LOW


class _Fact(NamedTuple):
    """What is told of a row: its text is `agents.macro.<name>`, which shows `figures`."""

    name: str
    row: MacroRow
    figures: dict[str, str]


def _facts(near: MacroRow, far: MacroRow, words: Words) -> list[_Fact]:
    """What is known, the figure that matters most first."""
    facts: list[_Fact] = []
    for row in (far, near) if far is not near else (near,):
        if row["recession_prob"] is not None:
            horizon = words(f"ensemble.horizon.{row['horizon']}")
            odds = words.percent(row["recession_prob"], 0)
            facts.append(_Fact("recession", row, {"odds": odds, "horizon": horizon}))
    if near["inflation_yoy"] is not None:
        later = far["inflation_yoy"] if far["inflation_yoy"] is not None else near["inflation_yoy"]
        figures = {"now": words.percent(near["inflation_yoy"]), "later": words.percent(later)}
        facts.append(
            _Fact("inflation", near, {**figures, "horizon": words(f"ensemble.horizon.{far['horizon']}")})
        )
    if (growth := near.get("growth_yoy")) is not None:
        name = "growth" if growth >= 0.0 else "shrinking"
        facts.append(_Fact(name, near, {"growth": words.percent(abs(growth))}))
    if near["yield_curve_slope"] is not None:
        name = "curve_inverted" if near["yield_curve_slope"] < 0 else "curve"
        facts.append(_Fact(name, near, {"slope": words.number(near["yield_curve_slope"])}))
    if near["unemployment"] is not None:
        facts.append(_Fact("unemployment", near, {"rate": words.percent(near["unemployment"] / 100)}))
    if (volatility := near.get("volatility")) is not None and (near.get("volatility_rank") or 0.0) >= _ROUGH:
        facts.append(_Fact("volatility", near, {"volatility": words.percent(volatility / 100, 0)}))
    if not facts:
        facts.append(_Fact("far_only", far, {"horizon": words(f"ensemble.horizon.{far['horizon']}")}))
    return facts


AGENT = Agent(
    name="macro",
    schema=MacroReport,
    rows=rows,
    coverage=coverage,
    policy=policy,
    weight=0.1,
    reads="macro",
    cites=Citation(source="macro", made_by="regime", most=2, row=cited, rationale=rationale, advice=advice),
    facts=facts,
)
