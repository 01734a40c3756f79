"""What the providers are told: addresses, sampling, deadlines, cache."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from providers.errors import UnknownModelError

Parameter = Literal["response_format", "stream_options", "temperature", "seed", "system"]
"""What a model may refuse, and can do without; `system` is the role of the first message."""


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """Plain settings of every provider.

    Attributes:
        ollama_base_url: where Ollama listens; `host`, `host:port` or a URL, as OLLAMA_HOST allows.
        openai_base_url: base URL of an OpenAI-compatible server, `/v1` included where it has one.
        g4f_base_url: empty, or a g4f API server of one's own that then answers every `g4f:` reference.
        temperature: 0 is the most repeatable.
        seed: given to the providers that take one.
        cache_path: SQLite file of cached answers; None turns the cache off.
        cache_seconds: time to live of a cached answer; 0 turns the cache off.
        hosted_seconds: deadline of one call to a service that others run.
        local_seconds: deadline of one call to a server of one's own or the embedded model.
        first_seconds: longest time until such a server's first token: it reads the prompt before.
        idle_seconds: longest time between two tokens from it.
        loading_seconds: how long it may take beside all that to load the model.
        probe_seconds: longest time to find out whether anybody answers.
        answer_tokens: room for the answer.
        thinking_tokens: further room where the model thinks first.
        logs: folder of the calls' log; None keeps none.
        model_files: folder whose GGUF files are listed; None for none.
        until: when the last answer is of use, on the clock of `providers.deadlines`; None for any time.
        run: name of the run, within which a failure for good is met once; empty for none.
        without: parameters that the model is known to refuse.
    """

    ollama_base_url: str = "http://127.0.0.1:11434"
    openai_base_url: str = "https://openrouter.ai/api/v1"
    g4f_base_url: str = ""
    temperature: float = 0.2
    seed: int = 0
    cache_path: Path | None = None
    cache_seconds: float = 0.0
    hosted_seconds: float = 30.0
    local_seconds: float = 900.0
    first_seconds: float = 600.0
    idle_seconds: float = 120.0
    loading_seconds: float = 300.0
    probe_seconds: float = 2.0
    answer_tokens: int = 4096
    thinking_tokens: int = 8192
    logs: Path | None = None
    model_files: Path | None = None
    until: float | None = None
    run: str = ""
    without: frozenset[Parameter] = frozenset()

    @property
    def ollama_url(self) -> str:
        """`ollama_base_url` as a full URL without a trailing slash.

        Raises:
            UnknownModelError: `bad_address`.
        """
        text = self.ollama_base_url.strip()
        url = server_url(text if "://" in text else f"http://{text}")
        parts = urlsplit(url)
        if parts.port is None and parts.scheme == "http" and not parts.path:
            url += ":11434"
        # 0.0.0.0 is what a server is told to listen on; a client has to name the machine itself.
        return url.replace("//0.0.0.0", "//127.0.0.1", 1)

    @property
    def openai_url(self) -> str:
        """`openai_base_url` as a full URL without a trailing slash.

        Raises:
            UnknownModelError: `bad_address`.
        """
        return server_url(self.openai_base_url)


def server_url(text: str) -> str:
    """An http or https URL without its trailing slash.

    Raises:
        UnknownModelError: `bad_address` for anything else.
    """
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, or a broken IPv6 literal
        usable = False
    if not usable:
        raise UnknownModelError("bad_address", address=text)
    return url


def is_local(url: str) -> bool:
    """Whether a URL names this machine or its private network, where servers need no key."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".local", ".lan", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
