"""Checkpoints and lessons in the shared database, in LangGraph's own tables. Needs the extra `postgres`."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.store.postgres import PostgresStore
from psycopg import Connection

from threadx.checkpoints import OwnSteps, PlainSerializer


class SharedCycleSaver(OwnSteps, PostgresSaver):
    """The steps of the graph itself, in the shared database."""


def saver(connection: Connection[Any]) -> SharedCycleSaver:
    """The checkpoints behind a connection."""
    return SharedCycleSaver(connection, serde=PlainSerializer())


def store(connection: Connection[Any]) -> PostgresStore:
    """The lessons behind a connection."""
    return PostgresStore(connection)
