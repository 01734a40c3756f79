"""Node `consensus`: counts the voices. It can end the search early; it cannot choose another champion."""

from __future__ import annotations

from langgraph.runtime import Runtime

from nodes.context import OptimizationContext
from nodes.optimization.speak import voices
from nodes.optimization.state import DebateState
from nodes.run_events import record
from record.events import Consensus
from record.types import Debate, Stance, Turn


def last_stances(turns: list[Turn], n_voices: int) -> list[Turn]:
    """The last turn of each voice that did not abstain."""
    return [turn for turn in turns[-n_voices:] if turn["stance"] is not None]


def consensus(state: DebateState, runtime: Runtime[OptimizationContext]) -> DebateState:
    """Stop only where most of all the voices say so: a tie or a silence goes on with the search."""
    context = OptimizationContext.of(runtime.context)
    iteration, turns = state["iteration"], state["turns"]
    n_voices = len(voices(context))
    spoken = last_stances(turns, n_voices)
    stops = [turn["voice"] for turn in spoken if turn["stance"] == "stop"]
    decision: Stance = "stop" if 2 * len(stops) > n_voices else "continue"
    dissent = [turn["voice"] for turn in spoken if turn["stance"] != decision]
    debate: Debate = {"iteration": iteration, "decision": decision, "turns": turns, "dissent": dissent}
    record(
        context,
        state["run_id"],
        f"i{iteration:02d}.consensus",
        "consensus",
        Consensus(
            decision=decision,
            dissent=dissent,
            silent=[turn["voice"] for turn in turns[-n_voices:] if turn["stance"] is None],
            rounds=len(turns) // n_voices,
            agreed=len({turn["stance"] for turn in spoken}) == 1,
        ),
        iteration=iteration,
        cites=[f"i{iteration:02d}.debate.{number}.turn" for number in range(1, len(turns) + 1)],
    )
    return {"debate": debate}
