"""Texts and prompts: both languages say the same things."""

import re
from pathlib import Path
from string import Formatter

import pytest

from backtest.presets import PRESETS
from backtest.types import RISK_BOUNDS
from prompts import PromptError, Words, render, text
from prompts.prompt import _parts, placeholders
from prompts.texts import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted({path.name.split(".")[0] for path in (ROOT / "prompts/texts").glob("*.toml")})
PROMPTS = sorted(
    {f"{path.parent.name}/{path.name.split('.')[0]}" for path in (ROOT / "prompts").glob("*/*.md")}
)
DATE_FORMAT = re.compile(r"%[A-Za-z]")  # is typed as it stands
DOUBLE_PUNCTUATION = (" :", " ;", " !", " ?", " »", "« ", " %")


def wanted(template):
    """Names of a template's placeholders; `{--start}` is an option, which every face names itself."""
    return {name for _, name, _, _ in Formatter().parse(template) if name and not name.startswith("--")}


@pytest.mark.parametrize("room", ROOMS)
def test_both_languages_hold_the_same_keys_and_placeholders(room):
    french, english = catalogue(room, "fr"), catalogue(room, "en")
    assert french.keys() == english.keys()
    assert {key: wanted(words) for key, words in french.items()} == {
        key: wanted(words) for key, words in english.items()
    }


@pytest.mark.parametrize("room", ROOMS)
def test_french_keeps_its_punctuation_on_the_line(room):
    broken = [
        words
        for words in catalogue(room, "fr").values()
        for mark in DOUBLE_PUNCTUATION
        if mark in DATE_FORMAT.sub("X", words) and f"'{mark}" not in words
    ]
    assert not broken


@pytest.mark.parametrize("name", PROMPTS)
def test_both_languages_of_a_prompt_ask_for_the_same_values(name):
    values = []
    for language in ("fr", "en"):
        system, user = _parts(name, language)
        values.append(placeholders(system) | placeholders(user))
    assert values[0] == values[1]


def test_render_fills_both_parts_and_hashes_them():
    values = {
        "market": "BTCUSDT, 30m.",
        "strategy": "{braces stay}",
        "figures": "f",
        "history": "h",
        "lessons": "l",
    }
    prompt = render("optimization/analyst", "fr", **values)
    assert "BTCUSDT" in prompt.user
    assert "{braces stay}" in prompt.user
    assert prompt.hash == render("optimization/analyst", "fr", **values).hash
    assert prompt.hash != render("optimization/analyst", "fr", **{**values, "market": "ETHUSDT, 30m."}).hash


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param({"market": "X"}, "missing_value", id="missing"),
        pytest.param(
            dict.fromkeys(("market", "strategy", "figures", "history", "lessons", "surplus"), ""),
            "unknown_value",
            id="surplus",
        ),
    ],
)
def test_render_is_strict(values, code):
    with pytest.raises(PromptError) as caught:
        render("optimization/analyst", "en", **values)
    assert caught.value.code == code


def test_a_missing_text_or_placeholder_is_an_error():
    with pytest.raises(PromptError):
        text("command.no.such.text", "fr")
    with pytest.raises(PromptError):
        text("command.written", "fr")


@pytest.mark.parametrize(
    ("language", "number", "percent"),
    [("fr", "1\u202f234,50", "12,5\u00a0%"), ("en", "1,234.50", "12.5%")],
)
def test_figures_follow_the_language(language, number, percent):
    words = Words(language)
    assert words.number(1234.5) == number
    assert words.percent(0.125) == percent
    assert words.number(None) == "–"
    assert words.number(-1234.5) == f"\u2212{number}"
    assert words.percent(-0.125) == f"\u2212{percent}"
    assert [words.number(-0.001), words.percent(-0.0001), words.short(-0.0)] == [
        words.number(0.0),
        words.percent(0.0),
        "0",
    ], "what rounds to zero has no sign"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_parameter_and_rule_of_risk_has_a_name_in_words(language):
    names = {*RISK_BOUNDS, *(name for preset in PRESETS.values() for name in preset.bounds)}
    told = catalogue("web", language)
    assert names == {key.partition(".")[2] for key in told if key.startswith("param.")}
    assert {f"preset.{name}" for name in PRESETS} == {key for key in told if key.startswith("preset.")}
