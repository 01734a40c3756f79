"""Arithmetic between the agents: weights, penalties, the pooled view. No model takes part in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.quality import IssueRow, SourceRow, is_source
from nodes.ensemble.schemas import Direction, ProposalHorizon
from nodes.ensemble.types import Draft, Outlook, Report, Shares

QUORUM = 2
OUTLOOKS: dict[Outlook, ProposalHorizon] = {"outlook_days_7": "7d", "outlook_days_30": "30d"}
"""Fields of a report, and their horizon in the words of `ensemble.horizon`."""

_MARGIN = 0.1
_EQUAL = 0.001
REACH = 0.1
"""Of the lead of rise over fall in the weighted mean, how much the arbiter may see otherwise."""

Reports = Mapping[str, Report]


def factors(quality_rows: Iterable[SourceRow | IssueRow]) -> dict[str, float]:
    """Factor of trust by source."""
    return {row["symbol"]: row["factor"] for row in quality_rows if is_source(row)}


def weights(reports: Reports, trust: Mapping[str, float], record: Mapping[str, float]) -> dict[str, float]:
    """What each view counts: weight × record × factor of its source × its own confidence.

    Quality has no view of its own: its weight times what trust is lacking is doubt, and pulls the pool
    towards knowing nothing, a third for each outcome.

    Args:
        reports: by agent.
        trust: factor by source.
        record: what each agent's scored forecasts make of its weight; 1 where there is none yet.
    """
    found = {
        agent: round(
            AGENTS[agent].weight * record.get(agent, 1.0) * trust[source] * reports[agent]["confidence"], 6
        )
        for agent, source in VIEWS.items()
        if agent in reports
    }
    read = [trust[VIEWS[agent]] for agent in found]
    lacking = 1.0 - (sum(read) / len(VIEWS) if read else 0.0)
    return {**found, "quality": round(AGENTS["quality"].weight * lacking, 6)}


def pool(reports: Reports, trust: Mapping[str, float], record: Mapping[str, float]) -> dict[Outlook, Shares]:
    """The weighted mean of the agents' probabilities, by outlook; who knows nothing of it does not vote."""
    counted = weights(reports, trust, record)
    pooled: dict[Outlook, Shares] = {}
    for outlook in OUTLOOKS:
        masses = dict.fromkeys(("positive", "neutral", "negative"), counted["quality"] / 3)
        for agent in VIEWS:
            if agent in reports and knows(reports[agent][outlook]):
                for name, share in reports[agent][outlook].items():
                    masses[name] += counted[agent] * share
        if sum(masses.values()) == 0.0:
            masses = dict.fromkeys(masses, 1.0)
        scale = sum(masses.values())
        pooled[outlook] = {name: round(mass / scale, 4) for name, mass in masses.items()}
    return pooled


def knows(stance: Mapping[str, float]) -> bool:
    """Whether a view says anything: three equal shares are no vote for a quiet market."""
    return max(stance.values()) - min(stance.values()) > _EQUAL


def direction(stance: Mapping[str, float]) -> Direction:
    """`positive` or `negative` where one leads the other by ten points, else `neutral`."""
    lead = stance["positive"] - stance["negative"]
    return "positive" if lead > _MARGIN else "negative" if lead < -_MARGIN else "neutral"


def within_reach(draft: Draft, pooled: Mapping[Outlook, Shares]) -> Draft:
    """The arbiter's summary, with the weighted mean's direction wherever it names one out of reach."""
    kept = draft.copy()
    for name in OUTLOOKS:
        lead = pooled[name]["positive"] - pooled[name]["negative"]
        leads = (lead - REACH, lead, lead + REACH)
        if draft[name] not in {direction({"positive": one, "negative": 0.0}) for one in leads}:
            kept[name] = direction(pooled[name])
    return kept


def clashes(reports: Reports) -> dict[tuple[str, str], list[Outlook]]:
    """Every contradiction: the outlooks over which one agent is positive and the other negative.

    Returns:
        Outlooks by (agent that is positive, agent that is negative).
    """
    found: dict[tuple[str, str], list[Outlook]] = {}
    for outlook in OUTLOOKS:
        views = {agent: direction(reports[agent][outlook]) for agent in VIEWS if agent in reports}
        for bull, up in views.items():
            for bear, down in views.items():
                if up == "positive" and down == "negative":
                    found.setdefault((bull, bear), []).append(outlook)
    return found


def agreements(reports: Reports) -> list[tuple[Outlook, Direction, list[str]]]:
    """(outlook, direction, agents) wherever two or more agents with a view see the same clear direction."""
    found: list[tuple[Outlook, Direction, list[str]]] = []
    ways: tuple[Direction, ...] = ("positive", "negative")
    for outlook in OUTLOOKS:
        views = {agent: direction(reports[agent][outlook]) for agent in VIEWS if agent in reports}
        for way in ways:
            agents = [agent for agent, view in views.items() if view == way]
            if len(agents) > 1:
                found.append((outlook, way, agents))
    return found
