"""Errors of this room.

ProviderError (base.errors.TypedError)   a call to a model gave no usable answer
├── UnknownModelError    a name that names nothing: empty_reference, misspelt_provider, unknown_model,
│                        bad_address
├── UnavailableError     nobody answers there: unreachable, not_installed, model_not_pulled, missing_key,
│                        foreign_key; no_model_file, no_gguf_file, broken_gguf, no_model_in_file,
│                        no_weights_in_file, too_large_for_memory, not_in_store, no_model_name; or is
│                        left out for what it did before: breaker_open
├── DeadlineError        too slow: time_out (in all), stalled (no token), no_time_left (for the chain)
├── RetryableError       may pass: rate_limited, server_error, model_loading, empty_answer, malformed_answer
├── RefusedError         will not pass: unauthorized, payment_required, bad_request, unknown_remote_model,
│                        out_of_memory, parameter_refused (asked again without it),
│                        limit_notice, prompt_too_long, prompt_truncated, answer_truncated,
│                        answer_too_large, unknown_packing
├── AnswerError          not one JSON object: no_json, not_json, too_deep, truncated_json, duplicate_key,
│                        not_finite, two_answers
└── CacheError           the answer cache cannot be used: cache_failed

Only RetryableError is tried again; every other one moves on to the next model of the chain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import ClassVar

from base.errors import TypedError
from base.secrets import masked_text

now: Callable[[], float] = time.time
"""Seconds since 1970, for waits that a server gives as a date; tests put a clock of their own here."""


LONGEST_WAIT = 60.0
"""Seconds; a server that asks to wait longer is left for the next model of the chain."""


class ProviderError(TypedError):
    """A call to a model gave no usable answer.

    Attributes:
        retry: whether the same call may succeed in a few seconds.
        repeated: the run met it before, and nobody was asked again.
    """

    room = "providers"
    retry: ClassVar[bool] = False
    repeated: bool = False

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, or None where it did not."""
        asked: float | None = self.fields.get("retry_after")
        return asked


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


_LOADING = re.compile(
    r"\bloading (?:the )?model\b|\bmodel\b.{0,200}\b(?:is|being|currently|still) loading\b", re.IGNORECASE
)
_SPENT = re.compile(
    r"insufficient_quota|per[ -]day|\bdaily\b|monthly|check your plan|insufficient (?:credits|balance)",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"requires more system memory|out of (?:\w+ )?memory|(?:insufficient|not enough) (?:\w+ )?memory"
    r"|cudaMalloc failed|failed to allocate|unable to allocate",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|prompt is too long"
    r"|(?:maximum|exceeds? the|available) context (?:length|size|window)|context length (?:exceeded|is only)",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    r"(?:re)?try (?:again )?(?:in|after) (?:(\d+)m(?:in\w*)? ?)?(\d+(?:\.\d+)?) ?(ms|s\b|sec|min|h|$)",
    re.IGNORECASE,
)
_UNITS = {"ms": 0.001, "min": 60.0, "h": 3600.0}


def wait_asked(headers: Mapping[str, str], detail: str) -> float | None:
    """Seconds that a refusing server asks to wait, by its header (seconds or a date) or in its words."""
    header = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", header):
        return float(header)
    if header:
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - now())
        except ValueError:
            pass  # neither form: the words may tell
    if (said := _IN_WORDS.search(detail)) is None:
        return None
    minutes, number, unit = said.groups()
    return 60.0 * float(minutes or 0) + float(number) * _UNITS.get(unit.lower(), 1.0)


def error_of_status(
    status: int, *, model: str, detail: object, headers: Mapping[str, str] | None = None
) -> ProviderError:
    """The error that an HTTP status of 400 or more means, whatever the provider.

    Args:
        status: the status.
        model: its reference.
        detail: what the server said.
        headers: of its answer, names in small letters (httpx takes any).
    """
    said = short(detail)
    waits = wait_asked(headers or {}, said) if status in (429, 503) else None
    asked = {} if waits is None else {"retry_after": waits}
    if status == 429 and waits is None and _SPENT.search(said):
        return RefusedError("limit_notice", model=model, detail=said)
    if status == 429:
        return RetryableError("rate_limited", model=model, detail=said, **asked)
    if status in (400, 413) and _TOO_LONG.search(said):
        window = re.search(r"context (?:length|size|window)\D{0,20}(\d{3,7})", said)
        largest = max((int(digits) for digits in re.findall(r"\d{3,7}", said)), default=0)
        context = int(window.group(1)) if window else 0
        return RefusedError("prompt_too_long", model=model, tokens=largest, context=context)
    if status >= 500 and _MEMORY.search(said):
        return RefusedError("out_of_memory", model=model, detail=said)
    if status == 503 and _LOADING.search(said):
        return RetryableError("model_loading", model=model, detail=said)
    if status == 408 or status >= 500:
        return RetryableError("server_error", model=model, status=status, detail=said, **asked)
    if status in (401, 403):
        return RefusedError("unauthorized", model=model, detail=said)
    if status == 402:
        return RefusedError("payment_required", model=model, detail=said)
    if status == 404:
        return RefusedError("unknown_remote_model", model=model, detail=said)
    return RefusedError("bad_request", model=model, status=status, detail=said)
