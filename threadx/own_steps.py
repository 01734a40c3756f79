"""Which steps of a run are kept as checkpoints, wherever they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata


class OwnSteps(BaseCheckpointSaver[str]):
    """Keeps the steps of the graph itself, not those of a subgraph inside one of them.

    A debate that was interrupted is held again from its first turn. Nobody is asked twice, for what was said
    stands in the run's record; and its turns would be half of what an iteration writes to disk.
    """

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint of the graph itself."""
        place = config["configurable"]
        if not place["checkpoint_ns"]:
            return super().put(config, checkpoint, metadata, new_versions)
        named = {name: place[name] for name in ("thread_id", "checkpoint_ns")}
        return {"configurable": {**named, "checkpoint_id": checkpoint["id"]}}

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what one node of the graph itself has done."""
        if not config["configurable"]["checkpoint_ns"]:
            super().put_writes(config, writes, task_id, task_path)
