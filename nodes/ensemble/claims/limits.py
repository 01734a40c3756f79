"""The limits that code knows: silent agents, missing or stale sources, refused rows, what was removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nodes.context import RULES
from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.policies.pooling import OUTLOOKS, QUORUM, direction, factors, knows, pool
from nodes.ensemble.policies.words import agent_name, opened
from nodes.ensemble.state import EnsembleState, reports_of
from prompts import Words

MOST = 15
LONGEST = 320


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What the check cost the draft.

    Attributes:
        rows: contributors that no evidence carries.
        sentences: sentences that named something nobody gave, rationales included.
        completed: rows and sentences that code put in where too few were left.
    """

    rows: int = 0
    sentences: int = 0
    completed: int = 0


def known_limits(state: EnsembleState, words: Words, removed: Removed) -> list[str]:
    """One sentence a limit, gravest first; `MOST` at most, then how many more."""
    found: list[str] = []
    turns = state["agents"]
    speaking = [agent for agent in AGENTS if turns[agent]["status"] == "answered"]
    if len(speaking) < QUORUM:
        found.append(words("ensemble.limit.quorum", speaking=len(speaking), agents=len(AGENTS)))
    if state["sample"]:
        found.append(words("ensemble.limit.sample", date=state["hour"][:10]))
    for agent in AGENTS:
        if failure := turns[agent].get("failure"):
            silent = words("ensemble.limit.failed", agent=agent_name(agent, words), failure=failure)
            found.append(silent[0].upper() + silent[1:])
        elif turns[agent]["status"] != "answered":
            reason = words(f"ensemble.limit.reason_{turns[agent]['status']}")
            silent = words("ensemble.limit.silent", agent=agent_name(agent, words), reason=reason)
            found.append(silent[0].upper() + silent[1:])
    by_rules = [
        agent for agent in AGENTS if turns[agent]["status"] == "answered" and turns[agent]["degraded"]
    ]
    if state["arbiter"]["degraded"]:
        by_rules.append("arbiter")
    answered = [turn["provenance"] for turn in (*turns.values(), state["arbiter"]) if turn["provenance"]]
    if not by_rules and answered and all(provenance["model"] == RULES for provenance in answered):
        found.append(words("ensemble.limit.rules_chosen"))
    if by_rules:
        if len(by_rules) == len(AGENTS) + 1:
            found.append(words("ensemble.limit.rules_all"))
        else:
            agents = words.join([agent_name(agent, words) for agent in by_rules])
            found.append(words("ensemble.limit.rules", agents=agents))
    found += _sources(state, words)
    found += [
        words("ensemble.limit.brought_back", agent=agent_name(agent, words))
        for agent in AGENTS
        if turns[agent]["brought_back"]
    ]
    found += [
        words(
            "ensemble.limit.no_view",
            agent=opened(agent_name(agent, words)),
            horizon=words(f"ensemble.horizon.{horizon}"),
        )
        for agent, report in reports_of(state).items()
        for outlook, horizon in OUTLOOKS.items()
        if agent in VIEWS and not knows(report[outlook])
    ]
    found += _departures(state, words)
    if removed.rows:
        found.append(words("ensemble.limit.removed", count=removed.rows))
    if removed.sentences:
        found.append(words("ensemble.limit.removed_sentences", count=removed.sentences))
    if removed.completed:
        found.append(words("ensemble.limit.completed", count=removed.completed))
    found += _readings(state["notices"], words)
    if len(found) > MOST:
        found = [*found[: MOST - 1], words("ensemble.limit.more", count=len(found) - MOST + 1)]
    return [sentence[:LONGEST] for sentence in found]


def _sources(state: EnsembleState, words: Words) -> list[str]:
    return [
        words(
            f"ensemble.limit.source_{flag}",
            source=words(f"ensemble.source.{row['symbol']}"),
            hours=words.number(row["age_hours"] or 0.0, 0),
            rows=row["rows"],
            refused=row["refused"],
            share=words.percent(row["contradictory_share"], 0),
        )
        for row in state["evidence"]["quality"]
        for flag in row.get("flags", ())
        if flag != "incomplete"  # the figures themselves are named below
    ]


def _departures(state: EnsembleState, words: Words) -> list[str]:
    """Where the arbiter says otherwise than the weighted mean of the agents."""
    draft = state["draft"]
    reports = reports_of(state)
    if draft is None or not reports:
        return []
    pooled = pool(reports, factors(state["evidence"]["quality"]), state["record"])
    said = state["arbiter"]["report"] or draft
    return [
        words(
            f"ensemble.limit.{'departure' if draft[name] == said[name] else 'out_of_reach'}",
            horizon=words(f"ensemble.horizon.{OUTLOOKS[name]}"),
            said=words(f"ensemble.value.{said[name]}"),
            mean=words(f"ensemble.value.{direction(pooled[name])}"),
        )
        for name in OUTLOOKS
        if said[name] != direction(pooled[name])
    ]


def _readings(notices: dict[str, Any], words: Words) -> list[str]:
    found = []
    if notices["absent_figures"]:
        figures = ", ".join(words(f"ensemble.figure.{name}") for name in notices["absent_figures"])
        found.append(words("ensemble.limit.absent", figures=figures))
    if notices["missing_files"]:
        found.append(words("ensemble.limit.missing_files", files=", ".join(notices["missing_files"])))
    if notices["doubtful"]:
        found.append(words("ensemble.limit.doubtful", count=notices["doubtful"]))
    if notices["quarantined"]:
        found.append(words("ensemble.limit.quarantined", count=notices["quarantined"]))
    for problem in notices["problems"]:
        where = problem["file"] if problem["row"] is None else f"{problem['file']} #{problem['row']}"
        what = words(f"market.problem.{problem['code']}", reason=problem["reason"])
        found.append(words("ensemble.limit.problem", where=where, what=what))
    if notices["more_problems"]:
        found.append(words("ensemble.limit.more_problems", count=notices["more_problems"]))
    return found
