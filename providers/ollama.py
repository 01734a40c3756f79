"""Ollama: its entry, and the questions put to its server before the client is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.entry import Provider, lazily
from providers.errors import RefusedError, RetryableError, UnavailableError
from providers.gguf import token_bytes
from providers.reach import ask_json
from providers.reference import Reference
from providers.settings import ProviderSettings, is_local


@dataclass(frozen=True)
class OllamaModel:
    """What an Ollama server says of a model.

    Attributes:
        context_length: tokens the model was trained for, or None when it does not say.
        thinks: whether it can keep its thoughts apart; asking others to is an error there.
        version: the server's; empty when it does not say.
        token_bytes: memory that one token of the window takes; 0 where it does not say.
        loaded: tokens of the window with which it is in memory now; None where it is not, or nothing is said.
    """

    context_length: int | None
    thinks: bool
    version: tuple[int, ...] = ()
    token_bytes: int = 0
    loaded: int | None = None


def probe_ollama(reference: Reference, settings: ProviderSettings) -> OllamaModel:
    """Whether Ollama answers and has the model.

    Raises:
        UnavailableError: `unreachable` or `model_not_pulled`.
        ProviderError: the server answers with another error.
    """
    url = settings.ollama_url
    try:
        shown = ask_json(
            "POST",
            f"{url}/api/show",
            model=str(reference),
            seconds=settings.probe_seconds,
            body={"model": reference.model},
        )
    except RefusedError as error:
        if error.code == "unknown_remote_model":
            raise not_pulled(reference, settings) from None
        raise
    except UnavailableError:
        raise UnavailableError("unreachable", model=str(reference), address=url) from None
    facts = shown.get("model_info") or {}
    length = facts.get(f"{facts.get('general.architecture')}.context_length")
    return OllamaModel(
        context_length=length if isinstance(length, int) else None,
        thinks="thinking" in (shown.get("capabilities") or ()),
        version=_ollama_version(reference, settings),
        token_bytes=token_bytes(facts, str(facts.get("general.architecture"))),
        loaded=loaded_windows(reference, settings).get(reference.model),
    )


def loaded_windows(reference: Reference, settings: ProviderSettings) -> dict[str, int]:
    """The models in the server's memory now, with their windows; 0 where an old server names none.

    Raises:
        UnavailableError: `unreachable`.
    """
    try:
        said = ask_json(
            "GET", f"{settings.ollama_url}/api/ps", model=str(reference), seconds=settings.probe_seconds
        )
    except (RefusedError, RetryableError):
        return {}
    found = said.get("models")
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return {str(one.get("name")): int(one.get("context_length") or 0) for one in entries}


def unload(settings: ProviderSettings) -> list[str]:
    """Have the server take every model out of memory; they are loaded again when they are next asked.

    Returns:
        Their names; none where no server runs.

    Raises:
        ProviderError: the server answers with an error.
    """
    try:
        names = sorted(loaded_windows(Reference("ollama", ""), settings))
    except UnavailableError:
        return []
    for name in names:
        ask_json(
            "POST",
            f"{settings.ollama_url}/api/generate",
            model=f"ollama:{name}",
            seconds=settings.probe_seconds,
            body={"model": name, "keep_alive": 0},
        )
    return names


def _ollama_version(reference: Reference, settings: ProviderSettings) -> tuple[int, ...]:
    """The server's version, `0.12.6-rc1` as (0, 12, 6); empty for one that has no such answer.

    Raises:
        UnavailableError: `unreachable`.
    """
    url = f"{settings.ollama_url}/api/version"
    try:
        said = ask_json("GET", url, model=str(reference), seconds=settings.probe_seconds).get("version")
    except (RefusedError, RetryableError):
        return ()
    found = re.match(r"\d+(?:\.\d+)*", said) if isinstance(said, str) else None
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def not_pulled(reference: Reference, settings: ProviderSettings) -> UnavailableError:
    """Ollama answers, but has no such model."""
    return UnavailableError(
        "model_not_pulled", model=str(reference), name=reference.model, address=settings.ollama_url
    )


def health(reference: Reference, settings: ProviderSettings) -> str:
    """The server's address, if it answers and has the model.

    Raises:
        ProviderError: as `probe_ollama`.
    """
    probe_ollama(reference, settings)
    return settings.ollama_url


PROVIDER = Provider(
    name="ollama",
    models=None,
    sample="ollama:gpt-oss:20b",
    about="`ollama serve`, then `ollama pull deepseek-r1:70b` (and `gpt-oss:20b`, `gemma3:27b`); another "
    "address: `OLLAMA_HOST`",
    sends="nothing, while the server is yours",
    hosted=False,
    probe=probe_ollama,
    open=lazily("providers.clients.ollama"),
    health=health,
    address=lambda settings: settings.ollama_base_url,
    content=None,
    window=lambda facts: facts.context_length,
    local=lambda settings: is_local(settings.ollama_url),
)
