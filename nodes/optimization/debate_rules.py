"""The voices of the debate without a model: patience, counted in iterations without progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from nodes.optimization.turns import Claim, Turn
from prompts import Words, text

PATIENCE = {"validator": 2, "analyst": 3, "strategist": 4, "single": 3}
"""Idle iterations after which each voice wants to stop: the validator first, the strategist last."""


def idle_iterations(history: list[Mapping[str, Any]]) -> int:
    """Iterations since something was last adopted."""
    idle = 0
    for entry in reversed(history):
        if entry["adopted"] is not None:
            break
        idle += 1
    return idle


def speak(evidence: Mapping[str, Any]) -> Turn:
    """Stop once the target is reached or the voice's patience is at its end; else go on."""
    voice, score = evidence["voice"], evidence["champion"]["score"]
    idle = idle_iterations(evidence["history"])
    limit = PATIENCE[voice]
    reached = score >= evidence["target_score"]
    stance: Literal["continue", "stop"] = "stop" if reached or idle >= limit else "continue"
    key = "speak_reached" if reached else f"speak_{stance}"
    language = evidence["language"]
    told = text(
        f"optimization.rules.{key}", language, score=Words(language).number(score), idle=idle
    )
    return Turn(
        claims=[Claim(statement=told, evidence=["score", *evidence["last_iteration"]])],
        stance=stance,
        confidence=round(min(1.0, 0.5 + 0.15 * abs(idle - limit + 0.5)), 2),
    )
