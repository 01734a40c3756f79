"""Arithmetic between the agents: weights, penalties, the pooled view. No model takes part in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AGENTS = ("technical", "macro", "sentiment", "quality")
VIEWS = {"technical": "forecast", "sentiment": "news", "macro": "macro"}
"""Agents with a view on markets, and the source each one reads; in the order of their weights."""

WEIGHTS = {"quality": 0.4, "technical": 0.3, "sentiment": 0.2, "macro": 0.1}
"""Until the agents' own record says otherwise."""

QUORUM = 2
OUTLOOKS = ("outlook_days_7", "outlook_days_30")
_MARGIN = 0.1


def factors(quality_rows: list[dict[str, Any]]) -> dict[str, float]:
    """Factor of trust by source."""
    return {row["symbol"]: row["factor"] for row in quality_rows if "factor" in row}


def weights(reports: Mapping[str, Mapping[str, Any]], trust: Mapping[str, float]) -> dict[str, float]:
    """What each view counts: weight × factor of its source × its own confidence; quality's share is doubt.

    Quality has no view of its own: its weight times what trust is lacking pulls the pool towards neutral.
    """
    found = {
        agent: WEIGHTS[agent] * trust[source] * reports[agent]["confidence"]
        for agent, source in VIEWS.items()
        if agent in reports
    }
    read = [trust[VIEWS[agent]] for agent in found]
    lacking = 1.0 - (sum(read) / len(VIEWS) if read else 0.0)
    return {**found, "quality": WEIGHTS["quality"] * lacking}


def pool(reports: Mapping[str, Mapping[str, Any]], trust: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The weighted mean of the agents' probabilities, by outlook."""
    counted = weights(reports, trust)
    total = sum(counted.values())
    pooled = {}
    for outlook in OUTLOOKS:
        masses = {"positive": 0.0, "neutral": counted["quality"], "negative": 0.0}
        for agent in VIEWS:
            if agent in reports:
                for name, share in reports[agent][outlook].items():
                    masses[name] += counted[agent] * share
        if total == 0.0:
            masses, scale = {"positive": 0.0, "neutral": 1.0, "negative": 0.0}, 1.0
        else:
            scale = sum(masses.values())
        pooled[outlook] = {name: round(mass / scale, 4) for name, mass in masses.items()}
    return pooled


def direction(stance: Mapping[str, float]) -> str:
    """`positive` or `negative` where one leads the other by ten points, else `neutral`."""
    lead = stance["positive"] - stance["negative"]
    return "positive" if lead > _MARGIN else "negative" if lead < -_MARGIN else "neutral"


def clashes(reports: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """(outlook, agent that is positive, agent that is negative) for every contradiction."""
    found = []
    for outlook in OUTLOOKS:
        views = {agent: direction(reports[agent][outlook]) for agent in VIEWS if agent in reports}
        found += [
            (outlook, bull, bear)
            for bull, up in views.items()
            for bear, down in views.items()
            if up == "positive" and down == "negative"
        ]
    return found
