"""`threadx models`: what a person decides about models."""

from __future__ import annotations

from nodes.seam.ask import provider_settings
from prompts import Words
from providers import habits, oversight, parse_reference
from providers.calls_log import CallsLog
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.writable import writable


def reset(words: Words, models: tuple[str, ...], home: str | None, language: str, debug: bool) -> None:
    """Close the circuit breakers of some models, or all open ones; what named ones refused is tried again."""
    context = make_context(home=home, language=language)
    settings = provider_settings(context)
    logs = writable(context.home_path) / "logs"
    named = [parse_reference(model) for model in models or CallsLog(logs).models(oversight.RECORD_SECONDS)]
    closed = [one for one in named if models or oversight.breaker_of(logs, one, settings).is_open]
    for reference in closed:
        oversight.reset(logs, str(reference))
        habits.forget(reference, settings)
    lines = [words("models.reset.closed", model=str(one)) for one in closed] or [words("models.reset.none")]
    Terminal(words).lines(lines)
