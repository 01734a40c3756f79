"""The agents of the ensemble. A new one takes one file here, one prompt a language, and one line below."""

from __future__ import annotations

from importlib import import_module

from nodes.ensemble.agent import Agent

# By name, so that a line is all it takes; the order is that of reports, limits and prompts.
AGENTS: dict[str, Agent] = {
    name: import_module(f"nodes.ensemble.{name}").AGENT
    for name in (
        "technical",
        "macro",
        "sentiment",
        "quality",
    )
}

VIEWS: dict[str, str] = {
    agent.name: agent.reads
    for agent in sorted(AGENTS.values(), key=lambda agent: -agent.weight)
    if agent.reads is not None
}
"""Agents with a view on markets, and the source each one reads; in the order of their weights."""
