"""Any OpenAI-compatible server: its entry, its key, and whether it answers.

| variable | server it belongs to |
| --- | --- |
| `OPENAI_API_KEY` | that of `OPENAI_BASE_URL`, else api.openai.com; openrouter.ai if it is one of theirs |
| `OPENROUTER_API_KEY` | openrouter.ai |
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from providers.entry import Provider, lazily
from providers.errors import UnavailableError
from providers.keys import same_server
from providers.reach import ask_json, reach
from providers.reference import Reference
from providers.settings import ProviderSettings, is_local

OPENAI_KEY = "OPENAI_API_KEY"
OPENROUTER_KEY = "OPENROUTER_API_KEY"
OPENAI = "https://api.openai.com/v1"


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


def _is_openrouter(url: str) -> bool:
    parts = urlsplit(url)
    return (parts.scheme, parts.hostname, parts.port or 443) == ("https", "openrouter.ai", 443)


def probe_openai(reference: Reference, settings: ProviderSettings) -> str:
    """Whether there is a key and a server; gives the key.

    Raises:
        UnavailableError: `missing_key`, `foreign_key` or `unreachable`.
    """
    key = openai_key(reference, settings)
    reach(settings.openai_url, model=str(reference), seconds=settings.probe_seconds)
    return key


def health(reference: Reference, settings: ProviderSettings) -> str:
    """The server's address, if it answers and takes the key.

    Raises:
        ProviderError: as `probe_openai`, or the server answers with another error.
    """
    url = settings.openai_url
    key = openai_key(reference, settings)
    ask_json("GET", f"{url}/models", model=str(reference), seconds=settings.probe_seconds, key=key)
    return url


PROVIDER = Provider(
    name="openai",
    models=None,
    sample="openai:MODEL",
    about="any OpenAI-compatible server: `OPENAI_BASE_URL`, with `OPENAI_API_KEY` or `OPENROUTER_API_KEY`",
    sends="the prompts, to that server",
    hosted=True,
    probe=probe_openai,
    open=lazily("providers.clients.openai"),
    health=health,
    address=lambda settings: settings.openai_base_url,
    content=None,
    window=None,
    local=lambda settings: is_local(settings.openai_url),
)
