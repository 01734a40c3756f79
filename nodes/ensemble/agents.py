"""The agents of the ensemble. One takes a file here, its texts in both languages, and a line below."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from base.plugins import with_plugins
from nodes.ensemble.agent import Agent, collected

# By name, so that a line is all it takes; the order is that of reports, limits and prompts.
_OWN: tuple[Agent[Any], ...] = tuple(
    import_module(f"nodes.ensemble.{name}").AGENT
    for name in (
        "technical",
        "macro",
        "sentiment",
        "quality",
    )
)

AGENTS: dict[str, Agent[Any]] = collected(with_plugins("agents", _OWN, collected, texts="agents"))
"""Every agent by its name."""

WEIGHED: tuple[Agent[Any], ...] = tuple(sorted(AGENTS.values(), key=lambda agent: -agent.weight))
"""Every agent, the one that counts most first."""

VIEWS: dict[str, str] = {agent.name: agent.reads for agent in WEIGHED if agent.reads is not None}
"""Agents with a view on markets, and the source each one reads; in the order of their weights."""
