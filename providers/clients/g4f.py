"""Free hosted models, by g4f: explicit providers only.

g4f is GPL-3.0 and loaded only when a chain names it and the network answers.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import aiohttp
import g4f.debug
import g4f.errors
from g4f.client.factory import create_custom_provider
from g4f.Provider import ProviderLoader
from g4f.providers.response import FinishReason, Reasoning, Usage
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from providers.chat_model import OpenedModel
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
from providers.reference import Reference
from providers.request import Request
from providers.settings import ProviderSettings

g4f.debug.version_check = False  # or it asks the network for its newest version

SHOW_SCHEMA = True
"""Few of these services know `response_format`."""

LONGEST_ANSWER = 200_000
_NAMES = {"human": "user", "ai": "assistant", "system": "system"}


class G4FChat(BaseChatModel):
    """A chat model answered by the first of its g4f providers that does.

    Attributes:
        reference: for errors.
        providers: (g4f provider or base URL, the model's name there), tried in order.
        temperature: sampling; None where it is refused.
        seconds: deadline of all of them together; each gets an equal part of what is left.
    """

    reference: str
    providers: list[tuple[str, str]]
    temperature: float | None
    seconds: float

    @property
    def _llm_type(self) -> str:
        return "g4f"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        conversation = [{"role": _NAMES[m.type], "content": str(m.content)} for m in messages]
        end = time.monotonic() + self.seconds
        for position, (provider, name) in enumerate(self.providers):
            share = (end - time.monotonic()) / (len(self.providers) - position)
            try:
                return self._ask(provider, name, conversation, share)
            except ProviderError:
                if position + 1 == len(self.providers):
                    raise
        raise UnavailableError("unreachable", model=self.reference, address="g4f")

    def _ask(
        self, provider: str, name: str, conversation: list[dict[str, str]], seconds: float
    ) -> ChatResult:
        async def collect() -> ChatResult:
            return await asyncio.wait_for(_collect(provider, name, conversation, self.temperature), seconds)

        try:
            # In its own thread, since a provider may block its loop, where no asyncio deadline is heard.
            return within(lambda: asyncio.run(collect()), model=self.reference, seconds=seconds)
        except DeadlineError:
            raise
        except Exception as error:
            # g4f's providers follow web sites: any change there surfaces as any exception, among them
            # UnboundLocalError for an HTML page. Each becomes a typed error, none is dropped.
            raise typed(error, self.reference, seconds) from error


async def _collect(
    provider: str, name: str, conversation: list[dict[str, str]], temperature: float | None
) -> ChatResult:
    if provider.startswith(("http://", "https://")):
        service = create_custom_provider(provider, name="OwnServer", default_model=name, models=[name])
    else:
        service = ProviderLoader.from_name(provider)
    text: list[str] = []
    thoughts: list[str] = []
    usage: UsageMetadata | None = None
    finish = ""
    length = 0
    sampling = {} if temperature is None else {"temperature": temperature}
    async for part in service.create_async_generator(name, conversation, stream=True, **sampling):
        if isinstance(part, str):
            text.append(part)
            length += len(part)
        elif isinstance(part, Reasoning):
            thoughts.append(part.token or "")
            length += len(part.token or "")
        elif isinstance(part, Usage):
            counts = part.get_dict()
            prompt, answer = counts.get("prompt_tokens"), counts.get("completion_tokens")
            if isinstance(prompt, int) and isinstance(answer, int):
                usage = UsageMetadata(input_tokens=prompt, output_tokens=answer, total_tokens=prompt + answer)
        elif isinstance(part, FinishReason):
            finish = str(part.reason or "")
        if length > LONGEST_ANSWER:
            raise g4f.errors.ResponseError("endless answer")
    message = AIMessage(
        "".join(text),
        additional_kwargs={"reasoning_content": "".join(thoughts)},
        response_metadata={"finish_reason": finish},
        usage_metadata=usage,
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def typed(error: Exception, model: str, seconds: float) -> ProviderError:
    """The typed error for whatever a g4f provider raises."""
    detail = short(error) or type(error).__name__
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, TimeoutError | asyncio.TimeoutError | g4f.errors.TimeoutError):
        return DeadlineError("time_out", model=model, seconds=round(seconds, 1))
    # Most of its kinds of error hold the server's status and words as one text.
    if status := re.match(r"(?:Response|Error) ([45]\d\d)\b", detail):
        return error_of_status(int(status.group(1)), model=model, detail=detail)
    if isinstance(error, g4f.errors.PaymentRequiredError):
        return RefusedError("payment_required", model=model, detail=detail)
    if isinstance(error, g4f.errors.RateLimitError):
        return RetryableError("rate_limited", model=model, detail=detail)
    if isinstance(error, g4f.errors.MissingAuthError | g4f.errors.CloudflareError):
        return RefusedError("unauthorized", model=model, detail=detail)
    if isinstance(error, g4f.errors.BadRequestError):
        return RefusedError("bad_request", model=model, status=400, detail=detail)
    if isinstance(error, g4f.errors.MissingRequirementsError):
        return UnavailableError("not_installed", model=model, package="g4f")
    if isinstance(error, g4f.errors.ModelNotFoundError | g4f.errors.ModelNotAllowedError):
        return RefusedError("unknown_remote_model", model=model, detail=detail)
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return UnavailableError("unreachable", model=model, address=detail)
    if isinstance(error, g4f.errors.ResponseError | aiohttp.ClientError | OSError):
        return RetryableError("server_error", model=model, status=0, detail=detail)
    return RetryableError("malformed_answer", model=model, detail=f"{type(error).__name__}: {detail}")


def open_model(
    reference: Reference, answering: list[tuple[str, str]], request: Request, settings: ProviderSettings
) -> OpenedModel:
    """A client for the model's providers that answer now."""
    model = G4FChat(
        reference=str(reference),
        providers=answering,
        temperature=None if "temperature" in settings.without else settings.temperature,
        seconds=settings.hosted_seconds,
    )
    return OpenedModel(
        model=model,
        show_schema=SHOW_SCHEMA,
        droppable=frozenset({"temperature", "system"}),
        system_role="system" not in settings.without,
        total_seconds=settings.hosted_seconds,
        idle_seconds=settings.hosted_seconds,
    )
