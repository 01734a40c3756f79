"""What the models of an hour may remember of what followed it.

A model that was asked at its hour cannot have read what came. In an hour made later it may have, if its
training data reach so far. What the agents said is in the weighted mean and before the arbiter's eyes:
whoever of them remembers is in both.
"""

from __future__ import annotations

from nodes.ensemble.scores.stances import ARBITER, POOL, hour_of
from nodes.ensemble.types import Memory, ModelMemory, Stances
from providers.training import Knowledge, cut_off, knowledge

_GRAVEST: tuple[Knowledge, ...] = ("within", "unknown", "after")


def memory_of(line: Stances, voice: str = ARBITER) -> Knowledge | None:
    """What may be remembered in what a voice said; None where no model spoke, or all was said at its hour.

    Args:
        line: of stances.
        voice: the arbiter stands for the whole summary.
    """
    if line["live"]:
        return None
    day = hour_of(line).date()
    found = {knowledge(model, day) for model in _models(line, voice)}
    return next((one for one in _GRAVEST if one in found), None)


def memories(line: Stances) -> Memory | None:
    """The label of an hour, and of each of its models with the end of its training data; None without one."""
    if (label := memory_of(line)) is None:
        return None
    day = hour_of(line).date()
    told: dict[str, ModelMemory] = {}
    for model in sorted(set(_models(line, ARBITER))):
        until = cut_off(model)
        if (one := knowledge(model, day)) is not None:
            told[model] = {"label": one, "until": until.isoformat() if until else None}
    return {"label": label, "models": told}


def _models(line: Stances, voice: str) -> list[str]:
    """The models whose words are in what a voice said."""
    heard = line["voices"] if voice in (POOL, ARBITER) else (voice,)
    asked = (line["voices"][one]["model"] for one in heard if voice == ARBITER or one != ARBITER)
    return [model for model in asked if model and model != "rules"]
