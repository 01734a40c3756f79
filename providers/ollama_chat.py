"""Ollama, by langchain-ollama."""

from __future__ import annotations

import json

import httpx
import ollama
import pydantic
from langchain_core.messages import AIMessage
from langchain_ollama import ChatOllama

from providers.errors import (
    DeadlineError,
    ProviderError,
    RefusedError,
    RetryableError,
    UnavailableError,
    error_of_status,
    short,
)
from providers.opened import OpenedModel
from providers.probe import OllamaModel, not_pulled
from providers.reference import Reference
from providers.request import Request, estimate_tokens
from providers.settings import ProviderSettings, is_local

SHOW_SCHEMA = True
"""`format` constrains the letters but shows the model no word of the schema, and some models ignore it."""

SMALLEST_CONTEXT = 4096


def open_model(
    reference: Reference, facts: OllamaModel, request: Request, settings: ProviderSettings
) -> OpenedModel:
    """A client whose context window holds the prompt and the answer.

    The window is a power of two: Ollama loads a model anew whenever the window changes.

    Raises:
        RefusedError: `prompt_too_long` for the model.
    """
    prompt = prompt_tokens(request)
    answer = settings.answer_tokens + (settings.thinking_tokens if facts.thinks else 0)
    context = SMALLEST_CONTEXT
    while context < prompt + answer:
        context *= 2
    if facts.context_length is not None and context > facts.context_length:
        context = facts.context_length
        if prompt + settings.answer_tokens > context:
            raise RefusedError("prompt_too_long", model=str(reference), tokens=prompt, context=context)
    model = ChatOllama(
        model=reference.model,
        base_url=settings.ollama_url,
        num_ctx=context,
        num_predict=min(answer, context - prompt),
        temperature=settings.temperature,
        seed=settings.seed,
        format=dict(request.schema),
        # Asking a model that cannot think to do so is an error; None leaves the parameter out.
        reasoning=True if facts.thinks else None,
        keep_alive=settings.keep_alive,
        client_kwargs={
            "timeout": httpx.Timeout(settings.idle_seconds, connect=settings.probe_seconds),
            "trust_env": not is_local(settings.ollama_url),
        },
    )
    return OpenedModel(
        model=model,
        show_schema=SHOW_SCHEMA,
        total_seconds=settings.local_seconds,
        idle_seconds=settings.idle_seconds,
        verify=lambda message: verify(message, prompt, context, reference),
        translate=lambda error: translate(error, reference, settings),
        close=model._client.close,  # ChatOllama has no method for it
    )


def prompt_tokens(request: Request) -> int:
    """About how many tokens the conversation has."""
    return sum(
        estimate_tokens(str(message.content)) + 8 for message in request.messages(show_schema=SHOW_SCHEMA)
    )


def verify(message: AIMessage, expected: int, context: int, reference: Reference) -> None:
    """Refuse an answer to a prompt that the server cut, and a stream that stopped without its last line.

    Ollama cuts silently. A cut prompt shows in its count of prompt tokens: it fills the window, or is far
    below what the text must have.

    Args:
        message: the answer.
        expected: estimated tokens of the prompt.
        context: tokens of the window.
        reference: for errors.

    Raises:
        RefusedError: `prompt_truncated`.
        RetryableError: `malformed_answer`.
    """
    if "done_reason" not in message.response_metadata:
        raise RetryableError("malformed_answer", model=str(reference), detail="the stream has no last line")
    usage = message.usage_metadata
    counted = usage["input_tokens"] if usage else 0
    # A count of zero says nothing: some versions leave out what they had in their own cache.
    if counted and (counted >= context or counted < expected / 4):
        raise RefusedError(
            "prompt_truncated", model=str(reference), counted=counted, expected=expected, context=context
        )


def translate(error: Exception, reference: Reference, settings: ProviderSettings) -> ProviderError | None:
    """The typed error for what the client raises; None if it is none of its own."""
    model, url = str(reference), settings.ollama_url
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
        return UnavailableError("unreachable", model=model, address=url)
    if isinstance(error, httpx.TimeoutException):
        return DeadlineError("stalled", model=model, seconds=settings.idle_seconds)
    if isinstance(error, httpx.TransportError):
        return RetryableError("server_error", model=model, status=0, detail=short(error))
    if isinstance(error, ollama.ResponseError):
        if error.status_code == 404:
            return not_pulled(reference, settings)
        # An error inside a stream has no status: the server failed after it had begun.
        status = error.status_code if error.status_code >= 400 else 500
        return error_of_status(status, model=model, detail=error.error)
    if isinstance(error, json.JSONDecodeError | pydantic.ValidationError):
        return RetryableError("malformed_answer", model=model, detail=short(error))
    if isinstance(error, ValueError) and str(error).startswith(("No data received", "No generation chunks")):
        return RetryableError("empty_answer", model=model)
    return None
