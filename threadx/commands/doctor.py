"""`threadx doctor`: which models answer, and what to do about the others."""

from __future__ import annotations

import click

from nodes.ask import provider_settings
from nodes.context import EnsembleContext, OptimizationContext
from prompts import Words
from providers.health import check_all
from threadx.commands import options
from threadx.runner import make_context, writable
from threadx.terminal import Terminal

EMBEDDED = "embedded:smollm2"


def command(words: Words) -> click.Command:
    """Build the command."""

    @options.local_command("doctor", words)
    @options.common(words)
    def doctor(home: str | None, language: str, debug: bool) -> None:
        cycle = make_context(home=home, language=language)
        ensemble = EnsembleContext(home=cycle.home)
        writable(cycle.home_path)
        uses: dict[str, list[str]] = {}
        for context, roles in (
            (cycle, ("analyst", "strategist", "validator")),
            (ensemble, ("technical", "macro", "sentiment", "quality", "arbiter")),
        ):
            for role in roles:
                for reference in getattr(context, role):
                    uses.setdefault(reference, []).append(role)
        uses.setdefault(EMBEDDED, [])
        found = check_all([list(uses)], provider_settings(cycle))
        Terminal(words).table(
            words("command.doctor_title"),
            [words(f"command.doctor.{name}") for name in ("reference", "state", "remedy", "roles")],
            [
                [
                    health.reference,
                    words("command.doctor.ok" if health.ok else "command.doctor.absent"),
                    words(health.text_key, **health.fields),
                    ", ".join(uses[health.reference]) or "–",
                ]
                for health in found
            ],
        )

    return doctor
