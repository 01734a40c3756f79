"""Who holds a run: one invocation of a graph, from its first event until it ends, whichever way it ends.

A node that raises, a client that cancels, a reader who breaks the stream off, a limit of steps: LangGraph
tells the callbacks of the graph, and the run is free for others at once. A thread that is still at work then,
since nobody can stop it, writes its event and keeps nothing.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langgraph.config import get_config

from record.record import release_all

ENDED = "ended"
"""In the place of an invocation that has ended."""


class Invocations(BaseCallbackHandler):
    """Knows to which invocation of a graph each node belongs; when one ends, its runs are let go.

    It belongs to the compiled graph: `builder.compile(...).with_config(callbacks=[invocations])`.
    """

    run_inline = True  # in order, and without a thread for each step; nothing here takes time

    def __init__(self) -> None:
        self._roots: dict[UUID, UUID] = {}

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """A graph, a node or a step of one begins; what has no parent we know is an invocation."""
        self._roots[run_id] = run_id if parent_run_id is None else self._roots.get(parent_run_id, run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """One of them is done."""
        self._ended(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """One of them raised, was cancelled or was broken off."""
        self._ended(run_id)

    def invocation(self, step: UUID | None) -> str | None:
        """The invocation that a step belongs to; None when it has ended."""
        root = None if step is None else self._roots.get(step)
        return None if root is None else str(root)

    def _ended(self, run_id: UUID) -> None:
        if self._roots.pop(run_id, None) != run_id:
            return
        # Steps that were cancelled never end.
        for step in [step for step, root in list(self._roots.items()) if root == run_id]:
            self._roots.pop(step, None)
        release_all(str(run_id))


invocations = Invocations()


def holder() -> str | None:
    """The invocation at work here, inside a node; `ENDED` where it has ended meanwhile.

    None where the graph does not tell of its end: whoever started it holds the run.
    """
    callbacks = get_config().get("callbacks")
    if invocations not in getattr(callbacks, "handlers", ()):
        return None
    return invocations.invocation(getattr(callbacks, "parent_run_id", None)) or ENDED
