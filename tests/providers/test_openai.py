"""ChatOpenAI over real HTTP, against a small server of the same protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from providers import ProviderSettings, Request, check, parse_reference
from providers.calling import call, call_once
from providers.errors import ProviderError
from providers.openai import openai_key
from tests.openai_server import Scripted, openai_server

pytestmark = pytest.mark.model

ANSWER = '{"stance": "up"}'
SCHEMA = {"type": "object", "properties": {"stance": {"type": "string"}}, "required": ["stance"]}
REQUEST = Request(role="analyst", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
REFERENCE = parse_reference("openai:small")


def settings(url: str, **more: Any) -> ProviderSettings:
    return ProviderSettings(openai_base_url=url, **more)


def test_an_answer_comes_with_thoughts_and_tokens() -> None:
    with openai_server(Scripted(text=ANSWER, reasoning="hmm")) as server:
        reply = call_once(REFERENCE, REQUEST, settings(server.url))
    assert (reply.text, reply.thinking) == (ANSWER, "hmm")
    assert (reply.prompt_tokens, reply.answer_tokens) == (11, 7)


def test_the_schema_goes_along_as_format_and_as_text() -> None:
    with openai_server(Scripted(text=ANSWER)) as server:
        call_once(REFERENCE, REQUEST, settings(server.url, temperature=0.5, seed=3))
        [body] = server.requests
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["messages"][1]["content"].startswith("U\n\nAnswer with JSON:\n{")
    assert (body["model"], body["temperature"], body["seed"]) == ("small", 0.5, 3)


def test_a_server_that_refuses_the_format_is_asked_without() -> None:
    refuses = {"response_format": "response_format is not supported"}
    with openai_server(Scripted(text=ANSWER), refuses=refuses) as server:
        reply = call(REFERENCE, REQUEST, settings(server.url), lambda *_: None)
        assert ["response_format" in body for body in server.requests] == [True, False]
    assert reply.text == ANSWER


@dataclass(frozen=True)
class Case:
    answer: Scripted
    code: str


FAULTS = {
    "too many requests": Case(Scripted(status=429), "rate_limited"),
    "server error": Case(Scripted(status=503), "server_error"),
    "wrong key": Case(Scripted(status=401), "unauthorized"),
    "no credit": Case(Scripted(status=402), "payment_required"),
    "unknown model": Case(Scripted(status=404), "unknown_remote_model"),
    "bad request": Case(Scripted(status=400), "bad_request"),
    "page": Case(Scripted(html=True), "malformed_answer"),
    "no choices": Case(Scripted(null_choices=True), "malformed_answer"),
    "empty": Case(Scripted(text=""), "empty_answer"),
    "a stream without a piece": Case(Scripted(mute=True), "empty_answer"),
    "cut at the limit": Case(Scripted(text='{"a', finish_reason="length"), "answer_truncated"),
    "too large": Case(Scripted(letters=40_000_000), "answer_too_large"),
    "too large once unpacked": Case(Scripted(letters=40_000_000, packing="gzip"), "answer_too_large"),
    "too long": Case(Scripted(letters=1_000_001), "answer_too_large"),
    "packed as nobody asked": Case(Scripted(packing="br"), "unknown_packing"),
    "limit notice": Case(
        Scripted(text="You have reached your daily message limit. Sign up for more."), "limit_notice"
    ),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_its_code(case: Case) -> None:
    with openai_server(case.answer) as server, pytest.raises(ProviderError) as caught:
        call(REFERENCE, REQUEST, settings(server.url), lambda *_: None, tries=1)
    assert caught.value.code == case.code


@pytest.mark.parametrize("packing", ["", "gzip", "deflate", "raw deflate", "identity"])
def test_a_packed_answer_is_unpacked(packing: str) -> None:
    with openai_server(Scripted(text=ANSWER, packing=packing, letters=200_000)) as server:
        assert call_once(REFERENCE, REQUEST, settings(server.url)).text == ANSWER


def test_a_slow_server_meets_the_deadline() -> None:
    with openai_server(Scripted(stall=True)) as server, pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(server.url, local_seconds=0.2, loading_seconds=0.0))
    assert caught.value.code == "time_out"


def test_a_server_that_is_down_is_unreachable() -> None:
    with openai_server() as server:
        url = server.url
    with pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(url))
    assert caught.value.code == "unreachable"


def test_the_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with openai_server(Scripted(text=ANSWER)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("/v1", ""))
        call_once(REFERENCE, REQUEST, settings(server.url))
        assert server.keys == ["Bearer sk-test"]


SHOWN = "https://llm.example.com/v1"


@pytest.mark.parametrize(
    ("url", "keys", "sent"),
    [
        ("https://openrouter.ai/api/v1", {"OPENROUTER_API_KEY": "sk-or-1"}, "sk-or-1"),
        ("https://openrouter.ai/api/v1", {"OPENAI_API_KEY": "sk-or-2"}, "sk-or-2"),
        ("https://openrouter.ai/api/v1", {"OPENAI_API_KEY": "sk-proj-3"}, None),
        ("https://api.openai.com/v1", {"OPENROUTER_API_KEY": "sk-or-1"}, None),
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "sk-proj-3"}, "sk-proj-3"),
        ("https://api.openai.com:443/v1/", {"OPENAI_API_KEY": "sk-proj-3"}, "sk-proj-3"),
        ("https://llm.example.com/v1", {"OPENAI_API_KEY": "k"}, None),
        ("https://llm.example.com/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, "k"),
        ("https://llm.example.com.evil/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, None),
        ("https://llm.example.com:444/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, None),
        ("http://llm.example.com/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, None),
        ("http://llm.example.com@evil.example/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, None),
        ("http://api.openai.com/v1", {"OPENAI_API_KEY": "k"}, None),
        ("http://openrouter.ai/api/v1", {"OPENROUTER_API_KEY": "sk-or-1"}, None),
        ("http://localhost:8000/v1", {"OPENAI_API_KEY": "k"}, ""),
        ("http://169.254.169.254/v1", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": SHOWN}, ""),
        ("http://192.168.1.4:8000/v1", {}, ""),
        ("http://localhost:8000/v1", {"OPENROUTER_API_KEY": "sk-or-1"}, ""),
        ("https://llm.example.com/v1", {}, None),
    ],
    ids=[
        "openrouter's own",
        "openrouter's in the other variable",
        "openai's stays home",
        "openrouter's stays home",
        "openai's own",
        "openai's own, spelt out",
        "no address set for it",
        "its address set",
        "a longer name",
        "another port",
        "in the clear",
        "its name as a user",
        "openai's in the clear",
        "openrouter's in the clear",
        "not for this machine",
        "not for the cloud's own",
        "private network",
        "this machine",
        "none",
    ],
)
def test_a_key_goes_only_to_whom_it_belongs(
    url: str, keys: dict[str, str], sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in keys.items():
        monkeypatch.setenv(name, key)
    if sent is None:
        with pytest.raises(ProviderError) as caught:
            openai_key(REFERENCE, settings(url))
        foreign = "OPENAI_API_KEY" in keys and "//openrouter.ai" not in url
        assert caught.value.code == ("foreign_key" if foreign else "missing_key")
    else:
        assert openai_key(REFERENCE, settings(url)) == sent


def test_health_asks_for_the_list_of_models() -> None:
    with openai_server() as server:
        health = check("openai:small", settings(server.url))
    assert (health.ok, health.code, health.detail) == (True, "ready", server.url)
