"""Every error is a sentence in the reader's language, wherever it is shown.

The walk: all places of the source that make an error (`tests.raise_sites`), both languages, every face.
"""

from __future__ import annotations

import ast
import errno
import gzip
import io
import json
import re
import sqlite3
import tomllib
import zipfile
from typing import Any

import pandas as pd
import pytest
from pydantic_core._pydantic_core import list_all_errors

from backtest import StrategySpec
from base import reasons
from base.errors import LANGUAGES, Language, PromptError, TypedError, catalogue, text
from base.reasons import because, complaint, likest
from tests.prompts.test_prompts import wanted
from tests.raise_sites import Site, kinds, sites, sources

ENGLISH = set(
    """
    the of is are was not and with must be been cannot can could should required field such command unknown
    missing invalid expected found failed error value file folder unreachable denied directory input valid
    greater less than equal to least no there has have this that from into by please try again use see help
    more many too short character string number integer list mapping unable open read write timed out
    refused connection supported allowed nested deeply still its only last first it needs
    """.split()  # noqa: SIM905 - a list of words is read more easily as words
)
"""Words that an English sentence can hardly do without, and that French does not have."""

ROOMS = sorted({kind.room for kind in kinds().values() if kind is not TypedError})


def english(sentence: str) -> set[str]:
    """English words in a French sentence; what stands in code marks is code."""
    told = re.sub(r"`[^`]*`|--[\w-]+|\S*[_/\\@=]\S*", " ", sentence)
    return {word.lower() for word in re.findall(r"[^\W\d_]+", told)} & ENGLISH


def unfilled(site: Site) -> list[str]:
    """What is wrong with the texts of an error made at one place."""
    if site.place.startswith("base/reasons.py"):
        return []  # its tables are gone through below
    if site.code is None:
        return ["the code is neither a literal nor a parameter given as one"]
    found = []
    for language in LANGUAGES:
        if (words := catalogue(site.kind.room, language).get(f"error.{site.code}")) is None:
            found.append(f"{site.code} has no text in {language}")
        elif None not in site.fields and not wanted(words) <= site.fields:
            found.append(f"{site.code} in {language} wants {wanted(words) - site.fields}")
    return found  # a **mapping fills what cannot be read off here


def test_what_is_raised_has_a_text_that_its_fields_fill() -> None:
    assert len(sites()) > 900
    assert {site.place: wrong for site in sites() if (wrong := unfilled(site))} == {}


def raised_by_libraries() -> list[Any]:
    """An exception of each kind that files, networks and parsers raise, made by those that raise them."""
    found: list[Any] = [OSError(number, "words of the system", "file") for number in sorted(errno.errorcode)]
    for work in (
        lambda: json.loads("{"),
        lambda: tomllib.loads("= 1"),
        lambda: b"\xff".decode(),
        lambda: zipfile.ZipFile(io.BytesIO(b"x")),
        lambda: gzip.decompress(b"xx"),
        lambda: pd.read_csv(io.StringIO("a,b\n1\n1,2,3\n1,2,3,4\n")),
        lambda: pd.read_csv(io.StringIO("")),
        lambda: pd.read_parquet(io.BytesIO(b"PAR1 no")),
        lambda: int("x"),
        lambda: sqlite3.connect("/nonexistent/x"),
    ):
        try:
            work()
        except Exception as error:  # the point is that it may be anything
            found.append(error)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_library_raised_is_told_in_the_readers_words(language: Language) -> None:
    for error in raised_by_libraries():
        told = because(error).sentence(language)
        assert told
        assert str(error) not in told
        if language == "fr":
            assert english(told.replace(type(error).__name__, "")) == set(), (error, told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_complaint_of_the_validator_is_told_in_the_readers_words(language: Language) -> None:
    for item in list_all_errors():
        if item["type"] in ("value_error", "assertion_error"):
            continue  # the words are the validator's own; none of ours raises one
        example = item.get("example_context") or {}
        told = complaint({"type": item["type"], "loc": ("name",), "ctx": example}).sentence(language)
        assert told.startswith("name")
        if language == "fr":
            assert english(told.replace(item["type"], "")) == set(), (item["type"], told)


def test_the_codes_of_reasons_and_their_texts_are_the_same() -> None:
    tables = {*reasons._BY_NUMBER.values(), *reasons._BY_DATABASE.values(), *reasons._BY_NAME.values()}
    tables |= {f"value_{code}" for code in (*reasons._LIMITS, *reasons._FORMS.values(), "other")}
    tables |= {f"value_{code}_near" for code in reasons._CHOICES}
    literal = {site.code for site in sites() if site.kind.room == "base"} - {None}
    assert {f"error.{code}" for code in tables | literal} == catalogue("base", "fr").keys()


def foreign_words(call: ast.Call) -> list[str]:
    """Fields of an error that are words of a library, of Python or of the source itself, in one language."""
    found = []
    for keyword in call.keywords:
        for node in ast.walk(keyword.value):
            match node:
                case ast.Constant(value=str(words)) if re.search(r"[a-z]{2,} [a-z]{2,}", words):
                    found.append(f"{keyword.arg}={words!r}")
                case ast.Attribute(attr="strerror" | "__name__"):
                    found.append(f"{keyword.arg}={ast.unparse(node)}")
                case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error" | "reason")]):
                    found.append(f"{keyword.arg}={ast.unparse(node)}")
    return found


def told_in_fields() -> list[tuple[str, ast.Call]]:
    """Every place that makes an error, or what is told like one."""
    calls = [(site.place, site.call) for site in sites()]
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Problem", "Notice"):
                calls.append((f"{path.name}:{node.lineno}", node))
    return calls


def test_no_field_of_an_error_is_prose() -> None:
    """What a server said is quoted as it was said; everything else has a text in both languages."""
    found = {place: words for place, call in told_in_fields() if (words := foreign_words(call))}
    quoted = {place for place in found if place.startswith("providers/")}  # a server, or the client for it
    # The class of what was given in the place of a table, and that of somebody's own strategy: its name.
    classes = ("base/reasons", "backtest/data/prices", "backtest/data/together", "backtest/weights")
    classes += ("backtest/coded/populated", "backtest/coded/taking")
    named = {place for place in found if place.startswith(classes)}
    assert found.keys() - quoted - named == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_failure_of_a_model_has_its_words(language: Language) -> None:
    """Whatever may end a call stands in a table of failures under its code."""
    known = catalogue("failure", language)
    parts = {"no_object"}  # why there is no JSON: told inside that sentence
    ends = {site.code for site in sites() if site.kind.room == "providers" and site.code} - parts
    assert len(ends) > 20
    assert ends - known.keys() == set()


def test_a_text_where_no_key_leads_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = tmp_path / "own_texts"
    texts.mkdir()
    (texts / "__init__.py").touch()
    (texts / "nested.en.toml").write_text('a = "x"\n[b]\nc = "y"\n[b.d]\ne = "lost"\n', encoding="utf-8")
    (texts / "flat.en.toml").write_text('a = "x"\n[b]\nc = "y"\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr("base.errors.CATALOGUES", "own_texts")
        assert catalogue("flat", "en") == {"a": "x", "b.c": "y"}
        with pytest.raises(PromptError) as caught:
            catalogue("nested", "en")
    assert caught.value.code == "nested_table"
    assert "nested.b.d" in str(caught.value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_nobody_would_read_to_its_end_is_quoted_by_its_beginning(language: Language) -> None:
    """A name of a hundred thousand letters took a second to compare, and filled the screen."""
    with pytest.raises(TypedError) as caught:
        StrategySpec.preset("a" * 100_000)
    told = caught.value.sentence(language)
    assert len(told) < 4_000
    assert "a…" in told
    assert likest("s" * 100_000 + "ma", ["ema", "sma"]) == ["sma", "ema"]


@pytest.mark.parametrize(("language", "weights"), [("fr", "3,5 fois"), ("en", "3.5 ×")])
def test_counts_and_figures_are_written_as_the_language_writes_them(language: Language, weights: str) -> None:
    """Thousands stand apart where things are counted; a row is found by its digits."""
    gaps = {"missing": 19_941, "bars": 12_000, "after": "2020-01-01", "before": "2024-01-01"}
    apart = {"fr": ("19\u202f941", "12\u202f000"), "en": ("19,941", "12,000")}[language]
    told = text("backtest.error.gaps_too_wide", language, **gaps)
    assert all(figure in told for figure in apart), told
    row = text("backtest.error.missing_volume", language, missing=9_876, bars=19_941, row=12_345)
    assert all(figure in row for figure in ("9876", apart[0], "12345")), row
    assert weights in text(
        "backtest.error.weights_too_large", language, time="2020-01-01", value=3.5, limit=3.0
    )
