"""What the agents' policies share: words of the schemas, stances, names of agents.

A policy is an agent without a model: deterministic, over the same evidence, in the same schema. It is the
baseline that a model must beat. Every sentence is worded from the evidence's own figures through the text
catalogue, so that both languages tell the same.
"""

from __future__ import annotations

from nodes.ensemble.schemas import Level, Regime, Stance
from prompts import Words
from prompts.texts import catalogue

EXPANSION: Regime = "expansion_modérée"
DISINFLATION: Regime = "désinflation"
CONTRACTION: Regime = "contraction"
UNCERTAIN: Regime = "incertain"
LOW: Level = "low"
MEDIUM: Level = "medium"
HIGH: Level = "high"


def stance(positive: float, neutral: float, negative: float) -> Stance:
    """Probabilities from masses; four decimals that add up to 1."""
    total = positive + neutral + negative
    up, down = round(positive / total, 4), round(negative / total, 4)
    return Stance(positive=up, neutral=round(max(1.0 - up - down, 0.0), 4), negative=down)


def opened(sentence: str) -> str:
    """A sentence with a capital at its beginning, whatever name stands there."""
    return sentence[:1].upper() + sentence[1:]


def agent_name(name: str, words: Words) -> str:
    """An agent as a reader is told of it; one without a text of its own goes by its name."""
    if name == "arbiter":
        return words("ensemble.agent.arbiter")
    known = catalogue("agents", words.language)
    return known.get(f"{name}.name") or words("ensemble.agent.other", name=name)
