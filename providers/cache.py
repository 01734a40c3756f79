"""Answers of earlier identical calls.

LangChain's own caching hooks sit inside `generate`: they miss streams, keep invalid answers and do not tell a
hit. So the cache is asked beside the call, and only answers that proved valid are put in.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from base.secrets import masked_text
from providers.reference import Reference
from providers.registry import provider_of
from providers.request import Reply, Request
from providers.settings import ProviderSettings

now: Callable[[], float] = time.time
"""Seconds since 1970; tests put a clock of their own here."""


def recall(reference: Reference, request: Request, settings: ProviderSettings) -> Reply | None:
    """The kept answer to the same question by the same model with the same settings, if young enough.

    Raises:
        CacheError: the file is there but cannot be read.
    """
    path = settings.cache_path
    if path is None or settings.cache_seconds <= 0 or not path.exists():
        return None
    found: Reply | None = _store(settings).recall(*key(reference, request, settings))
    return found


def remember(reference: Reference, request: Request, reply: Reply, settings: ProviderSettings) -> None:
    """Keep a valid answer.

    Raises:
        CacheError: the file cannot be written.
    """
    if settings.cache_path is not None and settings.cache_seconds > 0:
        _store(settings).remember(*key(reference, request, settings), reply)


def key(reference: Reference, request: Request, settings: ProviderSettings) -> tuple[str, str]:
    """What must be equal for two calls to be the same: (hash of the question, the model and its settings)."""
    question = json.dumps(
        [request.system, request.user, request.closing, request.schema], sort_keys=True, ensure_ascii=False
    )
    provider = provider_of(reference)
    model = {
        "model": str(reference),
        "address": masked_text(provider.address(settings)),
        "temperature": settings.temperature,
        "seed": settings.seed,
    }
    if provider.content is not None:
        model["content"] = provider.content(reference)
    return hashlib.sha256(question.encode()).hexdigest(), json.dumps(model, sort_keys=True)


def _store(settings: ProviderSettings) -> Any:
    path = settings.cache_path
    assert path is not None
    try:
        file = path.stat().st_ino
    except OSError:
        return _made(path, settings.cache_seconds)  # not there yet, or no longer: its table has to be made
    return _opened(path, settings.cache_seconds, file)


@lru_cache(maxsize=8)
def _opened(path: Path, seconds: float, file: int) -> Any:
    """The store of one file, as long as it is the same file: agents in parallel need not make it each."""
    return _made(path, seconds)


def _made(path: Path, seconds: float) -> Any:
    # langchain-community takes a second to import: not before there is something to look up or to keep.
    return import_module("providers.answer_store").AnswerStore(path, seconds=seconds, now=lambda: now())
