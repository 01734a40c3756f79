"""Parameters that a model refuses are left out one by one, remembered, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from providers import ProviderSettings, Request, call, calls_log, habits, parse_reference
from providers.errors import ProviderError
from tests.ollama_emulator import Scripted as OllamaScripted
from tests.ollama_emulator import ollama_emulator
from tests.openai_server import Scripted, Server, openai_server
from threadx.command import main
from threadx.work import doctor

SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
REQUEST = Request(role="macro", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
OPENAI, G4F = parse_reference("openai:small"), parse_reference("g4f:deepseek-r1")
GOOD = '{"value": 1}'
ALL = {
    "response_format": "Invalid parameter: 'response_format' of type 'json_schema' is not supported",
    "temperature": "Unsupported value: 'temperature' does not support 0.2 with this model.",
    "seed": "seed: Extra inputs are not permitted",
    "system": "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
}


class Asked:
    """One question to a server, and what came of it."""

    def __init__(self, server: Server, logs: Path | None, by: Any = OPENAI) -> None:
        self.failures: list[ProviderError] = []
        before = len(server.requests)
        told = ProviderSettings(openai_base_url=server.url, g4f_base_url=server.url, logs=logs)
        try:
            self.text = call(by, REQUEST, told, lambda error, _: self.failures.append(error)).text
        finally:
            self.requests = server.requests[before:]

    @property
    def refused(self) -> list[Any]:
        return [error.fields.get("parameter") for error in self.failures]


@pytest.mark.model
@pytest.mark.parametrize("refuses", [{name: said} for name, said in ALL.items()] + [ALL], ids=" ".join)
def test_what_is_refused_is_left_out_and_remembered(refuses: dict[str, str], tmp_path: Path) -> None:
    with openai_server(Scripted(text=GOOD), refuses=refuses) as server:
        first, second = Asked(server, tmp_path), Asked(server, tmp_path)
    assert (first.text, sorted(first.refused)) == (GOOD, sorted(refuses))
    assert (second.text, second.refused, len(second.requests)) == (GOOD, [], 1)
    [body] = second.requests
    kept = {*body, *(message["role"] for message in body["messages"])} & ALL.keys()
    assert kept == ALL.keys() - refuses.keys()
    assert body["messages"][-1]["content"].endswith("U\n\nAnswer with JSON:\n{value: integer}")


@pytest.mark.model
def test_where_the_server_does_not_say_what_it_minds(tmp_path: Path) -> None:
    with openai_server(Scripted(text=GOOD), refuses={"seed": "Bad request"}) as server:
        asked = Asked(server, tmp_path)
    assert (asked.text, asked.refused) == (GOOD, ["response_format", "seed"])


@pytest.mark.model
def test_a_refusal_of_all_is_told_as_it_is_and_not_remembered(tmp_path: Path) -> None:
    with openai_server(Scripted(status=400)) as server, pytest.raises(ProviderError) as caught:
        Asked(server, tmp_path)
    assert caught.value.code == "bad_request"
    assert habits.refused(OPENAI, ProviderSettings(openai_base_url=server.url, logs=tmp_path)) == frozenset()


@pytest.mark.model
def test_g4f_too(tmp_path: Path) -> None:
    refuses = {name: ALL[name] for name in ("temperature", "system")}
    with openai_server(Scripted(text=GOOD), refuses=refuses) as server:
        assert Asked(server, tmp_path, G4F).refused == ["temperature", "system"]
        assert Asked(server, tmp_path, G4F).refused == []


@pytest.mark.model
def test_a_month_later_the_model_is_tried_with_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_800_000_000.0]
    monkeypatch.setattr(calls_log, "now", lambda: at[0])
    with openai_server(Scripted(text=GOOD), refuses={"seed": ALL["seed"]}) as server:
        assert Asked(server, tmp_path).refused == ["seed"]
        at[0] += 29 * 86_400.0
        assert Asked(server, tmp_path).refused == []
        at[0] += 2 * 86_400.0
        assert Asked(server, tmp_path).refused == ["seed"]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"openai:small x": {"parameters": ["size"]}}'])
def test_a_damaged_memory_costs_a_call(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "refused_parameters.json").write_bytes(content)
    assert habits.refused(OPENAI, ProviderSettings(logs=tmp_path)) == frozenset()


@pytest.mark.model
def test_doctor_tells_it_and_a_reset_forgets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "check_all", lambda references, settings: [])  # it would ask the network

    def threadx(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--home", str(tmp_path), "--language", "en"])
        assert left.value.code == 0
        return " ".join(capsys.readouterr().out.split())

    gemma = parse_reference("ollama:gemma3:27b")
    with ollama_emulator({"gemma3:27b": OllamaScripted(text=GOOD)}) as emulator:
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        habits.remember(
            gemma, ProviderSettings(ollama_base_url=emulator.url, logs=tmp_path / "logs"), {"seed", "system"}
        )
        assert "ollama:gemma3:27b is asked without seed, system" in threadx("doctor")
        threadx("models", "reset", "ollama:gemma3:27b")
        assert "is asked without" not in threadx("doctor")


LONG = Request(role="strategist", system="S", user="word " * 3000, schema=SCHEMA, schema_words="Answer:")


@pytest.mark.model
@pytest.mark.parametrize("thinks", [False, True])
def test_a_short_window_takes_part(thinks: bool) -> None:
    """Of 8,192 tokens 6,000 are the prompt by our estimate: the answer gets what is left."""
    model = OllamaScripted(text=GOOD, context_length=8192, thinks=thinks)
    with ollama_emulator({"m": model}) as emulator:
        told = ProviderSettings(ollama_base_url=emulator.url)
        assert call(parse_reference("ollama:m"), LONG, told, lambda *_: None).text == GOOD
        [body] = emulator.chats
    assert body["options"]["num_ctx"] == 8192
    assert 1500 < body["options"]["num_predict"] < 8192 - 3000


@pytest.mark.model
def test_a_window_that_holds_no_answer_of_the_role_is_refused() -> None:
    texts = {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 160}}
    fields = {f"reasons_{place}": texts for place in range(4)}
    wordy = Request(
        role="r",
        system="S",
        user="word " * 3000,
        schema={"type": "object", "properties": fields},
        schema_words="",
    )
    with ollama_emulator({"m": OllamaScripted(context_length=4096)}) as emulator:
        told = ProviderSettings(ollama_base_url=emulator.url)
        with pytest.raises(ProviderError) as caught:
            call(parse_reference("ollama:m"), wordy, told, lambda *_: None)
        assert emulator.chats == []
    assert caught.value.code == "prompt_too_long"


@pytest.mark.model
def test_a_hosted_window_that_is_too_short_is_named() -> None:
    said = (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9154 tokens."
    )
    with openai_server(Scripted(status=400, error={"error": {"message": said}})) as server:
        with pytest.raises(ProviderError) as caught:
            Asked(server, None)
        assert len(server.requests) == 1
    assert (caught.value.code, caught.value.fields["context"]) == ("prompt_too_long", 8192)
    assert caught.value.fields["tokens"] == 9154
