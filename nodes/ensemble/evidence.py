"""The evidence as prompts show it, and the rows of it that a summary may cite.

Each agent builds its own rows (`Agent.rows`); the same plain JSON feeds a model's prompt and the rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nodes.ensemble.agent import TRACE
from nodes.ensemble.agents import AGENTS


def candidates(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every row a summary may cite as contributor, its score and prediction computed by its agent's code.

    The score says how strongly the row speaks, 0–1: a forecast's confidence; the larger of recession or no
    recession; one half plus half the tone of news, the less the fewer there are; a source's factor of trust.
    """
    found = (agent.cites(row) for agent in AGENTS.values() for row in evidence[agent.name])
    return [row for row in found if row is not None]


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as a prompt shows them: one JSON object a line, without the trace back to the file."""
    return "\n".join(
        json.dumps(_shown(row), ensure_ascii=False, separators=(", ", ": "), allow_nan=False) for row in rows
    )


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(part) for key, part in value.items() if key not in TRACE and part is not None}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    return value
