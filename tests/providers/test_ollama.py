"""ChatOllama over real HTTP, against an emulator of Ollama's API."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import BaseModel, Field

from providers import ProviderSettings, Request, check, parse_reference
from providers.calling import call, call_once
from providers.errors import ProviderError
from tests.ollama_emulator import EMBEDDED, Scripted, ollama_emulator

pytestmark = pytest.mark.model


class Verdict(BaseModel):
    """What the model must say."""

    stance: str = Field(pattern="^(up|down)$")
    score: float = Field(ge=0, le=10)
    reasons: list[str] = Field(min_length=1, max_length=3)


REQUEST = Request(
    role="analyst",
    system="You are an analyst.",
    user="Sharpe 1.2, drawdown -10 %. " * 20,
    schema=Verdict.model_json_schema(),
    schema_words="Answer with one JSON object for this schema:",
)
ANSWER = '{"stance": "up", "score": 7, "reasons": ["steady"]}'
REFERENCE = parse_reference("ollama:m:1b")


def settings(url: str, **more: Any) -> ProviderSettings:
    return ProviderSettings(ollama_base_url=url, seed=5, **more)


def test_an_answer_comes_with_thoughts_apart_and_counted_tokens() -> None:
    model = Scripted(text=ANSWER, thinking="hmm", thinks=True)
    with ollama_emulator({"m:1b": model}) as emulator:
        reply = call_once(REFERENCE, REQUEST, settings(emulator.url))
    assert (reply.text, reply.thinking) == (ANSWER, "hmm")
    assert reply.prompt_tokens is not None
    assert reply.answer_tokens == len(ANSWER.split()) + 1


@pytest.mark.parametrize("configured", [True, False])
def test_a_key_for_ollama_goes_to_the_configured_server_alone(
    configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "a-key-for-ollama")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    with ollama_emulator({"m:1b": Scripted(text=ANSWER)}) as emulator:
        if configured:
            monkeypatch.setenv("OLLAMA_HOST", emulator.url.removeprefix("http://"))
        call_once(REFERENCE, REQUEST, settings(emulator.url))
        assert ("Bearer a-key-for-ollama" in emulator.keys) == configured


def test_what_the_server_is_told() -> None:
    with ollama_emulator({"m:1b": Scripted(text=ANSWER, thinks=True)}) as emulator:
        call_once(REFERENCE, REQUEST, settings(emulator.url))
        [body] = emulator.chats
    assert body["think"] is True
    assert body["stream"] is True
    assert body["keep_alive"] == "2400s"
    assert body["format"] == Verdict.model_json_schema()
    assert body["options"]["seed"] == 5
    assert (body["truncate"], body["shift"]) == (False, False)
    system, user = (message["content"] for message in body["messages"])
    assert system == "You are an analyst."
    question, shape = user.split("\n\nAnswer with one JSON object for this schema:\n")
    assert question.startswith("Sharpe 1.2")
    assert shape.startswith("{stance: ")  # last: what differs from role to role is read last
    assert all(name in shape for name in Verdict.model_fields)


@pytest.mark.parametrize(
    ("words", "window"), [(10, 4096 * 4), (6000, 4096 * 8)], ids=["short prompt", "long prompt"]
)
def test_the_window_is_always_set_and_holds_prompt_thoughts_and_answer(words: int, window: int) -> None:
    request = replace(REQUEST, user="word " * words)
    with ollama_emulator({"m:1b": Scripted(text=ANSWER, thinks=True)}) as emulator:
        call_once(REFERENCE, request, settings(emulator.url))
        [body] = emulator.chats
    assert body["options"]["num_ctx"] == window
    assert body["options"]["num_predict"] == 4096 + 8192


def test_a_model_that_cannot_think_is_not_asked_to() -> None:
    with ollama_emulator({"m:1b": Scripted(text=ANSWER)}) as emulator:
        reply = call_once(REFERENCE, REQUEST, settings(emulator.url))
        assert "think" not in emulator.chats[0]
    assert reply.text == ANSWER


def test_thoughts_left_in_the_text_are_taken_out() -> None:
    with ollama_emulator({"m:1b": Scripted(text=f"<think>long {{thought}}</think>\n{ANSWER}")}) as emulator:
        reply = call_once(REFERENCE, REQUEST, settings(emulator.url))
    assert (reply.text, reply.thinking) == (ANSWER, "long {thought}")


NO_MEMORY = "model requires more system memory (40.6 GiB) than is available (7.1 GiB)"


@dataclass(frozen=True)
class Case:
    model: Scripted
    code: str
    fields: dict[str, Any] = field(default_factory=dict)


FAULTS = {
    "server error": Case(Scripted(status=500), "server_error", {"status": 500}),
    "too many requests": Case(Scripted(status=429), "rate_limited"),
    "bad request": Case(Scripted(status=400), "bad_request", {"status": 400}),
    "out of memory": Case(Scripted(status=500, error=NO_MEMORY), "out_of_memory", {"detail": NO_MEMORY}),
    "out of memory on the card": Case(
        Scripted(status=500, error="llama runner process has terminated: cudaMalloc failed: out of memory"),
        "out_of_memory",
    ),
    "answer cut at the limit": Case(Scripted(text='{"a": 1}', done_reason="length"), "answer_truncated"),
    "prompt fills the window": Case(Scripted(text=ANSWER, prompt_eval_count=8192), "prompt_truncated"),
    "prompt longer than the model can read": Case(
        Scripted(context_length=256), "prompt_too_long", {"context": 256}
    ),
    "empty answer": Case(Scripted(text=""), "empty_answer"),
    "only thoughts": Case(Scripted(text="<think>and so on"), "empty_answer"),
    "page instead of an answer": Case(Scripted(text="<!DOCTYPE html><html></html>"), "malformed_answer"),
    "line that is no JSON": Case(Scripted(text=ANSWER, rubbish=True), "malformed_answer"),
    "error inside the stream": Case(Scripted(text=ANSWER, error_in_stream=True), "server_error"),
    "connection cut": Case(Scripted(text=ANSWER, cut=True), "server_error"),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_its_code(case: Case) -> None:
    with (
        ollama_emulator({"m:1b": case.model}) as emulator,
        pytest.raises(ProviderError) as caught,
    ):
        call_once(REFERENCE, REQUEST, settings(emulator.url))
    assert caught.value.code == case.code
    assert caught.value.fields["model"] == "ollama:m:1b"
    assert case.fields.items() <= caught.value.fields.items()


@pytest.mark.parametrize(
    ("total", "idle", "code"), [(60.0, 0.2, "stalled"), (0.2, 60.0, "time_out")], ids=["idle", "total"]
)
def test_both_deadlines_end_a_call(total: float, idle: float, code: str) -> None:
    told = {"local_seconds": total, "idle_seconds": idle, "loading_seconds": 0.0}
    with (
        ollama_emulator({"m:1b": Scripted(text=ANSWER, stall=True)}) as emulator,
        pytest.raises(ProviderError) as caught,
    ):
        call_once(REFERENCE, REQUEST, settings(emulator.url, **told))
    assert caught.value.code == code
    assert caught.value.fields["seconds"] == 0.2


def test_a_model_not_pulled_says_what_to_pull() -> None:
    with ollama_emulator({}) as emulator, pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(emulator.url))
    assert caught.value.code == "model_not_pulled"
    assert caught.value.fields["name"] == "m:1b"


def test_a_server_that_is_down_is_unreachable() -> None:
    with ollama_emulator({}) as emulator:
        url = emulator.url
    with pytest.raises(ProviderError) as caught:
        call_once(REFERENCE, REQUEST, settings(url))
    assert caught.value.code == "unreachable"
    assert caught.value.fields["address"] == url


def test_a_failing_server_is_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("providers.calling.pause", pauses.append)
    failures: list[str] = []
    with ollama_emulator({"m:1b": Scripted(text=ANSWER, status=500, failures=2)}) as emulator:
        reply = call(
            REFERENCE, REQUEST, settings(emulator.url), lambda error, seconds: failures.append(error.code)
        )
    assert reply.text == ANSWER
    assert failures == ["server_error", "server_error"]
    assert pauses == [2.0, 4.0]


def test_the_embedded_model_answers_through_ollamas_protocol() -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    with ollama_emulator({"m:1b": EMBEDDED}) as emulator:
        reply = call_once(REFERENCE, REQUEST, settings(emulator.url, answer_tokens=1024))
    Verdict.model_validate(json.loads(reply.text))


@pytest.mark.parametrize(
    ("models", "reference", "code"),
    [
        ({"m:1b": Scripted()}, "m:1b", "ready"),
        ({}, "m:1b", "model_not_pulled"),
        ({}, "g4f:nonsense", "unknown_model"),
    ],
    ids=["ready", "not pulled", "unknown"],
)
def test_health(models: dict[str, Scripted], reference: str, code: str) -> None:
    with ollama_emulator(models) as emulator:
        health = check(reference, settings(emulator.url))
    assert (health.code, health.ok) == (code, code == "ready")
