"""The evidence as prompts show it, and the rows of it that a summary may cite.

Each agent builds its own rows (`Agent.rows`); the same plain JSON feeds a model's prompt and the rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from nodes.ensemble.agent import TRACE
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.types import ArbiterEvidence, Candidate, Forecasted, Outlook, Report, Shares
from prompts import Language, Words


def candidates(evidence: Mapping[str, Any]) -> list[Candidate]:
    """Every row a summary may cite as contributor, its score and prediction computed by its agent's code.

    The score says how strongly the row speaks, 0–1: a forecast's confidence; the larger of recession or no
    recession; one half plus half the tone of news, the less the fewer there are; a source's factor of trust.
    """
    return [
        # What a plugin's row has besides is its own rationale's to tell.
        cast(
            Candidate,
            {"id": found["id"], "source": agent.cites.source, "model": agent.cites.made_by, **found},
        )
        for agent in AGENTS.values()
        if agent.cites is not None
        for row in evidence[agent.name]
        if (found := agent.cites.row(row)) is not None
    ]


def arbiter_evidence(
    evidence: Mapping[str, Any],
    reports: dict[str, Report],
    pooled: dict[Outlook, Shares],
    instruments: Forecasted,
    language: Language,
) -> ArbiterEvidence:
    """What the arbiter's rules go by: reports, their weighted mean, rows to cite, and the agents' figures."""
    found: ArbiterEvidence = {
        "language": language,
        "reports": reports,
        "pooled": pooled,
        "instruments": instruments,
        "candidates": candidates(evidence),
    }
    facts = {name: fact for one in AGENTS.values() for name, fact in one.facts(evidence[one.name]).items()}
    return cast(ArbiterEvidence, {**found, **facts})


def lines(rows: Iterable[object]) -> str:
    """Rows as a prompt shows them: one JSON object a line, without the trace back to the file."""
    return "\n".join(
        json.dumps(_shown(row), ensure_ascii=False, separators=(", ", ": "), allow_nan=False) for row in rows
    )


def fenced(rows: Iterable[Mapping[str, Any]], hour: str, words: Words) -> str:
    """Rows between two marks, which nobody who wrote a part of them can know.

    The mark is the hash of all the rows and the hour: the same question has the same mark, so a run can be
    replayed and the cache answers. Whoever writes a headline would have to know every other row of the hour
    to the letter, and to find a text that holds the hash of itself among them (some 2⁶⁴ tries).
    """
    told = lines(rows)
    mark = hashlib.sha256(f"{hour}\x00{told}".encode()).hexdigest()[:16]
    return words("ensemble.fence.data", mark=mark, rows=told)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(part) for key, part in value.items() if key not in TRACE and part is not None}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    return value
