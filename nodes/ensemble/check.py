"""Node `check`: holds the draft against the evidence and decides whether it goes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from langgraph.runtime import Runtime

from feeds.news import GENERAL
from nodes.ensemble.agents import AGENTS, VIEWS
from nodes.ensemble.claims.claims import Known, agent_facts, strangers
from nodes.ensemble.claims.recommendations import recommendation_errors
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation.run_events import note
from nodes.ensemble.policies.evidence import candidates
from nodes.ensemble.policies.instruments import instruments_of
from nodes.ensemble.policies.pooling import OUTLOOKS, clashes, direction, factors, pool, weights
from nodes.ensemble.policies.words import agent_name
from nodes.ensemble.state import EnsembleState, reports_of
from nodes.ensemble.types import Candidate, Contributor, Draft, Report
from nodes.seam.free_text import Listener
from prompts import Prompt, Words
from record.events import SummaryChecked

_ROUNDING = 0.0051
"""Scores are shown with two decimals."""

SENTENCES: tuple[Literal["key_drivers", "tensions", "limits"], ...] = ("key_drivers", "tensions", "limits")
"""Fields of the summary that hold sentences, its advice apart."""


_COPIED: tuple[Literal["model", "score", "prediction"], ...] = ("model", "score", "prediction")
"""Fields of a contributor that must be those of its row."""


def check(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> EnsembleState:
    """Each contributor must be a row of evidence, each sentence must name only what was given."""
    context = EnsembleContext.of(runtime.context)
    draft, words = state["draft"], Words(context.language)
    if draft is None:
        return {"errors": [], "invented": {}, "verdict": "publish"}
    rows = contributor_errors(draft["contributors"], candidates(state["evidence"]), words)
    known = summary_facts(state, words)
    said = {**recited(draft, state["arbiter"]["prompt"], words), **sentence_errors(draft, known, words)}
    errors = [*rows.values(), *said.values()]
    if not draft["tensions"] and (unnamed := clashes(reports_of(state))):
        errors += [
            words("ensemble.check.tension", bull=agent_name(bull, words), bear=agent_name(bear, words))
            for bull, bear in unnamed
        ]
    invented: dict[str, list[int]] = {"contributors": list(rows)}
    for name, place in said:
        invented.setdefault(name, []).append(place)
    advice = recommendation_errors(draft, instruments_of(state), known, words)
    invented["recommendations"] = list(advice)
    answered = state["arbiter"]["status"] == "answered"
    # Bad advice alone goes back once: what is still bad then, code does without.
    times = context.corrections if errors else min(context.corrections, len(advice), 1)
    errors += [error for told in advice.values() for error in told]
    again = answered and len(state["turns"]) <= times
    verdict: Literal["publish", "revise"] = "revise" if again else "publish"
    turn = len(state["turns"])
    checked = SummaryChecked(verdict=verdict, errors=errors, invented=invented)
    note(state, context, f"t{turn}.check", "check", checked, turn)
    return {"errors": errors, "invented": invented, "verdict": verdict}


def summary_facts(state: EnsembleState, words: Words) -> Known:
    """What the summary may name: every row, the candidates' scores, the agents' figures and the arithmetic.

    The agents' sentences are not among it: a figure must come from a row, not from what somebody said of it.
    """
    evidence, reports = state["evidence"], reports_of(state)
    known = agent_facts((row for rows in evidence.values() for row in rows), state["hour"], words)
    for row in candidates(evidence):
        known.add(row["score"], row["symbol"] if row["symbol"] in known.by_symbol else None)
    for symbol, forecasts in instruments_of(state).items():
        if symbol != GENERAL:
            known.add_row({"symbol": symbol, "forecasts": [*forecasts.values()]}, words)
    trust = factors(evidence["quality"])
    known.add([pool(reports, trust, state["record"]), weights(reports, trust, state["record"])])
    known.add([state["coverage"], len(reports), state["notices"]["news"], state["notices"]["forecasts"]])
    known.add(state["notices"]["quarantined"])
    for report in reports.values():
        known.add([value for value in report.values() if isinstance(value, float | dict)])
    known.agents = _agent_counts(state, reports)
    return known


def _agent_counts(state: EnsembleState, reports: Mapping[str, Report]) -> frozenset[int]:
    """Every number of agents that a sentence may state: all, heard, silent, degraded, of one mind."""
    views = [agent for agent in VIEWS if agent in reports]
    ways = Counter((outlook, direction(reports[agent][outlook])) for outlook in OUTLOOKS for agent in views)
    degraded = sum(turn["degraded"] for turn in state["agents"].values())
    spoke = len(reports)
    return frozenset({len(AGENTS), spoke, len(AGENTS) - spoke, len(views), degraded, *ways.values()})


def sentence_errors(draft: Draft, known: Known, words: Words) -> dict[tuple[str, int], str]:
    """What is wrong with each sentence that names something nobody gave, by (field, place).

    The rationale of a contributor counts as a sentence of the field `rationale`.
    """
    sentences: list[tuple[str, int, str]] = [
        (name, place, text) for name in SENTENCES for place, text in enumerate(draft[name])
    ]
    sentences += [("rationale", place, row["rationale"]) for place, row in enumerate(draft["contributors"])]
    return {
        (name, place): words(
            "ensemble.check.stranger", field=name, place=place + 1, found=", ".join(found), text=text
        )
        for name, place, text in sentences
        if (found := strangers(text, known))
    }


def recited(draft: Draft, prompt: Mapping[str, str] | None, words: Words) -> dict[tuple[str, int], str]:
    """What is wrong with each sentence that recites or breaks off, by (field, place).

    Args:
        draft: the arbiter's answer.
        prompt: what it was asked; None where nobody was.
        words: of the reader.
    """
    if prompt is None:
        return {}
    # The reports that it reads are there to be told again: its own instructions are not.
    listener = Listener(
        Prompt(name=prompt["name"], language=words.language, system=prompt["system"], user="")
    )
    return {
        (name, place): words(f"nodes.unsaid.{listener.unsaid[-1].why}", words=text)
        for name in SENTENCES
        for place, text in enumerate(draft[name])
        if listener.says_nothing(text)
    }


def contributor_errors(
    contributors: Sequence[Contributor], rows: Sequence[Candidate], words: Words
) -> dict[int, str]:
    """What is wrong with each contributor that no row of evidence carries, by its place."""
    by_key = {(row["source"], row["symbol"], row["horizon"]): row for row in rows}
    found: dict[int, str] = {}
    seen = set()
    for place, given in enumerate(contributors):
        key = (given["source"], given["symbol"], given["horizon"])
        named = {"place": place + 1, "symbol": given["symbol"], "source": given["source"]}
        row = by_key.get(key)
        if row is None:
            horizons = _others(key, [*by_key])
            found[place] = words("ensemble.check.invented", horizon=given["horizon"], known=horizons, **named)
        elif key in seen:
            found[place] = words("ensemble.check.repeated", horizon=given["horizon"], **named)
        else:
            seen.add(key)
            differing = [
                name
                for name in _COPIED
                if (
                    abs(given["score"] - row["score"]) > _ROUNDING
                    if name == "score"
                    else given[name] != row[name]
                )
            ]
            if differing:
                figures = ", ".join(f"{name}={row[name]}" for name in differing)
                found[place] = words("ensemble.check.altered", figures=figures, **named)
    return found


def _others(key: tuple[str, str, str], rows: Sequence[tuple[str, str, str]]) -> str:
    """What the source does hold, to choose from: the symbol's horizons, else its symbols."""
    source, symbol, _ = key
    horizons = [row[2] for row in rows if row[:2] == (source, symbol)]
    symbols = dict.fromkeys(row[1] for row in rows if row[0] == source)
    return ", ".join(horizons or list(symbols)[:10]) or "–"
