"""Odd answers over real HTTP, whole and in pieces: the same refusal by every way, and never a crash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from providers import ProviderSettings, Request, parse_reference
from providers.calling import call_once
from providers.errors import ProviderError
from providers.extraction import objects_in
from tests import ollama_emulator, openai_server
from tests.laws import combined
from tests.providers.test_extraction import REFUSED

pytestmark = pytest.mark.model

SCHEMA = {"type": "object", "properties": {"stance": {"type": "string"}}, "required": ["stance"]}
REQUEST = Request(role="analyst", system="S", user="U", schema=SCHEMA, schema_words="Answer with JSON:")
EMPTY = {"nothing": "empty_answer"}
"""What the call itself refuses."""


@contextmanager
def served(way: str, text: str) -> Iterator[tuple[str, ProviderSettings]]:
    if way == "whole":
        with openai_server.openai_server(openai_server.Scripted(text=text)) as whole:
            yield "openai:small", ProviderSettings(openai_base_url=whole.url)
    else:
        scripted = {"small": ollama_emulator.Scripted(text=text)}
        with ollama_emulator.ollama_emulator(scripted) as streaming:
            yield "ollama:small", ProviderSettings(ollama_base_url=streaming.url)


@pytest.mark.parametrize(("name", "way"), combined([*REFUSED], ("whole", "streamed")))
def test_an_odd_answer_is_the_same_refusal_by_every_way(name: str, way: str) -> None:
    text, code = REFUSED[name]
    with served(way, text) as (reference, settings), pytest.raises(ProviderError) as caught:
        objects_in(call_once(parse_reference(reference), REQUEST, settings).text)
    assert caught.value.code in (EMPTY.get(name, code), "answer_too_large")
