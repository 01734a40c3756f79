"""A prompt reaches an Ollama model whole, or the call is an error: with every version of its server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from providers import ProviderSettings, Reply, Request, parse_reference
from providers.calling import call_once
from providers.errors import ProviderError
from tests.ollama_emulator import Scripted, ollama_emulator

pytestmark = pytest.mark.model

PROSE = "The champion wins less than it pays for trading, in every year but one. "
REQUEST = Request(
    role="analyst",
    system="You are an analyst. " * 60,
    user=PROSE * 90,
    schema={"type": "object", "properties": {"stance": {"type": "string"}}},
    schema_words="Answer with one JSON object for this schema:",
)
ANSWER = '{"stance": "up"}'
CORRECTED = replace(REQUEST, correction=(PROSE * 20, "Name a stance. " * 10))
REFERENCE = parse_reference("ollama:m:1b")
WHOLE = sum(len(message.text) for message in REQUEST.messages(show_schema=True)) // 4
"""As the emulator counts."""


def ask(url: str, request: Request = REQUEST) -> Reply:
    return call_once(REFERENCE, request, ProviderSettings(ollama_base_url=url))


@dataclass(frozen=True)
class Cut:
    version: str | None
    window: int
    code: str
    fields: dict[str, Any] = field(default_factory=dict)


CUTS = {
    "0.40 refuses with both figures": Cut(
        "0.40.2", 512, "prompt_too_long", {"tokens": WHOLE, "context": 512}
    ),
    "0.12.6 refuses without": Cut("0.12.6", 512, "prompt_too_long", {"context": 8192}),
    "0.12.5 cuts to its window, smaller than asked": Cut("0.12.5", 512, "prompt_truncated", {"counted": 512}),
    "0.6 the same": Cut("0.6.0", 512, "prompt_truncated", {"counted": 512}),
}


@pytest.mark.parametrize("case", CUTS.values(), ids=CUTS.keys())
def test_a_prompt_that_does_not_fit_is_never_answered_from_a_part(case: Cut) -> None:
    model = Scripted(text=ANSWER, window=case.window)
    with (
        ollama_emulator({"m:1b": model}, case.version) as emulator,
        pytest.raises(ProviderError) as caught,
    ):
        ask(emulator.url)
    assert caught.value.code == case.code
    assert case.fields.items() <= caught.value.fields.items()


@pytest.mark.parametrize("version", ["0.1.30", "0.12.5", "0.12.6", "0.40.2", None])
def test_a_count_that_fills_the_window_is_a_cut_with_any_version(version: str | None) -> None:
    model = Scripted(text=ANSWER, prompt_eval_count=8192)
    with ollama_emulator({"m:1b": model}, version) as emulator, pytest.raises(ProviderError) as caught:
        ask(emulator.url)
    assert caught.value.code == "prompt_truncated"


@pytest.mark.parametrize("version", ["0.3.14", "0.9.0", "0.30.0", "0.40.2", None])
def test_a_cached_prompt_is_no_cut_one(version: str | None) -> None:
    with ollama_emulator({"m:1b": Scripted(text=ANSWER, cached=0.97)}, version) as emulator:
        counted = [ask(emulator.url, request).prompt_tokens for request in (REQUEST, CORRECTED, REQUEST)]
    assert counted[0] == (round(WHOLE * 0.03) if version in ("0.3.14", "0.30.0", None) else WHOLE)


def test_messages_that_an_older_server_drops_show_in_its_count() -> None:
    """It drops the question and keeps the rest: almost half is gone, more than a quarter is left."""
    system = "You are an analyst. " * 300
    request = replace(REQUEST, system=system, correction=(PROSE * 20, "Name a stance. " * 10))
    kept = [message.text for message in request.messages(show_schema=True)]
    model = Scripted(text=ANSWER)
    with ollama_emulator({"m:1b": model}, "0.9.0") as emulator:
        whole = ask(emulator.url, request).prompt_tokens
        model.window = (whole or 0) - 1
        with pytest.raises(ProviderError) as caught:
            ask(emulator.url, request)
    assert caught.value.code == "prompt_truncated"
    assert caught.value.fields["counted"] == (len(kept[0]) + len(kept[2]) + len(kept[3])) // 4
    assert int(caught.value.fields["counted"]) > int(caught.value.fields["expected"]) / 4


def test_another_refusal_is_not_taken_for_a_long_prompt() -> None:
    with (
        ollama_emulator({"m:1b": Scripted(status=400)}) as emulator,
        pytest.raises(ProviderError) as caught,
    ):
        ask(emulator.url)
    assert caught.value.code == "bad_request"


def test_figures_and_prose_of_one_model_are_both_whole() -> None:
    """Where a tokeniser takes three digits at once, a table has few tokens for its length."""
    table = replace(REQUEST, user=" ".join(f"{number:06d}" for number in range(700)))
    with ollama_emulator({"m:1b": Scripted(text=ANSWER)}, "0.9.0") as emulator:
        for request in (REQUEST, table, REQUEST, table):
            assert ask(emulator.url, request).text == ANSWER


@pytest.mark.parametrize(("counted", "code"), [(8190, "prompt_too_long"), (3000, "answer_truncated")])
def test_an_answer_cut_off_by_a_full_window_is_the_prompts_fault(counted: int, code: str) -> None:
    half = Scripted(text='{"stance": ', done_reason="length", prompt_eval_count=counted)
    with ollama_emulator({"m:1b": half}) as emulator, pytest.raises(ProviderError) as caught:
        ask(emulator.url)
    assert caught.value.code == code
    assert code == "answer_truncated" or caught.value.fields["context"] == 8192


def test_a_name_given_to_a_shorter_model_has_its_window() -> None:
    model = Scripted(text=ANSWER)
    with ollama_emulator({"m:1b": model}) as emulator:
        ask(emulator.url)
        model.context_length = 512
        emulator.loaded.clear()  # a pull puts the old one out of memory
        with pytest.raises(ProviderError) as caught:
            ask(emulator.url)
    assert (caught.value.code, caught.value.fields["context"]) == ("prompt_too_long", 512)
