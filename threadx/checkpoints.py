"""Where an interrupted run is taken up: the graph's checkpoints, in files or in the shared database."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph.store.sqlite import SqliteStore

from base import locks
from base.databases import make_private, noticed, put_aside_if_damaged
from base.reasons import because
from base.same import Same
from base.shared import database_of
from nodes.optimization.state import OptimizationInput, ReviewInput
from threadx.errors import ThreadxError


class PlainSerializer(JsonPlusSerializer):
    """Reads back plain values, LangGraph's own and the inputs of our graphs; nothing else comes to life.

    A data folder that somebody sent is data: LangGraph's serializer would import and call whatever a
    checkpoint names.
    """

    KINDS = frozenset({"null", "bytes", "bytearray", "msgpack"})
    """All that is ever written."""

    def __init__(self) -> None:
        super().__init__(allowed_msgpack_modules=(OptimizationInput, ReviewInput))
        self._packed = lru_cache(maxsize=64)(self._pack)
        self._name = lru_cache(maxsize=256)(lambda name: self._pack(Same(name)))

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """As LangGraph's, but each part of the state once: most stand in checkpoint after checkpoint.

        It rests on what LangGraph asks of nodes, that nobody changes a value in place.
        """
        if isinstance(obj, dict) and "channel_values" in obj:
            whole = {name: self._bytes(value) for name, value in obj.items() if name != "channel_values"}
            parts = {name: self._bytes(value) for name, value in obj["channel_values"].items()}
            return "msgpack", self._map({**whole, "channel_values": self._map(parts)})
        if isinstance(obj, dict | list):
            return "msgpack", self._packed(Same(obj))
        return super().dumps_typed(obj)

    def _bytes(self, value: Any) -> bytes:
        pack = self._packed if isinstance(value, dict | list) else self._pack
        return pack(Same(value))

    def _pack(self, value: Same[Any]) -> bytes:
        # What stands alone as another kind is plain msgpack inside of something.
        return super().dumps_typed([value.it])[1][1:]

    def _map(self, parts: Mapping[str, bytes]) -> bytes:
        """A map in msgpack: its length, then keys and values one after the other."""
        packed = (self._name(name) + value for name, value in parts.items())
        return struct.pack(">BI", 0xDF, len(parts)) + b"".join(packed)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value.

        Raises:
            ThreadxError: `foreign_checkpoint`, for what this program cannot have written.
        """
        if data[0] not in self.KINDS:
            raise ThreadxError("foreign_checkpoint", kind=data[0])
        return super().loads_typed(data)


class StepsSaver(SqliteSaver):
    """Keeps no writes of a step that works alone: the checkpoint after it, which follows at once, holds them.

    Those of parallel branches are kept, so that a branch that fails costs its sisters nothing, and so are
    interrupts, answers to them and errors. The graphs that are kept here have parallel branches by `Send`
    alone.
    """

    ALONE = "~__pregel_pull"
    """So begins the path of a task that an edge has led to, as LangGraph writes it."""

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """As LangGraph's."""
        special = any(channel in WRITES_IDX_MAP for channel, _ in writes)
        if special or not task_path.startswith(self.ALONE):
            super().put_writes(config, writes, task_id, task_path)


class _SetUp(Protocol):
    lock: Any

    def setup(self) -> None:
        """Make the tables, where there are none."""


Kind = TypeVar("Kind", bound=_SetUp)
G = TypeVar("G", bound=Pregel[Any, Any, Any, Any])


@contextmanager
def database(
    path: Path, kind: Callable[[sqlite3.Connection], Kind], isolation_level: Literal["DEFERRED"] | None
) -> Iterator[Kind]:
    """One of LangGraph's SQLite files; of processes that begin at the same time one makes its tables.

    A damaged file is put aside: a run whose checkpoints are gone is gone through again from its record.

    Raises:
        ThreadxError: `unusable_database`.
    """
    door = locks.lock(path.with_name(f".{path.name}.lock"))
    try:
        put_aside_if_damaged(path, door)
        make_private(path)
        connection = sqlite3.connect(
            path, check_same_thread=False, timeout=30, isolation_level=isolation_level
        )
    except sqlite3.Error as error:
        raise ThreadxError("unusable_database", path=str(path), reason=because(error)) from error
    lock: AbstractContextManager[Any] = nullcontext()
    try:
        # A killed process loses nothing this way; a power cut loses steps that are done again, and no file.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA trusted_schema=OFF")
        opened = kind(connection)
        lock = opened.lock
        with door:
            connection.execute("PRAGMA journal_mode=WAL")
            opened.setup()
        yield opened
    except sqlite3.DatabaseError as error:
        noticed(error, path)
        raise
    finally:
        with lock:  # a connection that is closed while another thread writes takes the process along
            connection.close()


@contextmanager
def checkpoints(home: Path) -> Iterator[BaseCheckpointSaver[str]]:
    """The checkpoints of a data folder, for as long as a run is at work."""

    def kind(connection: sqlite3.Connection) -> SqliteSaver:
        return StepsSaver(connection, serde=PlainSerializer())

    if (shared := database_of(home)) is not None:
        saver = partial(import_module("langgraph.checkpoint.postgres").PostgresSaver, serde=PlainSerializer())
        with shared.opened(saver, own=True) as opened:
            yield opened
        return
    with database(home / "checkpoints.sqlite", kind, isolation_level="DEFERRED") as found:
        yield found


def own_steps(graph: G) -> G:
    """The same graph, whose checkpoints are its own steps and not those of a subgraph inside one of them.

    A debate that was interrupted is held again from its first turn. Nobody is asked twice, for what was said
    stands in the run's record; and its turns would be half of what an iteration writes to disk. LangGraph's
    server, where a person looks at them, keeps them.
    """
    for name, node in graph.nodes.items():
        if isinstance(node.bound, Pregel):
            graph.nodes[name] = node.copy({"bound": node.bound.copy({"checkpointer": False})})
    return graph


@contextmanager
def lessons(home: Path) -> Iterator[BaseStore]:
    """What finished runs taught, for later ones."""
    if (shared := database_of(home)) is not None:
        with shared.opened(import_module("langgraph.store.postgres").PostgresStore, own=False) as opened:
            yield opened
        return
    with database(home / "memory.sqlite", SqliteStore, isolation_level=None) as found:
        yield found
