"""Keys from the environment. Each belongs to one server and is sent to no other, whoever names an address.

| variable | server |
| --- | --- |
| `OPENAI_API_KEY` | that of `OPENAI_BASE_URL`, else api.openai.com; openrouter.ai if it is one of theirs |
| `OPENROUTER_API_KEY` | openrouter.ai |
| `OLLAMA_API_KEY` | that of `OLLAMA_HOST`, else ollama.com |
"""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from providers.errors import UnavailableError
from providers.reference import Reference
from providers.settings import ProviderSettings, is_local

OPENAI_KEY = "OPENAI_API_KEY"
OPENROUTER_KEY = "OPENROUTER_API_KEY"
OLLAMA_KEY = "OLLAMA_API_KEY"

OPENAI = "https://api.openai.com/v1"
OLLAMA = "https://ollama.com"

_PORTS = {"http": 80, "https": 443}


def openai_key(reference: Reference, settings: ProviderSettings) -> str:
    """The key for an OpenAI-compatible server; empty where none is needed, as on one's own network.

    Raises:
        UnavailableError: `missing_key` for a server that is not local; `foreign_key` where there is one,
            but for another server.
    """
    url = settings.openai_url
    key = os.environ.get(OPENAI_KEY, "").strip()
    variable = OPENAI_KEY
    if _is_openrouter(url):
        variable = OPENROUTER_KEY
        key = os.environ.get(variable, "").strip() or (key if key.startswith("sk-or-") else "")
    elif key and not same_server(url, belongs := os.environ.get("OPENAI_BASE_URL") or OPENAI):
        if not is_local(url):
            raise UnavailableError(
                "foreign_key", model=str(reference), address=url, variable=OPENAI_KEY, belongs=belongs
            )
        key = ""
    if not key and not is_local(url):
        raise UnavailableError("missing_key", model=str(reference), address=url, variable=variable)
    return key


def keep_ollama_key(settings: ProviderSettings) -> Callable[[httpx.Request], None]:
    """An httpx hook for Ollama's client, which by itself sends `OLLAMA_API_KEY` to any server."""
    allowed = ProviderSettings(ollama_base_url=os.environ.get("OLLAMA_HOST") or OLLAMA).ollama_url
    sent = f"Bearer {os.environ.get(OLLAMA_KEY, '')}"

    def kept(request: httpx.Request) -> None:
        if request.headers.get("Authorization") == sent and not same_server(str(request.url), allowed):
            del request.headers["Authorization"]

    return kept


def same_server(one: str, other: str) -> bool:
    """Whether two URLs name the same scheme, host and port."""
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url.strip())
    return parts.scheme.lower(), parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower())


def _is_openrouter(url: str) -> bool:
    parts = urlsplit(url)
    return (parts.scheme, parts.hostname, parts.port or 443) == ("https", "openrouter.ai", 443)
