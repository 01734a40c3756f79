"""`threadx doctor`: which models answer, and what to do about the others."""

from __future__ import annotations

from nodes.ask import provider_settings
from nodes.context import EnsembleContext
from nodes.ensemble.agents import AGENTS
from prompts import Words
from providers.health import check_all
from threadx.runner import make_context, writable
from threadx.terminal import Terminal

# Providers that no default chain uses; a reader wants to know of them all the same.
OTHERS = ("openai:MODEL", "embedded:smollm2")


def doctor(words: Words, home: str | None, language: str, debug: bool) -> None:
    """Every reference that a role may use, and whether it answers."""
    cycle = make_context(home=home, language=language)
    ensemble = EnsembleContext(home=cycle.home)
    writable(cycle.home_path)
    uses: dict[str, list[str]] = {}
    chains = {role: getattr(cycle, role) for role in ("analyst", "strategist", "validator")}
    chains |= {role: ensemble.chain(role) for role in (*AGENTS, "arbiter")}
    for role, chain in chains.items():
        for reference in chain:
            uses.setdefault(reference, []).append(role)
    for reference in OTHERS:
        uses.setdefault(reference, [])
    found = check_all([list(uses)], provider_settings(cycle))
    Terminal(words).checks(
        words("command.doctor_title"),
        [
            (health.ok, words(health.text_key, **health.fields), ", ".join(uses[health.reference]))
            for health in found
        ],
    )
