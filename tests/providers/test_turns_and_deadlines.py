"""Whose server answers decides how long it may take; who waits for a turn loses none of its time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.errors import SettingError
from nodes.given import read_context
from nodes.model_settings import provider_settings
from providers import ProviderSettings, Request, call, calling, parse_reference
from providers.errors import ProviderError
from providers.opening import open_model
from providers.registry import is_hosted
from tests.ollama_emulator import Scripted as OllamaScripted
from tests.ollama_emulator import ollama_emulator
from tests.openai_server import Scripted, openai_server

SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
REQUEST = Request(role="macro", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
OPENAI, OLLAMA = parse_reference("openai:small"), parse_reference("ollama:m")
GOOD = '{"value": 1}'


@pytest.mark.parametrize(
    ("address", "hosted"),
    [
        ("http://localhost:8080/v1", False),
        ("http://127.0.0.1:8080/v1", False),
        ("http://192.168.1.7:8000/v1", False),
        ("http://gpu.lan/v1", False),
        ("https://openrouter.ai/api/v1", True),
        ("http://8.8.8.8/v1", True),
    ],
)
def test_a_server_on_this_machine_or_its_network_is_no_hosted_one(address: str, hosted: bool) -> None:
    assert is_hosted(OPENAI, ProviderSettings(openai_base_url=address)) is hosted


@pytest.mark.model
def test_ones_own_server_has_minutes_and_streams() -> None:
    told = {"local_seconds": 700.0, "first_seconds": 500.0, "idle_seconds": 90.0, "loading_seconds": 200.0}
    with openai_server(Scripted(text=GOOD, reasoning="hmm")) as server:
        settings = ProviderSettings(openai_base_url=server.url, hosted_seconds=0.001, **told)
        opened = open_model(OPENAI, REQUEST, settings)
        reply = call(OPENAI, REQUEST, settings, lambda *_: None)
    assert (opened.total_seconds, opened.first_seconds, opened.idle_seconds) == (900.0, 700.0, 90.0)
    assert (reply.text, reply.thinking, reply.prompt_tokens, reply.answer_tokens) == (GOOD, "hmm", 11, 7)
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.model
def test_loading_has_its_own_time_and_only_where_the_model_is_not_in_memory() -> None:
    model = OllamaScripted(text=GOOD)
    with ollama_emulator({"m": model}) as emulator:
        settings = ProviderSettings(ollama_base_url=emulator.url, first_seconds=500.0, loading_seconds=200.0)
        cold = open_model(OLLAMA, REQUEST, settings)
        call(OLLAMA, REQUEST, settings, lambda *_: None)
        warm = open_model(OLLAMA, REQUEST, settings)
    assert (cold.first_seconds, cold.total_seconds) == (700.0, 1100.0)
    assert (warm.first_seconds, warm.total_seconds) == (500.0, 900.0)


@pytest.mark.model
@pytest.mark.parametrize(
    ("stall", "told", "seconds"),
    [
        ({"stall": True}, {"idle_seconds": 0.2}, 0.2),
        ({"stall_first": True}, {"first_seconds": 0.3, "loading_seconds": 0.0, "idle_seconds": 0.01}, 0.3),
    ],
    ids=["between tokens", "before the first"],
)
def test_silence_is_counted_apart_before_and_after_the_first_token(
    stall: dict[str, Any], told: dict[str, float], seconds: float
) -> None:
    with (
        ollama_emulator({"m": OllamaScripted(text=GOOD, **stall)}) as emulator,
        pytest.raises(ProviderError) as caught,
    ):
        call(OLLAMA, REQUEST, ProviderSettings(ollama_base_url=emulator.url, **told), lambda *_: None)
    assert (caught.value.code, caught.value.fields["seconds"]) == ("stalled", seconds)


@pytest.mark.model
def test_four_agents_and_one_card_go_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses a second call at once; each call's time begins with its own turn."""
    at_work = threading.Lock()
    inner, together, begun = calling.call_once, [], []

    def call_once(*arguments: Any) -> Any:
        together.append(at_work.acquire(blocking=False))
        begun.append(True)
        try:
            return inner(*arguments)
        finally:
            at_work.release()

    monkeypatch.setattr(calling, "call_once", call_once)
    answers: list[str] = []
    with ollama_emulator({"m": OllamaScripted(text=GOOD)}) as emulator:
        settings = ProviderSettings(ollama_base_url=emulator.url)

        def agent() -> None:
            answers.append(call(OLLAMA, REQUEST, settings, lambda *_: None).text)

        agents = [threading.Thread(target=agent) for _ in range(4)]
        for one in agents:
            one.start()
        for one in agents:
            one.join()
    assert answers == [GOOD] * 4
    assert together == [True] * 4


def test_deadlines_are_set_in_the_context_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(context: Any) -> list[float]:
        told = provider_settings(context)
        return [
            told.hosted_seconds,
            told.local_seconds,
            told.first_seconds,
            told.idle_seconds,
            told.loading_seconds,
        ]

    assert seconds(OptimizationContext()) == [30.0, 900.0, 600.0, 120.0, 300.0]
    given = {"deadlines": "local=1800, first=1200"}
    assert seconds(EnsembleContext(**given)) == [30.0, 1800.0, 1200.0, 120.0, 300.0]
    monkeypatch.setenv("THREADX_DEADLINES", "hosted=60,loading=10.5")
    assert seconds(OptimizationContext()) == [60.0, 900.0, 600.0, 120.0, 10.5]
    assert seconds(OptimizationContext(**given))[:2] == [30.0, 1800.0]


@pytest.mark.parametrize("given", ["local", "local=", "local=-1", "local=0", "remote=3", "local=1;idle=2"])
def test_what_is_no_deadline_is_refused(given: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_context(OptimizationContext, {"deadlines": given})
    assert "deadlines" in str(caught.value)
