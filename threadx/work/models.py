"""`threadx models`: which models are there, which fit this machine, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from base.reasons import told_known
from base.references import joined, listed, placed
from nodes.chosen import choose
from nodes.model_settings import provider_settings
from nodes.model_words import gib, traits
from prompts import Words
from providers import Health, ProviderSettings, check_all, habits, oversight, parse_reference
from providers.calls_log import CallsLog
from providers.embedded import check_file
from providers.installed import Installed, installed, ollama_names, suggestion
from providers.memory import model_bytes
from providers.ollama import PROVIDER as OLLAMA
from record.record import canonical_json
from threadx.errors import ThreadxError
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
    if forget and models is not None:
        raise ThreadxError("forget_with_models", models=models)
    context = make_context(home=home, language=language)
    taken, absent = _meant(listed(models or ""), provider_settings(context)) if not forget else ([], [])
    if not (forget or taken):
        raise ThreadxError("no_models")
    path = choose(writable(context.home_path), dict.fromkeys(roles or ROLES, taken or None))
    told = joined(taken) or words("models.use.forgotten")
    Terminal(words).lines(
        [
            *(words("models.use.role", role=_role(role, words), models=told) for role in roles or ROLES),
            words("models.use.kept", path=str(path)),
            *(words("models.use.absent", why=words(one.text_key, **one.fields)) for one in absent),
        ]
    )


def _meant(named: Sequence[str], settings: ProviderSettings) -> tuple[list[str], list[Health]]:
    """A chain of models by their full names, and those of them that would not answer now.

    Raises:
        ProviderError: a name names nothing, or a file that cannot be used.
        ThreadxError: `twice_in_chain`; `known_to_nobody`: without a provider, and Ollama lacks it.
    """
    full = [str(parse_reference(placed(one))) for one in named]
    for reference in full:
        check_file(reference)
        if full.count(reference) > 1:
            raise ThreadxError("twice_in_chain", model=reference)
    absent = [one for one in check_all([full], settings) if not one.ok]
    for given, reference in zip(named, full, strict=True):
        lacks = any(one.reference == reference and one.code == "model_not_pulled" for one in absent)
        if lacks and not given.lower().startswith(f"{OLLAMA.name}:"):
            there = ollama_names(settings)
            raise ThreadxError(
                "known_to_nobody",
                model=given,
                full=reference,
                address=settings.ollama_url,
                there=told_known(given, there),
            )
    return list(chain(full[0] if len(full) == 1 else full)), absent


def reset(words: Words, models: tuple[str, ...], home: str | None, language: str, debug: bool) -> None:
    """Close the circuit breakers of some models, or all open ones; what named ones refused is tried again."""
    context = make_context(home=home, language=language)
    settings = provider_settings(context)
    logs = writable(context.home_path) / "logs"
    asked = CallsLog(logs).models(oversight.RECORD_SECONDS)
    named = [parse_reference(placed(model)) for model in models or asked]
    for one in named:
        if str(one) not in asked and not habits.refused(one, settings):
            raise ThreadxError("never_asked", model=str(one), asked=told_known(str(one), asked))
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
    told = ", ".join([*size, *traits(one, words)]) or words("models.list.no_more")
    return words("models.list.line", model=one.reference, told=told)
