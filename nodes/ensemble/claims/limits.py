"""The limits that code knows: silent agents, missing or stale sources, refused rows, what was removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from nodes.context import RULES
from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.claims.silences import reasons_of, was_asked
from nodes.ensemble.policies.pooling import OUTLOOKS, QUORUM, direction, factors, knows, pool
from nodes.ensemble.policies.words import agent_name, opened
from nodes.ensemble.quality import IssueRow, SourceRow, is_source, told_as
from nodes.ensemble.state import Consultation, EnsembleState, reports_of
from nodes.ensemble.types import Memory, Notices
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


class Limit(NamedTuple):
    """One limit.

    Attributes:
        code: what it is and whom it concerns (`source_stale.news`); the same from hour to hour, while the
            figures in its sentence move.
        text: its sentence.
    """

    code: str
    text: str


def known_limits(state: EnsembleState, words: Words, removed: Removed, memory: Memory | None) -> list[Limit]:
    """The limits that code knows, gravest first; `MOST` at most, then how many more.

    Args:
        state: of the graph.
        words: of the reader.
        removed: what the check cost.
        memory: what the models of the hour may remember; None where there is nothing to tell.
    """
    found: list[Limit] = []

    def tell(code: str, about: str = "", **fields: Any) -> None:
        found.append(Limit(f"{code}.{about}" if about else code, words(f"ensemble.limit.{code}", **fields)))

    turns = state["agents"]
    speaking = [agent for agent in AGENTS if turns[agent]["status"] == "answered"]
    if len(speaking) < QUORUM:
        tell("quorum", speaking=len(speaking), agents=len(AGENTS))
    if state["sample"]:
        tell("sample", date=words.day(state["hour"]))
    if memory is not None and (label := memory["label"]) != "after":
        told = [
            f"{model} ({words.day(one['until'])})" if one["until"] else model
            for model, one in memory["models"].items()
            if one["label"] == label
        ]
        tell(f"memory_{label}", models=words.join(told))
    for agent in AGENTS:
        name = opened(agent_name(agent, words))
        if failure := turns[agent].get("failure"):
            tell("failed", agent, agent=name, failure=failure)
        elif turns[agent]["status"] != "answered":
            tell("silent", agent, agent=name, reason=_silence(turns[agent], words))
    reports = reports_of(state)
    if state["draft"] is not None and not any("risk_level" in report for report in reports.values()):
        tell("risk_unfounded")
    found += _by_rules(state, words)
    found += _sources(state, words)
    for agent in AGENTS:
        if turns[agent]["brought_back"]:
            tell("brought_back", agent, agent=agent_name(agent, words))
    for agent, report in reports.items():
        for outlook, horizon in OUTLOOKS.items():
            if agent in VIEWS and not knows(report[outlook]):
                name = opened(agent_name(agent, words))
                over = words(f"ensemble.horizon.{horizon}")
                tell("no_view", f"{agent}.{horizon}", agent=name, horizon=over)
    found += _departures(state, words)
    for code, count in (
        ("removed", removed.rows),
        ("removed_sentences", removed.sentences),
        ("completed", removed.completed),
    ):
        if count:
            tell(code, count=count)
    found += _readings(state["notices"], words)
    if len(found) > MOST:
        more = words("ensemble.limit.more", count=len(found) - MOST + 1)
        found = [*found[: MOST - 1], Limit("more", more)]
    return [Limit(limit.code, shortened(limit.text)) for limit in found]


def shortened(sentence: str) -> str:
    """A sentence within `LONGEST`, cut between two words."""
    return sentence if len(sentence) <= LONGEST else f"{sentence[: LONGEST - 1].rsplit(' ', 1)[0]}…"


def _silence(turn: Consultation, words: Words) -> str:
    """Why an agent says nothing."""
    if turn["status"] == "no_data":
        return words("ensemble.limit.reason_no_data")
    return reasons_of(turn["provenance"], words)


def _by_rules(state: EnsembleState, words: Words) -> list[Limit]:
    """Where rules stood in, and for each model that did not answer the reason; or that rules were chosen."""
    turns = {**{agent: state["agents"][agent] for agent in AGENTS}, "arbiter": state["arbiter"]}
    asked = {role: turn["provenance"] for role, turn in turns.items() if turn["provenance"]}
    by_reason: dict[str, list[str]] = {}
    for role, provenance in asked.items():
        if turns[role]["status"] == "answered" and turns[role]["degraded"]:
            by_reason.setdefault(reasons_of(provenance, words), []).append(role)
    if not by_reason:
        chosen = bool(asked) and all(one["model"] == RULES for one in asked.values())
        return [Limit("rules_chosen", words("ensemble.limit.rules_chosen"))] if chosen else []
    if all(role in roles for roles in by_reason.values() for role in asked) and not any(
        was_asked(attempt) for one in asked.values() for attempt in one["attempts"]
    ):
        (reasons,) = by_reason
        return [Limit("rules_all", words("ensemble.limit.rules_all", reasons=reasons))]
    return [
        Limit(
            f"rules.{'+'.join(roles)}",
            words(
                "ensemble.limit.rules",
                agents=_of(words("ensemble.limit.everyone"), words)
                if len(roles) == len(turns)
                else words.join([_of(agent_name(role, words), words) for role in roles]),
                reasons=reasons,
            ),
        )
        for reasons, roles in by_reason.items()
    ]


def _of(name: str, words: Words) -> str:
    """In whose place: French says the preposition before each."""
    return words("ensemble.limit.in_place_of", name=name)


def _sources(state: EnsembleState, words: Words) -> list[Limit]:
    rows: list[SourceRow | IssueRow] = state["evidence"]["quality"]
    return [
        Limit(
            f"source_{flag}.{row['symbol']}",
            words(
                f"ensemble.limit.source_{told_as(flag, row['symbol'])}",
                source=words(f"ensemble.source.{row['symbol']}"),
                hours=words.number(row["age_hours"] or 0.0, 0),
                rows=row["rows"],
                refused=row["refused"],
                share=words.percent(row["contradictory_share"], 0),
            ),
        )
        for row in rows
        if is_source(row)
        for flag in row["flags"]
        if flag != "incomplete"  # the figures themselves are named below
    ]


def _departures(state: EnsembleState, words: Words) -> list[Limit]:
    """Where the arbiter says otherwise than the weighted mean of the agents."""
    draft = state["draft"]
    reports = reports_of(state)
    if draft is None or not reports:
        return []
    pooled = pool(reports, factors(state["evidence"]["quality"]), state["record"])
    said = state["arbiter"]["report"] or draft
    found = []
    for name, horizon in OUTLOOKS.items():
        if said[name] != (mean := direction(pooled[name])):
            code = "departure" if draft[name] == said[name] else "out_of_reach"
            told = words(
                f"ensemble.limit.{code}",
                horizon=words(f"ensemble.horizon.{horizon}"),
                said=words(f"ensemble.value.{said[name]}"),
                mean=words(f"ensemble.value.{mean}"),
            )
            found.append(Limit(f"{code}.{horizon}", told))
    return found


def _readings(notices: Notices, words: Words) -> list[Limit]:
    found: list[Limit] = []

    def tell(code: str, about: str = "", **fields: Any) -> None:
        found.append(Limit(f"{code}.{about}" if about else code, words(f"ensemble.limit.{code}", **fields)))

    if absent := notices["absent_figures"]:
        told = ", ".join(words(f"ensemble.figure.{name}") for name in absent)
        tell("absent", "+".join(absent), figures=told)
    if missing := notices["missing_files"]:
        tell("missing_files", "+".join(missing), files=", ".join(missing))
    if few := notices.get("few_sectors"):
        sectors = [f"{words(f'ensemble.sector.{name}')} ({count})" for name, count in few.items()]
        tell("few_sectors", "+".join(few), sectors=words.join(sectors), known=notices["sector_news"])
    for code in ("doubtful", "quarantined"):
        if notices[code]:
            tell(code, count=notices[code])
    for problem in notices["problems"]:
        where = problem["file"] if problem["row"] is None else f"{problem['file']} #{problem['row']}"
        what = words(f"market.problem.{problem['code']}", reason=problem["reason"])
        tell("problem", where, where=where, what=what)
    if notices["more_problems"]:
        tell("more_problems", count=notices["more_problems"])
    return found
