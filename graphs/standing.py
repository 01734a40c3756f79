"""Where on its thread a run would continue, by the checkpoints that LangGraph keeps."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from record.record import RunRecord

BY_HAND = ("update", "fork")
"""Sources of checkpoints that no step of the graph made."""

CHECKPOINTER, READ, RUNTIME = "__pregel_checkpointer", "__pregel_read", "__pregel_runtime"
"""What LangGraph itself puts beside a caller's `configurable`: who keeps checkpoints, how a step reads the
state of the graph around it, and the runtime with the settings. It has no public way to ask for the first two
or to give the third to routers that `update_state` calls, and its own names for the keys are private."""

PLACE: tuple[str, ...] = ("thread_id", CHECKPOINTER)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where on its thread a run would continue.

    Attributes:
        values: the state there.
        left: whether steps are left to be done.
        checkpoint: its identity.
        before: identity of the predecessor of the last checkpoint that a step made; empty at the beginning.
        moved_past: the thread has gone on from it already.
        by_hand: identities from here back to that last checkpoint, where no step made the one here.
        changed: somebody has changed the thread's state by hand, wherever.
    """

    values: Mapping[str, Any]
    left: bool
    checkpoint: str
    before: str
    moved_past: bool
    by_hand: frozenset[str]
    changed: bool = False

    def is_another(self, record: RunRecord) -> bool:
        """Whether what goes on from here is another run than the one on record."""
        parent = record.about().get("parent")
        own = parent.get("checkpoint") if parent else None
        # A fork that stands where it began goes on as itself.
        return self.moved_past or bool(self.by_hand and own not in self.by_hand)


Lookup = Generator[RunnableConfig, StateSnapshot, Standing | None]


def thread_of(config: RunnableConfig | None) -> RunnableConfig:
    """Where a thread is kept, whatever place of it is meant."""
    asked = (config or {}).get("configurable", {})
    return {"configurable": {name: asked[name] for name in PLACE if name in asked}}


def standing(config: RunnableConfig) -> Lookup:
    """Asks for the states that tell where a thread stands: here, at its head, and back to the last step."""
    asked = config.get("configurable", {})
    place = thread_of(config)["configurable"]
    addressed = asked.get("checkpoint_id")
    if inside := asked.get("checkpoint_ns"):  # a step of a subgraph: of the graph itself the one around it
        addressed = (asked.get("checkpoint_map") or {}).get("")
    head = yield {"configurable": place}
    here = head
    if addressed:
        here = yield {"configurable": {**place, "checkpoint_id": addressed}}
    if here.created_at is None:
        return None
    last, by_hand = here, []
    while (last.metadata or {}).get("source") in BY_HAND and last.parent_config:
        by_hand.append(_identity(last.config))
        last = yield {"configurable": {**place, "checkpoint_id": _identity(last.parent_config)}}
    if by_hand:
        by_hand.append(_identity(last.config))
    return Standing(
        values=here.values if isinstance(here.values, Mapping) else {},
        left=bool(here.next),
        checkpoint=_identity(here.config),
        before=_identity(last.parent_config) if last.parent_config else "",
        moved_past=bool(inside) or _identity(here.config) != _identity(head.config),
        by_hand=frozenset(by_hand),
    )


def _identity(config: RunnableConfig) -> str:
    return str(config["configurable"]["checkpoint_id"])
