"""`threadx models`: which models are there, which fit this machine, and what a person decides about them."""

from __future__ import annotations

from dataclasses import asdict

from base.references import listed, placed
from nodes.chosen import choose
from nodes.model_words import gib, traits
from nodes.seam.ask import provider_settings
from prompts import Words
from providers import habits, oversight, parse_reference
from providers.calls_log import CallsLog
from providers.embedded import check_file
from providers.installed import Installed, installed, suggestion
from providers.memory import model_bytes
from record.record import canonical_json
from threadx.settings import chain, make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json
from threadx.writable import writable

ROLES = ("analyst", "strategist", "validator")


def listing(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """What could be asked now, with size, quantisation, window, whether it thinks and is loaded."""
    found, silent = installed(provider_settings(make_context(home=home, language=language)))
    if json_path != "-":
        lines = [_line(one, words) for one in found] or [words("models.list.none")]
        Terminal(words).lines([*lines, *(words.told(error) for error in silent)])
    write_json(canonical_json({"models": [asdict(one) for one in found]}), json_path)


def suggest(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """For each role the model that fits this machine's memory, and what choosing them would cost."""
    found, _ = installed(provider_settings(make_context(home=home, language=language)))
    memory, is_card = model_bytes()
    roles = suggestion(found, memory)
    kind = words(f"models.suggest.{'card' if is_card else 'machine'}")
    lines = [words("models.suggest.memory", kind=kind, size=gib(memory, words))]
    lines += [
        words(
            "models.suggest.role",
            role=words(f"report.role.{role}"),
            model=one.reference,
            size=gib(one.memory, words),
        )
        for role, one in roles.items()
    ]
    if not roles:
        lines.append(words("models.suggest.none"))
    else:
        lines.append(words(f"models.suggest.{'one' if len(set(roles.values())) == 1 else 'together'}"))
        models: dict[str, list[str]] = {}
        for role, one in roles.items():
            models.setdefault(one.reference, []).append(role)
        lines += [
            f"threadx models use {model} {' '.join(f'--role {role}' for role in named)}"
            for model, named in models.items()
        ]
    if json_path != "-":
        Terminal(words).lines(lines)
    told = {role: one.reference for role, one in roles.items()}
    write_json(canonical_json({"memory": memory, "card": is_card, "roles": told}), json_path)


def use(
    words: Words,
    models: str | None,
    roles: tuple[str, ...],
    forget: bool,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """Choose the models of some roles for every run: command, pages and Studio read the same file."""
    folder = writable(make_context(home=home, language=language).home_path)
    named = [] if forget or models is None else list(listed(models))
    taken = list(chain(named[0] if len(named) == 1 else named))
    taken = [placed(one) for one in taken]
    for reference in taken:
        parse_reference(reference)
        check_file(reference)
    path = choose(folder, dict.fromkeys(roles or ROLES, taken or None))
    told = ", ".join(taken) or words("models.use.forgotten")
    Terminal(words).lines(
        [
            *(words("models.use.role", role=_role(role, words), models=told) for role in roles or ROLES),
            words("models.use.kept", path=str(path)),
        ]
    )


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


def _role(role: str, words: Words) -> str:
    return words(f"report.role.{role}") if role in ROLES else words("models.use.ensemble")


def _line(one: Installed, words: Words) -> str:
    size = [gib(one.size, words)] if one.size is not None else []
    return words("models.list.line", model=one.reference, told=", ".join([*size, *traits(one, words)]) or "–")
