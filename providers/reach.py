"""Cheap questions put before a library is imported: does anybody answer, and does it have the model?"""

from __future__ import annotations

import importlib.util
import os
import socket
import ssl
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from providers.answer_size import hooks
from providers.deadlines import within
from providers.errors import DeadlineError, RetryableError, UnavailableError, error_of_status, short
from providers.settings import is_local

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


def connection(url: str) -> dict[str, Any]:
    """How any client of httpx reaches a server.

    A proxy from the environment is for the world outside, never for this machine's own server. Certificates
    take a fiftieth of a second to load: once a process, and only where there is TLS to check; elsewhere
    nothing may lead from the address to one that has it.
    """
    secure = url.startswith("https:")
    verify = _certificates(*map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR"))) if secure else False
    return {"trust_env": not is_local(url), "verify": verify, "follow_redirects": secure}


@lru_cache(maxsize=2)
def _certificates(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Those of the environment, which httpx reads by itself; its values stand here for a later change."""
    return httpx.create_ssl_context()


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
        with httpx.Client(timeout=seconds, event_hooks=hooks(model), **connection(url)) as client:
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
