"""Errors and their texts."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path

import pytest

import nodes.errors
import providers.errors
from prompts.texts import Language, catalogue
from providers import ProviderSettings, check_all
from providers.errors import RetryableError, error_of_status, short

ROOT = Path(providers.__file__).parent
SEAM = Path(nodes.errors.__file__).parent / "seam"


def codes_raised() -> set[str]:
    """Every first argument of `SomethingError(...)`, here and where answers are read, that is written out."""
    found: set[str] = set()
    for file in sorted((*ROOT.rglob("*.py"), *SEAM.rglob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and hasattr(providers.errors, node.func.id)
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_code_that_is_raised_has_a_text(language: Language) -> None:
    words = catalogue("providers", language)
    assert codes_raised() == {key.removeprefix("error.") for key in words if key.startswith("error.")}


@pytest.mark.parametrize("room", ["providers", "nodes"])
def test_both_languages_have_the_same_keys_and_placeholders(room: str) -> None:
    french, english = catalogue(room, "fr"), catalogue(room, "en")
    assert french.keys() == english.keys()
    for key, words in french.items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", english[key])), key


def test_every_code_is_in_the_drawing() -> None:
    drawing = providers.errors.__doc__ or ""
    assert all(code in drawing for code in codes_raised())


@pytest.mark.parametrize(
    "error", [RetryableError("rate_limited", model="m", detail="d"), nodes.errors.PolicyError("x", role="r")]
)
def test_errors_survive_pickling(error: providers.errors.ProviderError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, copy.fields, str(copy)) == (
        type(error),
        error.code,
        error.fields,
        str(error),
    )


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (400, "bad_request", False),
        (401, "unauthorized", False),
        (402, "payment_required", False),
        (403, "unauthorized", False),
        (404, "unknown_remote_model", False),
        (408, "server_error", True),
        (429, "rate_limited", True),
        (500, "server_error", True),
        (529, "server_error", True),
    ],
)
def test_what_a_status_means(status: int, code: str, retry: bool) -> None:
    error = error_of_status(status, model="m", detail="x")
    assert (error.code, error.retry) == (code, retry)


def test_what_a_server_said_becomes_one_short_line() -> None:
    assert short("a\n b\t c") == "a b c"
    assert len(short("word " * 500)) == 300


def test_health_of_chains_names_each_model_once_and_raises_nothing() -> None:
    health = check_all([["rules", "g4f:gpt-9"], ["rules", "openai:x"]], ProviderSettings())
    assert [(item.reference, item.code) for item in health] == [
        ("rules", "ready"),
        ("g4f:gpt-9", "unknown_model"),
        ("openai:x", "missing_key"),
    ]
