"""Checkpoints and lessons in the shared database, in LangGraph's own tables. Needs the extra `postgres`."""

from __future__ import annotations

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.store.postgres import PostgresStore

from threadx.own_steps import OwnSteps

__all__ = ["PostgresStore", "SharedCycleSaver"]


class SharedCycleSaver(OwnSteps, PostgresSaver):
    """The steps of the graph itself, in the shared database."""
