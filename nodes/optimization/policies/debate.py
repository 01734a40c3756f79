"""The voices of the debate without a model: patience, counted in iterations without progress."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.optimization.debate_schemas import Claim, Turn
from nodes.optimization.evidence.evidence import Evidence
from prompts import Words, text
from record.types import Iteration, Stance
from record.types import Turn as Spoken

LONGER = {"validator": -1, "analyst": 0, "strategist": 1, "single": 0}
"""Idle iterations beside the run's patience after which each voice wants to stop: the validator first."""


def idle_iterations(history: Sequence[Iteration]) -> int:
    """Iterations since something was last adopted."""
    idle = 0
    for entry in reversed(history):
        if entry["adopted"] is not None:
            break
        idle += 1
    return idle


def speak(evidence: Evidence) -> Turn:
    """Stop once the target is reached or the voice's patience is at its end; else go on.

    In a later round a voice that stands alone against surer ones gives way.
    """
    voice, score = evidence.voice, evidence.now["score"]
    idle = idle_iterations(evidence.history)
    limit = max(1, evidence.patience + LONGER[voice])
    reached = score >= evidence.target_score
    stance: Stance = "stop" if reached or idle >= limit else "continue"
    confidence = round(min(1.0, 0.5 + 0.15 * abs(idle - limit + 0.5)), 2)
    spoken = sum(turn["voice"] == voice for turn in evidence.turns)
    key = "reached" if reached else f"{stance}_again" if spoken else stance
    if not reached and _stands_alone(voice, stance, confidence, evidence.turns):
        stance = "continue" if stance == "stop" else "stop"
        key = "yields"
    reason = text(f"optimization.rules.speak_{key}", evidence.language, round=spoken + 1, idle=idle)
    told = f"{_view(evidence)} {reason}"
    return Turn(
        claims=[Claim(statement=told, evidence=[*evidence.cited])],
        stance=stance,
        confidence=confidence,
    )


def _view(evidence: Evidence) -> str:
    """What a voice looks at, each at something of its own: none repeats another word for word."""
    words, voice, trials = Words(evidence.language), evidence.voice, [*evidence.history][-1:]
    tested = [trial["score"] for entry in trials for trial in entry["trials"] if trial["score"] is not None]
    gain = evidence.now["score"] - evidence.champion["score"]
    key = f"{voice}_untested" if voice == "strategist" and not tested else voice
    if voice in ("analyst", "single") and gain:
        key += "_gained" if gain > 0 else "_lost"
    return text(
        f"optimization.rules.view_{key}",
        evidence.language,
        score=words.number(evidence.now["score"]),
        gain=words.number(abs(gain)),
        tried=len(evidence.tried),
        tested=len(tested),
        best=words.number(max(tested, default=None)),
    )


def _stands_alone(voice: str, stance: Stance, confidence: float, turns: Sequence[Spoken]) -> bool:
    """Whether the voice has spoken, and at least two others, all against it, one of them surer."""
    last = {turn["voice"]: turn for turn in turns}
    others = [turn for name, turn in last.items() if name != voice and turn["stance"] is not None]
    return (
        voice in last
        and len(others) > 1
        and all(turn["stance"] != stance for turn in others)
        and max(turn["confidence"] or 0.0 for turn in others) > confidence
    )
