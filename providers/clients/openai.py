"""Any OpenAI-compatible server, by langchain-openai."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import httpx
import openai
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from providers.answer_size import hooks
from providers.chat_model import OpenedModel
from providers.errors import (
    DeadlineError,
    ProviderError,
    RefusedError,
    RetryableError,
    UnavailableError,
    error_of_status,
    short,
)
from providers.notices import said_error
from providers.openai import PROVIDER
from providers.reach import connection
from providers.reference import Reference
from providers.request import Request
from providers.settings import Parameter, ProviderSettings

SHOW_SCHEMA = True
"""Most servers enforce `response_format` without showing it to the model; some ignore or refuse it."""


class CompatibleChat(ChatOpenAI):
    """ChatOpenAI that keeps the thoughts, which servers send beside the content under one of two names."""

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        raw = response if isinstance(response, dict) else response.model_dump(warnings=False)
        for generation, choice in zip(result.generations, raw["choices"], strict=True):
            _keep_thoughts(generation.message, choice["message"])
        return result

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type,
        base_generation_info: dict[str, Any] | None,
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        if made is not None and chunk.get("choices"):
            _keep_thoughts(made.message, chunk["choices"][0].get("delta") or {})
        return made


def _keep_thoughts(message: BaseMessage, said: Mapping[str, Any]) -> None:
    thoughts = said.get("reasoning_content") or said.get("reasoning")
    if isinstance(thoughts, str):
        message.additional_kwargs["reasoning_content"] = thoughts


def read_error(model: str) -> Callable[[httpx.Response], None]:
    """An httpx hook: an `error` in the place of the choices is a failure (OpenRouter's, with status 200).

    The client would only say that there are no choices.
    """

    def read(response: httpx.Response) -> None:
        kind = response.headers.get("Content-Type", "")
        if response.status_code != 200 or not kind.startswith("application/json"):
            return
        response.read()
        try:
            whole = response.json()
        except (ValueError, RecursionError):
            return  # the client tells what is wrong with it
        if isinstance(whole, dict) and whole.get("error") and not whole.get("choices"):
            raise said_error(whole["error"], model=model)

    return read


def open_model(reference: Reference, key: str, request: Request, settings: ProviderSettings) -> OpenedModel:
    """A client for the configured server.

    One's own server streams its answer, so that reading, silence and work have limits of their own. It does
    not say whether it has to load the model first, so the first token gets that time too.
    """
    local = PROVIDER.local(settings)
    seconds = settings.local_seconds + settings.loading_seconds if local else settings.hosted_seconds
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(request.schema)}}
    bounds = hooks(str(reference))
    client = httpx.Client(
        timeout=seconds,
        event_hooks={**bounds, "response": [*bounds["response"], read_error(str(reference))]},
        **connection(settings.openai_url) | {"follow_redirects": False},  # a key goes to its own server
    )
    model = CompatibleChat(
        model=reference.model,
        base_url=settings.openai_url,
        api_key=SecretStr(key or "none"),  # the client insists on one; a local server reads none
        temperature=None if "temperature" in settings.without else settings.temperature,
        seed=None if "seed" in settings.without else settings.seed,
        timeout=seconds,
        max_retries=0,  # retries are ours, and counted
        disable_streaming=not local,
        stream_usage=local and "stream_options" not in settings.without,
        use_responses_api=False,
        http_client=client,
        extra_body=None if "response_format" in settings.without else {"response_format": wanted},
    )
    return OpenedModel(
        model=model,
        show_schema=SHOW_SCHEMA,
        droppable=frozenset(get_args(Parameter)),
        guesses=True,
        system_role="system" not in settings.without,
        total_seconds=seconds,
        idle_seconds=settings.idle_seconds if local else seconds,
        first_seconds=settings.first_seconds + settings.loading_seconds if local else seconds,
        verify=lambda message: verify(message, reference),
        translate=lambda error: translate(error, reference, settings),
        close=client.close,
    )


def verify(message: AIMessage, reference: Reference) -> None:
    """Refuse a stream that stopped without its last piece.

    Raises:
        RetryableError: `malformed_answer`.
    """
    if not message.response_metadata.get("finish_reason"):
        raise RetryableError("malformed_answer", model=str(reference), detail="the stream has no last piece")


def translate(error: Exception, reference: Reference, settings: ProviderSettings) -> ProviderError | None:
    """The typed error for what the client raises; None if it is none of its own."""
    model = str(reference)
    if isinstance(error.__cause__, ProviderError):  # raised while the answer came in
        return error.__cause__
    if isinstance(error, openai.APITimeoutError):
        return DeadlineError("time_out", model=model, seconds=settings.hosted_seconds)
    if isinstance(error, openai.APIConnectionError):
        return UnavailableError("unreachable", model=model, address=settings.openai_url)
    if isinstance(error, openai.APIStatusError):
        return error_of_status(error.status_code, model=model, detail=error.message)
    if isinstance(error, openai.APIError) and error.body:  # in the midst of a stream
        return said_error(error.body, model=model)
    if isinstance(error, openai.LengthFinishReasonError):
        return RefusedError("answer_truncated", model=model)
    if isinstance(error, openai.OpenAIError):
        return RetryableError("malformed_answer", model=model, detail=short(error))
    # langchain-openai says with these that the server's answer is not what the protocol promises.
    if isinstance(error, ValueError | KeyError | TypeError | AttributeError | IndexError):
        return RetryableError("malformed_answer", model=model, detail=short(error))
    return None
