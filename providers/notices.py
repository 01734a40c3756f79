"""What a service says of itself in the place of an answer: limits, failures, requests to sign in.

Free services and gateways announce them as ordinary text with status 200. Each is a failure of the service;
sent back as an opinion to correct, it would cost calls and end as what a model is said to think.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from providers.errors import ProviderError, RefusedError, RetryableError, error_of_status, short

_LONGEST = 600
"""Letters of a notice in prose; what is longer is somebody's answer."""

_LIMIT = re.compile(
    r"rate.?limit|too many requests|quota (?:is |was |has been )?(?:exceeded|exhausted|used|reached)"
    r"|(?:exceeded|used up|api|request|token) .{0,20}quota|limit (?:is |was |has been )?(?:reached|exceeded)"
    r"|(?:reached|exceeded) (?:your|the) .{0,40}limit\b|(?:daily|hourly|monthly|usage|free) limit\b"
    r"|no (?:free )?requests left|(?:log|sign)[ -]?(?:in|up) (?:to|for)"
    r"|upgrade your|upgrade to (?:a |an |the )?(?:paid|pro\b|plus|premium|higher)|api key|captcha"
    r"|out of credits|insufficient (?:credits|balance|funds|quota)"
    r"|limite (?:atteinte|d['’]utilisation)|trop de requ[êe]tes|quota (?:d[ée]pass[ée]|[ée]puis[ée])"
    r"|过于频繁|频率(?:过高|限制)|(?:次数|额度|配额|余额|流量).{0,8}(?:用完|用尽|耗尽|不足|上限|超出|超限)"
    r"|(?:已达|达到|超过|超出).{0,10}(?:上限|限制)|人数过多|(?:服务|系统|服务器).{0,3}(?:繁忙|忙碌)"
    r"|请.{0,4}(?:登录|登陆|充值)|稍后(?:再试|重试)|請求過於頻繁|請.{0,4}登入|稍後再試",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"internal server error|bad gateway|gateway time-?out|service (?:is )?(?:temporarily )?unavailable"
    r"|overloaded|upstream|timed? ?out|try again later|no (?:available )?provider|model not found",
    re.IGNORECASE,
)
_STATUS_WORDS = re.compile(
    r"^\W*(?:\w*error|response|http|status)\W{1,3}(?:code\W{1,3}|status\W{1,3})?([45]\d\d)\b", re.IGNORECASE
)
_SAYS_SO = ("error", "errors", "errmsg", "error_message")
_STATUS = ("code", "status", "status_code", "statusCode", "errcode", "error_code")
_WORDS = ("message", "detail", "msg")


def notice(text: str, schema: Mapping[str, Any], *, model: str) -> ProviderError | None:
    """The failure that a hosted service announces in the place of an answer; None for an answer.

    Args:
        text: what came as the answer.
        schema: JSON Schema of the answer: an object with one of its properties is an answer.
        model: its reference.
    """
    if (found := _envelope(text)) is not None and not found.keys() & schema.get("properties", {}).keys():
        return _failure(found, model)
    if "{" in text or len(text) > _LONGEST:
        return None
    if status := _STATUS_WORDS.match(text):
        return error_of_status(int(status.group(1)), model=model, detail=text)
    return RefusedError("limit_notice", model=model, detail=short(text)) if _LIMIT.search(text) else None


def said_error(error: Any, *, model: str) -> ProviderError:
    """The failure that a server put into the `error` of a whole answer (OpenRouter does, with status 200)."""
    told = _failure({"error": error}, model)
    return told or RetryableError("server_error", model=model, status=0, detail=short(error))


def _envelope(text: str) -> dict[str, Any] | None:
    """The object that a text consists of, a stream's `data: ` before it or not."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or text[:begin].strip().strip("`").rstrip(":") not in ("", "data", "json", "error", "Error"):
        return None
    try:
        found = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _failure(envelope: Mapping[str, Any], model: str) -> ProviderError | None:
    """What an object without a word of the answer says went wrong."""
    named = next((envelope[key] for key in _SAYS_SO if envelope.get(key)), None)
    parts = [envelope, *([named] if isinstance(named, Mapping) else [])]
    words = " ".join(
        str(value)
        for value in (named, *(part.get(key) for part in parts for key in _WORDS))
        if isinstance(value, str)
    )
    status = next(filter(None, (_status(part.get(key)) for part in parts for key in _STATUS)), None)
    if status is None and named is not None and (told := re.search(r"\b(4\d\d|5\d\d)\b", words)):
        status = int(told.group())
    if status is not None:
        return error_of_status(status, model=model, detail=words or str(dict(envelope)))
    if named is None:
        return None
    if _LIMIT.search(words):
        return RefusedError("limit_notice", model=model, detail=short(words))
    if _FAILURE.search(words) or isinstance(named, Mapping):
        return RetryableError("server_error", model=model, status=0, detail=short(words or named))
    return None


def _status(value: Any) -> int | None:
    """An HTTP status that means failure, as a number or as its digits."""
    digits = str(value)
    return int(digits) if re.fullmatch(r"[45]\d\d", digits) else None
