"""g4f's own client code over real HTTP, pointed at a small OpenAI-style server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from nodes.ensemble.context import DEFAULT_ENSEMBLE
from providers import ProviderSettings, Request, parse_reference
from providers.calling import call_once
from providers.errors import ProviderError
from providers.g4f import G4F_PROVIDERS
from tests.openai_server import Scripted, openai_server

ANSWER = '{"stance": "up"}'
SCHEMA = {"type": "object", "properties": {"stance": {"type": "string"}}, "required": ["stance"]}
REQUEST = Request(role="macro", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
REFERENCE = parse_reference("g4f:deepseek-r1")


def settings(url: str, **more: Any) -> ProviderSettings:
    return ProviderSettings(g4f_base_url=url, **more)


@pytest.mark.model
def test_an_answer_comes_with_thoughts_and_tokens() -> None:
    with openai_server(Scripted(text=ANSWER, reasoning="hmm")) as server:
        reply = call_once(REFERENCE, REQUEST, settings(server.url, temperature=0.5))
        [body] = server.requests
    assert (reply.text, reply.thinking) == (ANSWER, "hmm")
    assert (reply.prompt_tokens, reply.answer_tokens) == (11, 7)
    assert (body["model"], body["temperature"]) == ("deepseek-r1", 0.5)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"].startswith("U\n\nAnswer with JSON:\n{")


@pytest.mark.model
def test_it_answers_inside_a_running_event_loop() -> None:
    import asyncio  # noqa: PLC0415  (only here)

    async def node() -> str:
        return call_once(REFERENCE, REQUEST, settings(server.url)).text

    with openai_server(Scripted(text=ANSWER)) as server:
        assert asyncio.run(node()) == ANSWER


@dataclass(frozen=True)
class Case:
    answer: Scripted
    code: str


FAULTS = {
    "too many requests": Case(Scripted(status=429), "rate_limited"),
    "server error": Case(Scripted(status=503), "server_error"),
    "wrong key": Case(Scripted(status=401), "unauthorized"),
    "no credit": Case(Scripted(status=402), "payment_required"),
    "page": Case(Scripted(html=True), "malformed_answer"),
    "empty": Case(Scripted(text=""), "empty_answer"),
    "cut at the limit": Case(Scripted(text='{"a', finish_reason="length"), "answer_truncated"),
    "limit notice": Case(
        Scripted(text="The usage limit for this model has been reached. Rate limit exceeded."), "limit_notice"
    ),
}


@pytest.mark.model
@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_its_code(case: Case) -> None:
    with openai_server(case.answer) as server, pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(server.url))
    assert caught.value.code == case.code


@pytest.mark.model
def test_a_slow_service_meets_the_deadline() -> None:
    with openai_server(Scripted(stall=True)) as server, pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(server.url, hosted_seconds=0.3))
    assert caught.value.code == "time_out"


@pytest.mark.model
def test_a_service_that_is_down_is_unreachable() -> None:
    with openai_server() as server:
        url = server.url
    with pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(url))
    assert caught.value.code == "unreachable"


def test_every_listed_provider_exists_and_serves_that_model_by_g4fs_own_registry() -> None:
    from g4f.Provider import ProviderLoader  # noqa: PLC0415  (a heavy import, only for this test)
    from g4f.providers.any_model_map import model_map  # noqa: PLC0415

    for model, services in G4F_PROVIDERS.items():
        for provider, name, _ in services:
            service = ProviderLoader.from_name(provider)
            assert hasattr(service, "create_async_generator")
            assert not getattr(service, "needs_auth", False)
            assert not getattr(service, "use_nodriver", False)
            expected = model_map[model][provider]
            assert service.model_aliases[name] == expected if service.model_aliases else name == expected


def test_the_default_chain_names_models_that_exist() -> None:
    assert [str(parse_reference(reference)) for reference in DEFAULT_ENSEMBLE] == list(DEFAULT_ENSEMBLE)
