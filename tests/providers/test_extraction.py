"""Reading the JSON object out of what models write around it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import ProviderError, objects_in
from providers.extraction import Found, split_thinking

READ: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "bare": ('{"a": 1}', {"a": 1}, set()),
    "line break inside a string": ('{"a": "x\ny"}', {"a": "x\ny"}, set()),
    "braces inside a string": ('{"a": "} {"}', {"a": "} {"}, set()),
    "fenced": ('```json\n{"a": 1}\n```', {"a": 1}, {"surroundings"}),
    "fence without a name": ('```\n{"a": 1}\n```', {"a": 1}, {"surroundings"}),
    "in prose": (
        'Here it is:\n{"a": {"b": [1, 2]}}\nHope it helps {smile}.',
        {"a": {"b": [1, 2]}},
        {"surroundings"},
    ),
    "braces in prose before": ('Use {braces} and [brackets] so: {"a": 1}', {"a": 1}, {"surroundings"}),
    "list of sources before": ('[1] says so. {"a": 1}', {"a": 1}, {"surroundings"}),
    "text after the object": ('{"a": 1} It\'s what "I" think: {a', {"a": 1}, {"surroundings"}),
    "alone in a list": ('[{"a": 1}]', {"a": 1}, {"list"}),
    "trailing commas": ('{"a": [1, 2,],}', {"a": [1, 2]}, {"syntax"}),
    "comments": (
        '{"a": 1, // it\'s "one"\n /* b: {2} */ "c": "# no // comment" # {three\n}',
        {"a": 1, "c": "# no // comment"},
        {"syntax"},
    ),
    "single quotes": ("{'a': 'x', 'b': 'it\\'s \"so\"'}", {"a": "x", "b": 'it\'s "so"'}, {"syntax"}),
    "Python's constants": (
        '{"a": True, "b": False, "c": None, "d": "None is True"}',
        {"a": True, "b": False, "c": None, "d": "None is True"},
        {"syntax"},
    ),
    "no-break spaces": (
        '{\u00a0"a":\u202f1,\u00a0"b":\u00a0"x\u00a0y"}',
        {"a": 1, "b": "x\u00a0y"},
        {"syntax"},
    ),
    "a ratio and a share": (
        '{"a": 6.5/10, "b": 45 %, "c": "1/2"}',
        {"a": "6.5/10", "b": "45 %", "c": "1/2"},
        {"syntax"},
    ),
}

REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", "no_json"),
    "prose": ("I would hold.", "no_json"),
    "broken off in a string": ('{"a": {"b": 1}, "c": "tr', "truncated_json"),
    "broken off after a comma": ('{"a": {"b": 1}, ', "truncated_json"),
    "broken off before the last brace": ('{"a": {"b": 1}', "truncated_json"),
    "faulty outside, whole inside": ('{"a" {"b": 1}}', "not_json"),
    "missing comma": ('{"a": {"b": 1} "c": 2}', "not_json"),
    "missing colon": ('{"a" 1}', "not_json"),
    "missing value": ('{"a": , "b": 2}', "not_json"),
    "words without quotation marks": ('{"a": hold the position}', "not_json"),
    "quotation marks inside a string": ('{"a": "he said "buy" now"}', "not_json"),
    "thousands": ('{"a": 1,000}', "not_json"),
    "a sum": ('{"a": 1+2}', "not_json"),
    "an ellipsis": ('{"a": [1, ...]}', "not_json"),
    "another bracket": ('{"a": [1, 2}', "truncated_json"),
    "single quotes, broken off": ("{'a': 'x", "truncated_json"),
    "not a number": ('{"a": NaN}', "not_finite"),
    "not a number, in lenient JSON": ("{'a': NaN}", "not_finite"),
    "overflow, in lenient JSON": ("{'a': 1e999}", "not_finite"),
    "key twice, in lenient JSON": ("{'a': 1, 'a': 2}", "duplicate_key"),
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
    "faulty objects without number": ('{"a" 1}' * 40_000, "not_json"),
    "a comment that never ends": ('{"a": 1 /* ' + "* " * 100_000, "truncated_json"),
    "lenient without end": ("{'a': 1, " + "'b': [1,], " * 40_000 + "}", "not_json"),
    "quotes that never end": ('{"' + '\\"' * 100_000, "truncated_json"),
    "faulty inside a list": ('[{"a": 1}, {"b" 2}]', "not_json"),
}


@pytest.mark.parametrize(("text", "value", "repairs"), READ.values(), ids=READ.keys())
def test_what_is_read(text: str, value: dict[str, Any], repairs: set[str]) -> None:
    (found,) = objects_in(text)
    assert found == Found(value, frozenset(repairs))


def test_objects_come_in_order() -> None:
    for text in ('First {"a": 1}, or better {"a": 2}', '[{"a": 1}, {"a": 2}]'):
        assert [found.value for found in objects_in(text)] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(text: str, code: str) -> None:
    with pytest.raises(ProviderError) as caught:
        objects_in(text)
    assert caught.value.code == code


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(max_size=5), _VALUES, max_size=4)


@settings(deadline=None)
@given(_OBJECTS, st.sampled_from(["", "Answer:\n", "```json\n"]), st.sampled_from(["", "\n```", "\nDone."]))
def test_any_object_survives_its_wrapping(value: dict[str, Any], before: str, after: str) -> None:
    assert [found.value for found in objects_in(before + json.dumps(value) + after)] == [value]


@settings(deadline=None)
@given(_OBJECTS.filter(bool), st.data())
def test_no_beginning_of_an_object_is_ever_taken_for_an_answer(value: dict[str, Any], data: Any) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ProviderError):
        objects_in(text[:cut])


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


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=60), st.integers(1, 300))
def test_whatever_a_model_writes_is_read_or_refused_with_a_code(pieces: list[str], times: int) -> None:
    _, rest = split_thinking("".join(pieces) * times)
    assert "<think>" not in rest
    refused = ""
    try:
        json.dumps([found.value for found in objects_in(rest)])
    except ProviderError as error:
        refused = str(error)
    assert len(refused) < 1_000


REPEATED = ("<think>", "<think>a</think>", '{"a" 1}', '{"a": 1}', '{"a":', "// ", "```json\n")


def processor_seconds(text: str) -> float:
    """The least of three readings."""
    took = []
    for _ in range(3):
        begun = time.process_time()
        with contextlib.suppress(ProviderError):
            objects_in(split_thinking(text)[1])
        took.append(time.process_time() - begun)
    return max(min(took), 1e-3)


@pytest.mark.parametrize("piece", REPEATED)
def test_eight_times_as_much_takes_no_more_than_some_times_as_long(piece: str) -> None:
    """Where time grows with the square of a text it is 64 times; an allowance of 3 is for noise."""
    assert processor_seconds(piece * 32_000) < 3 * 8 * processor_seconds(piece * 4_000)


FAULTS = {
    "prose": ("I would hold.", "mais seulement ceci", "only this: “I would hold.”"),
    "a colon": ('{"a" 1}', "ligne 1, colonne 6", "line 1, column 6: “1” cannot stand there"),
    "a comma": ('Here:\n{"a": 1,\n "b": 2 "c": 3}', "ligne 3, colonne 9", "line 3, column 9"),
    "after a comment": ('{"a": None, # none\n "b": }', "ligne 2", "line 2, column 7: “}”"),
}


@pytest.mark.parametrize(("text", "french", "english"), FAULTS.values(), ids=FAULTS.keys())
def test_a_complaint_names_line_and_reason_in_the_readers_words(text: str, french: str, english: str) -> None:
    with pytest.raises(ProviderError) as caught:
        objects_in(text)
    assert french in caught.value.sentence("fr")
    assert english in caught.value.sentence("en")
    json.dumps(caught.value.fields)  # a record keeps them


def test_what_is_wrong_is_told_once_whatever_the_number_of_faulty_objects() -> None:
    with pytest.raises(ProviderError) as caught:
        objects_in(']{"a" 1}' * 1_000 + "x")
    assert caught.value.fields == {"line": 1, "column": 7, "found": "1"}
