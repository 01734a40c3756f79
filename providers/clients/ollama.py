"""Ollama, by langchain-ollama."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import httpx
import ollama
import pydantic
from langchain_core.messages import AIMessage
from langchain_ollama import ChatOllama

from providers.answer_size import hooks
from providers.chat_model import OpenedModel
from providers.clients.ollama_window import (
    KNOWS_TRUNCATE,
    SHOW_SCHEMA,
    Window,
    check_whole,
    prompt_tokens,
    refusal,
    whole_or_refused,
)
from providers.errors import (
    DeadlineError,
    ProviderError,
    RefusedError,
    RetryableError,
    UnavailableError,
    error_of_status,
    short,
)
from providers.keys import same_server
from providers.ollama import OllamaModel, not_pulled
from providers.reach import connection
from providers.reference import Reference
from providers.request import Request
from providers.schemas import answer_room
from providers.settings import ProviderSettings

SMALLEST_CONTEXT = 4096
SHORTEST_KEPT = 1800

_windows: dict[tuple[str, str], int] = {}
"""Tokens of the window last asked for, by server and model: older servers do not say what they hold."""

OLLAMA_KEY = "OLLAMA_API_KEY"
OLLAMA = "https://ollama.com"


def open_model(
    reference: Reference, facts: OllamaModel, request: Request, settings: ProviderSettings
) -> OpenedModel:
    """A client whose context window holds the prompt and the answer.

    Ollama loads a model anew whenever the window changes: it is a power of two, and one that is in memory
    keeps the window that it has there. A model with a short window gets as much room for the answer as the
    prompt leaves, if a full answer of this role fits in.

    Raises:
        RefusedError: `prompt_too_long` for the model.
    """
    prompt = prompt_tokens(request)
    answer = settings.answer_tokens + (settings.thinking_tokens if facts.thinks else 0)
    needed = min(answer_room(request.schema), settings.answer_tokens)
    thoughts = settings.thinking_tokens // 2 if facts.thinks else 0
    place = (settings.ollama_url, reference.model)
    # A name may have been given to another model since: what it can read is asked anew each time.
    context = facts.loaded or min(_windows.get(place, 0), facts.context_length or sys.maxsize)
    if context < prompt + needed + thoughts:
        context = SMALLEST_CONTEXT
        while context < prompt + answer:
            context *= 2
        context = min(context, facts.context_length or context)
    _windows[place] = context
    window = Window.of(reference, facts, request, context)
    # A server that refuses what does not fit is let decide: an estimate errs on the side of too many.
    certain = window.least if facts.version >= KNOWS_TRUNCATE else prompt
    if certain + needed > context:
        raise RefusedError("prompt_too_long", model=str(reference), tokens=prompt, context=context)
    bounds = hooks(str(reference))
    # A model that is not in memory with this window is loaded first, and that time is its own.
    loading = 0.0 if facts.loaded == context else settings.loading_seconds
    model = ChatOllama(
        model=reference.model,
        base_url=settings.ollama_url,
        num_ctx=context,
        num_predict=min(answer, max(context - prompt, needed)),
        temperature=settings.temperature,
        seed=settings.seed,
        format=None if "response_format" in settings.without else dict(request.schema),
        # Asking a model that cannot think to do so is an error; None leaves the parameter out.
        reasoning=True if facts.thinks else None,
        keep_alive=_kept(settings),
        client_kwargs={
            # The deadlines are watched outside; this one only frees the thread of a call given up.
            "timeout": httpx.Timeout(settings.local_seconds + loading, connect=settings.probe_seconds),
            **connection(settings.ollama_url),
        },
        sync_client_kwargs={
            "event_hooks": {
                **bounds,
                "request": [keep_ollama_key(settings), whole_or_refused, *bounds["request"]],
            }
        },
    )
    return OpenedModel(
        model=model,
        show_schema=SHOW_SCHEMA,
        droppable=frozenset({"response_format", "system"}),
        system_role="system" not in settings.without,
        window=context,
        total_seconds=settings.local_seconds + loading,
        idle_seconds=settings.idle_seconds,
        first_seconds=settings.first_seconds + loading,
        verify=lambda message: verify(message, window),
        translate=lambda error: translate(error, window, settings),
        close=model._client.close,  # ChatOllama has no method for it
    )


def _kept(settings: ProviderSettings) -> str:
    """How long the model stays in memory: as long as others of a run may take between two of its turns."""
    return f"{max(SHORTEST_KEPT, round(2 * (settings.local_seconds + settings.loading_seconds)))}s"


def keep_ollama_key(settings: ProviderSettings) -> Callable[[httpx.Request], None]:
    """An httpx hook for Ollama's client, which by itself sends `OLLAMA_API_KEY` to any server.

    The key belongs to the server of `OLLAMA_HOST`, else to ollama.com.
    """
    allowed = ProviderSettings(ollama_base_url=os.environ.get("OLLAMA_HOST") or OLLAMA).ollama_url
    sent = f"Bearer {os.environ.get(OLLAMA_KEY, '')}"

    def kept(request: httpx.Request) -> None:
        if request.headers.get("Authorization") == sent and not same_server(str(request.url), allowed):
            del request.headers["Authorization"]

    return kept


def verify(message: AIMessage, window: Window) -> None:
    """Refuse an answer to a prompt that the server cut, and a stream that stopped without its last line.

    Raises:
        RefusedError: `prompt_truncated`.
        RetryableError: `malformed_answer`.
    """
    if "done_reason" not in message.response_metadata:
        model = str(window.reference)
        raise RetryableError("malformed_answer", model=model, detail="the stream has no last line")
    usage = message.usage_metadata
    check_whole(usage["input_tokens"] if usage else 0, window)


def translate(error: Exception, window: Window, settings: ProviderSettings) -> ProviderError | None:
    """The typed error for what the client raises; None if it is none of its own."""
    model, url = str(window.reference), settings.ollama_url
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
        return UnavailableError("unreachable", model=model, address=url)
    if isinstance(error, httpx.TimeoutException):
        return DeadlineError("stalled", model=model, seconds=settings.idle_seconds)
    if isinstance(error, httpx.TransportError):
        return RetryableError("server_error", model=model, status=0, detail=short(error))
    if isinstance(error, ollama.ResponseError):
        if (refused := refusal(error.error, window)) is not None:
            return refused
        if error.status_code == 404:
            return not_pulled(window.reference, settings)
        # An error inside a stream has no status: the server failed after it had begun.
        status = error.status_code if error.status_code >= 400 else 500
        return error_of_status(status, model=model, detail=error.error)
    if isinstance(error, json.JSONDecodeError | pydantic.ValidationError):
        return RetryableError("malformed_answer", model=model, detail=short(error))
    return None
