"""What a service says of itself is its failure, never a model's opinion; and how long it is waited for."""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate
from typing import Any

import pytest

from providers import ProviderSettings, Request, call, calling, parse_reference
from providers.errors import ProviderError
from tests.laws import combined
from tests.ollama_emulator import Scripted as OllamaScripted
from tests.ollama_emulator import ollama_emulator
from tests.openai_server import Scripted, openai_server

SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
REQUEST = Request(role="macro", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
OPENAI, G4F, OLLAMA = (parse_reference(name) for name in ("openai:small", "g4f:deepseek-r1", "ollama:m"))
GOOD = '{"value": 1}'


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(calling, "pause", waited.append)
    return waited


class Asked:
    """One question to a server, and what came of it."""

    def __init__(self, *answers: Scripted, by: Any = OPENAI, **settings: Any) -> None:
        self.failures: list[ProviderError] = []
        self.text = ""
        with openai_server(*answers) as server:
            told = ProviderSettings(openai_base_url=server.url, g4f_base_url=server.url, **settings)
            with suppress(ProviderError):
                self.text = call(by, REQUEST, told, lambda error, _: self.failures.append(error)).text
        self.requests = len(server.requests)

    @property
    def codes(self) -> list[str]:
        return [error.code for error in self.failures]


NOTICES = {
    "an error with a status as text": ('{"error": "Response 429: Rate limit reached"}', "rate_limited"),
    "an error object with a code": (
        '{"error": {"message": "Too Many Requests", "code": 429}}',
        "rate_limited",
    ),
    "a stream's line": ('data: {"error": {"message": "Overloaded", "code": 529}}', "server_error"),
    "a server that fails": ('{"error": "Internal server error"}', "server_error"),
    "a message with a status": ('{"status": 503, "message": "Service Unavailable"}', "server_error"),
    "a day's quota": (
        '{"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day"}}',
        "limit_notice",
    ),
    "a gateway's words": ("Error 502: Bad Gateway", "server_error"),
    "too frequent": ("您的请求过于频繁，请稍后再试。", "limit_notice"),
    "today's free share": ("今日免费额度已用完，请明天再来或升级会员。", "limit_notice"),
    "balance": ("账户余额不足，请充值后继续使用。", "limit_notice"),
    "busy": ("当前访问人数过多，服务器繁忙，请稍后重试。", "limit_notice"),
    "please sign in": ("请登录后继续使用。", "limit_notice"),
    "a model that is gone": ('{"error": "Model not found: glm-9", "code": 404}', "unknown_remote_model"),
    "a forbidden one": ('{"detail": "Forbidden", "status_code": 403}', "unauthorized"),
}


@pytest.mark.model
@pytest.mark.parametrize(("name", "by"), combined([*NOTICES], (OPENAI, G4F)), ids=str)
def test_a_notice_is_the_services_failure(name: str, by: Any, pauses: list[float]) -> None:
    notice, code = NOTICES[name]
    asked = Asked(Scripted(text=notice), by=by)
    assert asked.text == ""
    assert set(asked.codes) == {code}


OPINIONS = {
    "an answer with an error field of its schema": '{"value": 1, "error": "none"}',
    "an object that the schema refuses": '{"error": "no evidence for a rise"}',
    "the word limit in an opinion": "The OPEC quota was raised, and the debt limit is a risk to the outlook.",
    "an upgrade": "Analysts upgrade to overweight; the free float limits daily moves.",
    "a message": '{"message": "the outlook is neutral"}',
}


@pytest.mark.model
def test_an_error_in_a_whole_answer_is_a_failure_too(pauses: list[float]) -> None:
    """As OpenRouter sends it, with status 200."""
    told = Scripted(whole={"error": {"message": "Provider returned error", "code": 429}})
    assert Asked(told).codes == ["rate_limited"] * 3


@pytest.mark.model
@pytest.mark.parametrize("opinion", OPINIONS.values(), ids=OPINIONS.keys())
def test_an_opinion_is_no_notice(opinion: str, pauses: list[float]) -> None:
    assert Asked(Scripted(text=opinion)).text == opinion


@pytest.mark.model
@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (400, "bad_request", 1),
        (403, "unauthorized", 1),
        (404, "unknown_remote_model", 1),
        (410, "bad_request", 1),
        (429, "rate_limited", 3),
        (500, "server_error", 3),
    ],
)
def test_what_will_not_pass_is_asked_once_of_g4f(
    status: int, code: str, tries: int, pauses: list[float]
) -> None:
    asked = Asked(Scripted(status=status), by=G4F)
    assert (asked.codes, asked.requests) == ([code] * tries, tries)


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> float:
    at = 1_800_000_000.0
    monkeypatch.setattr("providers.errors.now", lambda: at)
    return at


@pytest.mark.model
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["7", "date"])
def test_retry_after_is_obeyed(status: int, header: str, moment: float, pauses: list[float]) -> None:
    said = formatdate(moment + 7.0, usegmt=True) if header == "date" else header
    asked = Asked(Scripted(status=status, headers={"Retry-After": said}), Scripted(text=GOOD))
    assert (asked.text, pauses, len(asked.codes)) == (GOOD, [7.0], 1)


@pytest.mark.model
def test_ollama_is_waited_for_as_it_asks(pauses: list[float]) -> None:
    busy = OllamaScripted(
        text=GOOD, status=503, failures=1, error="server busy", headers={"Retry-After": "9"}
    )
    with ollama_emulator({"m": busy}) as emulator:
        told = ProviderSettings(ollama_base_url=emulator.url)
        assert call(OLLAMA, REQUEST, told, lambda *_: None).text == GOOD
    assert pauses == [9.0]


@pytest.mark.model
def test_a_wait_in_words_counts_and_a_long_one_moves_on(pauses: list[float]) -> None:
    words = {"error": {"message": "Rate limit reached. Please try again in 6.5s."}}
    assert Asked(Scripted(status=429, error=words), Scripted(text=GOOD)).text == GOOD
    assert pauses == [6.5]
    asked = Asked(Scripted(status=429, headers={"Retry-After": "3600"}))
    assert (asked.codes, asked.requests, pauses) == (["rate_limited"], 1, [6.5])
    assert asked.failures[0].retry_after == 3600.0


LOADING = [
    {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
    {"error": "Model small is currently loading", "estimated_time": 20.0},
]


@pytest.mark.model
@pytest.mark.parametrize("said", LOADING)
def test_a_model_that_loads_is_waited_for(said: Any, pauses: list[float]) -> None:
    loading = Scripted(status=503, error=said)
    asked = Asked(*[loading] * 20, Scripted(text=GOOD))
    assert (asked.text, asked.requests) == (GOOD, 21)
    assert asked.codes == ["model_loading"]  # told once
    assert set(pauses) == {calling.LOADING_PAUSE}


@pytest.mark.model
def test_and_no_longer_than_the_time_for_loading(pauses: list[float]) -> None:
    asked = Asked(Scripted(status=503, error=LOADING[0]), loading_seconds=60.0)
    assert asked.text == ""
    assert set(asked.codes) == {"model_loading"}
    assert sum(pauses) <= 60.0 < sum(pauses) + calling.LOADING_PAUSE
