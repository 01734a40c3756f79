"""Reading the JSON object out of what models write around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import TypedError
from base.reasons import because
from providers import ProviderError, extract_json, extraction
from providers.extraction import split_thinking

READ: dict[str, tuple[str, dict[str, Any]]] = {
    "bare": ('{"a": 1}', {"a": 1}),
    "fenced": ('```json\n{"a": 1}\n```', {"a": 1}),
    "fence without a name": ('```\n{"a": 1}\n```', {"a": 1}),
    "in prose": ('Here it is:\n{"a": {"b": [1, 2]}}\nHope it helps {smile}.', {"a": {"b": [1, 2]}}),
    "braces in prose before": ('Use {braces} and [brackets] so: {"a": 1}', {"a": 1}),
    "two objects: the last counts": ('First {"a": 1}, or better {"a": 2}', {"a": 2}),
    "line break inside a string": ('{"a": "x\ny"}', {"a": "x\ny"}),
    "braces inside a string": ('{"a": "} {"}', {"a": "} {"}),
    "list of sources before": ('[1] says so. {"a": 1}', {"a": 1}),
}

REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", "no_json"),
    "prose": ("I would hold.", "no_json"),
    "list": ('[{"a": 1}, {"a": 2}]', "no_json"),
    "broken off in a string": ('{"a": {"b": 1}, "c": "tr', "truncated_json"),
    "broken off after a comma": ('{"a": {"b": 1}, ', "truncated_json"),
    "broken off before the last brace": ('{"a": {"b": 1}', "truncated_json"),
    "faulty outside, whole inside": ('{"a" {"b": 1}}', "no_json"),
    "missing comma": ('{"a": {"b": 1} "c": 2}', "no_json"),
    "not a number": ('{"a": NaN}', "not_finite"),
    "infinity": ('{"a": -Infinity}', "not_finite"),
    "overflow": ('{"a": 1e999}', "not_finite"),
    "key twice": ('{"a": 1, "a": 2}', "duplicate_key"),
    "too deep": ('{"a":' * 100_000, "too_deep"),
    "too deep and whole": ('{"a":' * 500 + "1" + "}" * 500, "too_deep"),
    "only opening braces": ("{" * 10_000, "truncated_json"),
    "only opening brackets": ("[" * 1_000_000, "too_deep"),
    "more digits than Python reads": ('{"a": ' + "9" * 5_000 + "}", "not_finite"),
    "a whole number beyond any float": ('{"a": ' + "9" * 310 + "}", "not_finite"),
    "a long decimal": ('{"a": 0.' + "9" * 1_000_000 + "}", "not_finite"),
    "faulty objects without number": ('{"a" 1}' * 40_000, "no_json"),
    "quotes that never end": ('{"' + '\\"' * 100_000, "truncated_json"),
    "faulty inside a list": ('[{"a": 1}, {"b" 2}]', "no_json"),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ.keys())
def test_what_is_read(text: str, value: dict[str, Any]) -> None:
    assert extract_json(text) == value


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(text: str, code: str) -> None:
    with pytest.raises(ProviderError) as caught:
        extract_json(text)
    assert caught.value.code == code


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(max_size=5), _VALUES, max_size=4)


@given(_OBJECTS, st.sampled_from(["", "Answer:\n", "```json\n"]), st.sampled_from(["", "\n```", "\nDone."]))
def test_any_object_survives_its_wrapping(value: dict[str, Any], before: str, after: str) -> None:
    assert extract_json(before + json.dumps(value) + after) == value


@given(_OBJECTS.filter(bool), st.data())
def test_no_beginning_of_an_object_is_ever_taken_for_an_answer(value: dict[str, Any], data: Any) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ProviderError):
        extract_json(text[:cut])


@pytest.mark.parametrize(
    ("text", "thinking", "rest"),
    [
        ("<think>a {b}</think> c", "a {b}", "c"),
        ("a</think>c", "a", "c"),
        ("<think>a</think>b<THINKING>c</THINKING>d", "a\n\nc", "bd"),
        ("c", "", "c"),
        ("<think>never ends", "never ends", ""),
        ("c <think>never ends", "never ends", "c"),
        ("<think>a <think> b</think>c", "a <think> b", "c"),
        ("<think>" * 100_000 + "a", "<think>" * 99_999 + "a", ""),
        ("<think>a</think>b</think>c", "a\n\nb", "c"),
        ("</think>" * 100_000 + "a", "", "a"),
    ],
)
def test_thoughts_are_kept_apart(text: str, thinking: str, rest: str) -> None:
    assert split_thinking(text) == (thinking, rest)


_PIECES = st.sampled_from(
    [
        *'{}[]":,1- \n\\é\x00\u2028\ud800',
        *("9" * 400, "e9", "NaN", "null", "```json", "<think>", "</think>", '{"a": 1}', '{"a" 1}'),
    ]
)


@given(st.lists(_PIECES, max_size=60), st.integers(1, 300))
def test_whatever_a_model_writes_is_read_or_refused_with_a_code(pieces: list[str], times: int) -> None:
    _, rest = split_thinking("".join(pieces) * times)
    assert "<think>" not in rest
    refused = ""
    try:
        json.dumps(extract_json(rest))
    except ProviderError as error:
        refused = str(error)
    assert len(refused) < 1_000


def test_why_there_is_no_object_is_told_in_the_readers_words() -> None:
    for text, french, english in (
        ("I would hold.", "il n’y en a aucun", "there is none"),
        ('{"a" 1}', "ce n’est pas du JSON, ligne 1, colonne 6", "line 1, column 6"),
    ):
        with pytest.raises(ProviderError) as caught:
            extract_json(text)
        assert french in caught.value.sentence("fr")
        assert english in caught.value.sentence("en")
        json.dumps(caught.value.fields)  # a record keeps them


def test_what_is_wrong_is_told_once_whatever_the_number_of_faulty_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Exception] = []

    def counted(error: Exception) -> TypedError:
        told.append(error)
        return because(error)

    monkeypatch.setattr(extraction, "because", counted)
    with pytest.raises(ProviderError):
        extract_json(']{"":' * 1_000 + "x")
    assert len(told) <= 1
