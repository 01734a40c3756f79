"""One call to one model, with its deadline and its retries."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig

from base.secrets import masked_text
from providers import deadlines, faults, habits, opening
from providers.answer_size import LONGEST_ANSWER
from providers.chat_model import OpenedModel
from providers.deadlines import watched
from providers.errors import (
    LONGEST_WAIT,
    AnswerError,
    DeadlineError,
    ProviderError,
    RefusedError,
    RetryableError,
    short,
    whole_letters,
)
from providers.extraction import objects_in, split_thinking
from providers.notices import notice
from providers.reference import Reference
from providers.registry import provider_of
from providers.request import Reply, Request
from providers.settings import ProviderSettings
from providers.turns import turn

RETRY_SECONDS = (2.0, 4.0)
"""Waits before the second and the third try of a retryable error."""

_NEARLY = 2
"""Tokens that may be missing in a window that is full."""

_NO_PIECE = ("No data received", "No generation chunks")

REFUSED = "parameter_refused"
LOADING = "model_loading"
LOADING_PAUSE = 5.0
"""Wait between two questions to a server that loads the model."""

pause: Callable[[float], None] = time.sleep
"""Every wait between tries goes through here, so that tests need not wait."""

_HTML = re.compile(r"\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)


def call(
    reference: Reference,
    request: Request,
    settings: ProviderSettings,
    failed: Callable[[ProviderError, float], None],
    tries: int | None = None,
) -> Reply:
    """Ask one model, up to three times where trying again may help.

    A server that asks for a wait is given it, up to `LONGEST_WAIT`; one that loads the model is waited for,
    which is no try, for `settings.loading_seconds`.

    Args:
        reference: a model, not `rules`.
        request: the question.
        settings: addresses, sampling, deadlines.
        failed: told each error and how many seconds that try took, the last one included.
        tries: fewer than three, where a budget leaves no more; at least 1.

    Raises:
        ProviderError: the last try's error.
    """
    with turn(reference, settings):
        if (met := faults.known(reference, settings)) is not None:
            failed(met, 0.0)
            raise met
        try:
            return _tried(reference, request, settings, failed, tries)
        except ProviderError as error:
            faults.meet(reference, settings, error)
            raise


def _tried(
    reference: Reference,
    request: Request,
    settings: ProviderSettings,
    failed: Callable[[ProviderError, float], None],
    tries: int | None,
) -> Reply:
    """One model's answer after its retries, and without the parameters that it refuses."""
    known = without = habits.refused(reference, settings)
    waits = list(RETRY_SECONDS[: None if tries is None else max(0, tries - 1)])
    loading = 0.0
    while True:
        begun = time.perf_counter()
        try:
            reply = call_once(reference, request, replace(_in_time(reference, settings), without=without))
        except ProviderError as error:
            if error.code == REFUSED:
                delay, last, told = 0.0, False, True
                without |= {error.fields["parameter"]}
            elif error.code == LOADING:
                delay, loading = LOADING_PAUSE, loading + LOADING_PAUSE
                last, told = loading > settings.loading_seconds, loading == LOADING_PAUSE
            else:
                last, told = not error.retry or not waits, True
                delay = 0.0 if last else max(waits.pop(0), error.retry_after or 0.0)
            # Too long a wait, or a try that would come too late, is for the next model of the chain.
            last = last or delay > LONGEST_WAIT
            last = last or (settings.until is not None and deadlines.clock() + delay >= settings.until)
            if told or last:
                failed(error, time.perf_counter() - begun)
            if last:
                raise
        else:
            if without != known:
                with suppress(OSError):  # a full disk costs a refused call more, not the answer
                    habits.remember(reference, settings, without)
            return reply
        if delay:
            pause(delay)


def _in_time(reference: Reference, settings: ProviderSettings) -> ProviderSettings:
    """The settings with no longer a deadline than is left.

    Raises:
        DeadlineError: `no_time_left`.
    """
    if settings.until is None:
        return settings
    left = settings.until - deadlines.clock()
    if left <= 0.0:
        raise DeadlineError("no_time_left", model=str(reference))
    return replace(settings, hosted_seconds=min(settings.hosted_seconds, left))


def call_once(reference: Reference, request: Request, settings: ProviderSettings) -> Reply:
    """Ask one model once.

    Raises:
        ProviderError: no usable answer; see `providers.errors`.
    """
    begun = time.perf_counter()
    opened = opening.open_model(reference, request, settings)
    try:
        message = _complete(opened, reference, request)
    except RefusedError as error:
        if error.code != "bad_request":
            raise
        said = str(error.fields.get("detail", ""))
        parameter = habits.refused_parameter(
            said, opened.droppable - settings.without, guesses=opened.guesses
        )
        if parameter is None:
            raise
        raise RefusedError(
            "parameter_refused", model=str(reference), parameter=parameter, detail=said
        ) from error
    finally:
        opened.close()
    metadata = message.response_metadata
    ended = (metadata.get("done_reason") or metadata.get("finish_reason")) != "length"
    # Inside a grammar a model that has said everything may go on with blanks until its room ends.
    if not ended and not (re.search(r"}\s+\Z", str(message.text)) and _holds_an_object(str(message.text))):
        raise _cut_off(message, opened, reference)
    opened.verify(message)
    thoughts, text = split_thinking(masked_text(whole_letters(str(message.text))))
    kept_apart = masked_text(whole_letters(str(message.additional_kwargs.get("reasoning_content") or "")))
    thinking = "\n\n".join(part for part in (kept_apart.strip(), thoughts) if part)
    if text or not _holds_an_object(thinking):
        _refuse_pages_and_notices(text, reference, request)
    usage = message.usage_metadata
    return Reply(
        text=text if ended else f"{text}\n",
        thinking=thinking,
        prompt_tokens=usage["input_tokens"] if usage else None,
        answer_tokens=usage["output_tokens"] if usage else None,
        latency_seconds=time.perf_counter() - begun,
    )


def _cut_off(message: AIMessage, opened: OpenedModel, reference: Reference) -> RefusedError:
    """The error of an answer without its end: too long, or without room beside its prompt."""
    usage, window = message.usage_metadata, opened.window
    if usage and window is not None and usage["total_tokens"] >= window - _NEARLY:
        return RefusedError(
            "prompt_too_long", model=str(reference), tokens=usage["input_tokens"], context=window
        )
    return RefusedError("answer_truncated", model=str(reference))


def _complete(opened: OpenedModel, reference: Reference, request: Request) -> AIMessage:
    messages = request.messages(show_schema=opened.show_schema, system_role=opened.system_role)
    config = RunnableConfig(
        run_name=request.role,
        tags=[str(reference)],
        metadata={"model_reference": str(reference), "prompt_hash": request.prompt_hash},
    )

    def start() -> Iterator[AIMessageChunk | AIMessage]:
        yield from opened.model.stream(messages, config)

    whole: AIMessageChunk | AIMessage | None = None
    letters = 0
    try:
        for chunk in watched(
            start,
            model=str(reference),
            total_seconds=opened.total_seconds,
            idle_seconds=opened.idle_seconds,
            first_seconds=opened.first_seconds,
        ):
            letters += _letters(chunk)
            if letters > LONGEST_ANSWER:
                raise RefusedError("answer_too_large", model=str(reference), limit=f"{LONGEST_ANSWER:_}")
            if isinstance(whole, AIMessageChunk) and isinstance(chunk, AIMessageChunk):
                whole = whole + chunk
            else:
                whole = chunk
    except ProviderError:
        raise
    except Exception as error:
        # LangChain's own words for a stream without a piece, whichever client it came by.
        if isinstance(error, ValueError) and str(error).startswith(_NO_PIECE):
            raise RetryableError("empty_answer", model=str(reference)) from error
        # Clients raise what their transports raise; the provider knows its own, the rest is a bug.
        known = opened.translate(error)
        if known is None:
            raise
        raise known from error
    if whole is None:
        raise RetryableError("empty_answer", model=str(reference))
    return whole


def _letters(chunk: AIMessageChunk | AIMessage) -> int:
    """Letters of a piece of an answer, its thoughts with it."""
    return len(str(chunk.text)) + len(str(chunk.additional_kwargs.get("reasoning_content") or ""))


def _holds_an_object(text: str) -> bool:
    try:
        return bool(objects_in(text))
    except AnswerError:
        return False


def _refuse_pages_and_notices(text: str, reference: Reference, request: Request) -> None:
    if not text:
        raise RetryableError("empty_answer", model=str(reference))
    if _HTML.match(text):
        raise RetryableError("malformed_answer", model=str(reference), detail=short(text))
    if not provider_of(reference).hosted:
        return
    if (told := notice(text, request.schema, model=str(reference))) is not None:
        raise told
