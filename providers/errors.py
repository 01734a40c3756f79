"""Errors of this room.

ProviderError (base.errors.TypedError)   a call to a model gave no usable answer
├── UnknownModelError    a name that names nothing: empty_reference, misspelt_provider, unknown_model,
│                        bad_address
├── UnavailableError     nobody answers there: unreachable, not_installed, model_not_pulled, missing_key,
│                        foreign_key; or is left out for what it did before: breaker_open
├── DeadlineError        too slow: time_out (in all), stalled (no token), no_time_left (for the chain)
├── RetryableError       may pass: rate_limited, server_error, empty_answer, malformed_answer
├── RefusedError         will not pass: unauthorized, payment_required, bad_request, unknown_remote_model,
│                        limit_notice, prompt_too_long, prompt_truncated, answer_truncated,
│                        answer_too_large, unknown_packing
├── AnswerError          not one JSON object: no_json, no_object, too_deep, truncated_json, duplicate_key,
│                        not_finite
└── CacheError           the answer cache cannot be used: cache_failed

Only RetryableError is tried again; every other one moves on to the next model of the chain.
"""

from __future__ import annotations

from typing import ClassVar

from base.errors import TypedError
from base.secrets import masked_text


class ProviderError(TypedError):
    """A call to a model gave no usable answer.

    Attributes:
        retry: whether the same call may succeed in a few seconds.
    """

    room = "providers"
    retry: ClassVar[bool] = False


class UnknownModelError(ProviderError):
    """The reference names nothing that exists."""


class UnavailableError(ProviderError):
    """Nobody answers there, or what answers lacks something."""


class DeadlineError(ProviderError):
    """The model took too long."""


class RetryableError(ProviderError):
    """The same call may succeed in a few seconds."""

    retry: ClassVar[bool] = True


class RefusedError(ProviderError):
    """The same call would fail again."""


class AnswerError(ProviderError):
    """The model answered, but not with one JSON object."""


class CacheError(ProviderError):
    """The answer cache cannot be read or written."""


DETAIL_LENGTH = 300


def whole_letters(text: str) -> str:
    """The text with `?` in the place of each half letter (a lone surrogate), which no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def short(detail: object) -> str:
    """What a server or a library said, without secrets, on one line of at most 300 characters."""
    # Before the cut, which would leave half of a key.
    words = " ".join(whole_letters(masked_text(str(detail))).split())
    return words if len(words) <= DETAIL_LENGTH else words[: DETAIL_LENGTH - 1] + "…"


def error_of_status(status: int, *, model: str, detail: object) -> ProviderError:
    """The error that an HTTP status of 400 or more means, whatever the provider."""
    said = short(detail)
    if status == 429:
        return RetryableError("rate_limited", model=model, detail=said)
    if status == 408 or status >= 500:
        return RetryableError("server_error", model=model, status=status, detail=said)
    if status in (401, 403):
        return RefusedError("unauthorized", model=model, detail=said)
    if status == 402:
        return RefusedError("payment_required", model=model, detail=said)
    if status == 404:
        return RefusedError("unknown_remote_model", model=model, detail=said)
    return RefusedError("bad_request", model=model, status=status, detail=said)
