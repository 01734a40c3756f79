"""Texts and prompts: both languages say the same things."""

import re
from pathlib import Path
from string import Formatter

import pytest

from backtest.presets import PRESETS
from backtest.types import Risk, Sizing
from nodes.optimization.evidence.block import SHARED
from prompts import PromptError, Words, render, text
from prompts.prompt import _parts, placeholders
from prompts.texts import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted({path.name.split(".")[0] for path in (ROOT / "prompts/texts").glob("*.toml")})
PROMPTS = sorted(
    {f"{path.parent.name}/{path.name.split('.')[0]}" for path in (ROOT / "prompts").glob("*/*.md")}
)
SHARED_VALUES = {name for words in _parts(SHARED, "en").values() for name in placeholders(words)}
DATE_FORMAT = re.compile(r"%[A-Za-z]")  # is typed as it stands
DOUBLE_PUNCTUATION = (" :", " ;", " !", " ?", " »", "« ", " %")


def wanted(template):
    """Names of a template's placeholders; `{--start}` is an option, which every face names itself."""
    names = {name.partition("?")[0] for _, name, _, _ in Formatter().parse(template) if name}
    return {name for name in names if not name.startswith("--")}


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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("room", [room for room in ROOMS if room != "fields"])
def test_apostrophes_are_those_of_print(room, language):
    """A straight one stands in code alone; `fields` repeats what schemas say in code."""
    broken = [words for words in catalogue(room, language).values() if re.search(r"[^\W\d_]'[^\W\d_]", words)]
    assert not broken


@pytest.mark.parametrize("name", PROMPTS)
def test_both_languages_of_a_prompt_ask_for_the_same_values(name):
    values = []
    for language in ("fr", "en"):
        values.append({part: placeholders(words) for part, words in _parts(name, language).items()})
    assert values[0] == values[1]


def test_render_fills_both_parts_and_hashes_them():
    values = {
        "kinds": "k",
        "functions": "f",
        "prices": "p",
        "market": "BTCUSDT, 30m.",
        "strategy": "{braces stay}",
        "figures": "f",
        "history": "h",
        "lessons": "l",
        "left_out": "o",
    }
    prompt = render("optimization/analyst", "fr", begins=SHARED, **values)
    assert "BTCUSDT" in prompt.user
    assert "{braces stay}" in prompt.user
    assert prompt.hash == render("optimization/analyst", "fr", begins=SHARED, **values).hash
    other = render("optimization/analyst", "fr", begins=SHARED, **{**values, "market": "ETHUSDT, 30m."})
    assert prompt.hash != other.hash


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param({"market": "X"}, "missing_value", id="missing"),
        pytest.param(
            dict.fromkeys((*SHARED_VALUES, "surplus"), ""),
            "unknown_value",
            id="surplus",
        ),
    ],
)
def test_render_is_strict(values, code):
    with pytest.raises(PromptError) as caught:
        render("optimization/analyst", "en", begins=SHARED, **values)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("language", "singular", "plural"),
    [
        ("fr", [0, 1, 1.5, "0", "1", "1,5"], [2, 2.0, 21, "2", "2,0", "1\u202f001", "–"]),
        ("en", [1, 1.0, "1"], [0, 0.5, 1.5, 2, 21, "0", "1.5", "1,001", "–"]),
    ],
)
def test_a_number_chooses_the_form_of_its_noun(language, singular, plural):
    """The cardinal rules of Unicode's locale data (CLDR 48): fr `i = 0,1`, en `i = 1 and v = 0`."""
    one, many = {"fr": (" barre)", " barres)"), "en": (" bar)", " bars)")}[language]
    for numbers, ending in ((singular, one), (plural, many)):
        for bars in numbers:
            told = text("card.period_value", language, first="a", last="b", bars=bars)
            assert told.endswith(ending), bars


NO_NOUNS = {
    "fr": "cas|dans|depuis|des|deux|fois|hors|les|moins|plus|plusieurs|refusées|sans|ses|sous|toutes",
    "en": (
        "abstains|appears|as|asks|begins|belongs|bps|calls|changes|decides|does|ends|exists|expects|fails|follows|gives|goes|has|holds|is|its|kurtosis|"
        "imports|knows|lacks|looks|moves|names|needs|news|reaches|refuses|remains|reorders|repeats|requires|returns|says|series|shows|speaks|stands|trades|uses|was"
    ),
}
ONLY_MANY = {
    *("backtest.error.missing_volume bars", "base.error.plugin_wrong_values bars", "chart.last_bars count"),
    "backtest.error.strategy_wrong_length shape",
    *("verdict.sight.power one", "agents.macro.rationale_calm score", "web.error.weak_token kinds"),
    *("command.doctor.too_large memory", "command.doctor.in_turn memory", "command.doctor.in_turn count"),
    *("verdict.opening_note opening", "ensemble.alert.success value", "ensemble.alert.failures value"),
    *("command.check.outliers_title_cut shown", "chart.trades_largest shown", "chart.trades_largest count"),
    *("command.check.gaps_title_cut shown", "market.notice.chosen_instrument count", "web.runs.shown shown"),
    *("market.error.too_many_values values", "nodes.error.too_many_conditions limit"),
    *("stress.look_ahead cuts", "stress.spread spread_bps", "backtest.error.gaps_too_wide bars"),
    *("code.error.too_deep limit", "code.error.too_many_nodes nodes", "code.error.docstring limit"),
    *("code.error.loops_too_deep limit", "code.error.too_many_arrays limit"),
    *("models.test.faults_read throws", "stress.best_trades best", "web.event.unfounded by"),
    *("market.error.no_prices_in_folder known", "optimization.evidence.market_pool count"),
    *("verdict.instrument.note count", "verdict.instrument.note boundary", "command.each.note count"),
    *("code.memory.uneven quantity", "code.memory.turning quantity"),
    *("agents.macro.curve slope", "agents.macro.curve_inverted slope", "market.built.news quarantined"),
    *("agents.quality.contradictory_forecast share", "agents.quality.contradictory_news share"),
    *("ensemble.limit.source_contradictory_forecast share", "optimization.change.sampled count"),
}
"""Counts that are never one, and values that count nothing although a noun follows."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_counted_with_the_wrong_form(language):
    """“1 bars”, “3 row(s)”: a noun in the plural behind a value says how it reads behind one."""
    counted = re.compile(r"{([a-z_]+)}\s(?:\w+\s)?(\w+[sx])\b")
    texts = {f"{room}.{key}": words for room in ROOMS for key, words in catalogue(room, language).items()}
    assert not [
        found[0]
        for key, words in texts.items()
        for found in counted.finditer(words)
        if not re.fullmatch(NO_NOUNS[language], found[2]) and f"{key} {found[1]}" not in ONLY_MANY
    ]
    assert not [key for key, words in texts.items() if "(s)" in words]


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


@pytest.mark.parametrize(
    ("time", "seen"),
    [
        ("2021-02-04T00:00:00", "2021-02-04"),
        ("2021-02-04T00:00:00+00:00", "2021-02-04"),
        ("2021-02-04T09:30:00", "2021-02-04 09:30"),
        ("2021-02-04T09:30:05Z", "2021-02-04 09:30:05"),
        ("2021-02-04T00:00:00.250000", "2021-02-04 00:00:00.250000"),
        ("2021-02-04T09:30:00-05:00", "2021-02-04T09:30:00-05:00"),
        ("4 Feb", "4 Feb"),
    ],
)
def test_a_moment_and_a_fall_are_told_as_people_write_them(time, seen):
    told = text("market.notice.suspect_prices", "fr", count=1, change=-66.7, time=time)
    assert f"sur 1 barre ; le plus fort : \u221267 % le {seen}. " in told.replace("\u00a0", " ").replace(
        "\u202f", " "
    )
    assert "out of proportion in 1 bar; the largest: \u221267% on " in text(
        "market.notice.suspect_prices", "en", count=1, change=-66.7, time=time
    )


@pytest.mark.parametrize(
    ("value", "told"), [(0.002, "+0.2%"), (0.0, "0.0%"), (0.0004, "0.0%"), (-0.01, "\u22121.0%")]
)
def test_a_gain_may_show_its_sign(value, told):
    assert Words("en").percent(value, signed=True) == told


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_parameter_and_setting_has_a_name_in_words(language):
    names = {
        *Risk.model_fields,
        *Sizing.model_fields,
        *(name for preset in PRESETS.values() for name in preset.bounds),
    }
    assert names == {
        key.partition(".")[2] for key in catalogue("report", language) if key.startswith("param.")
    }
    told = catalogue("web", language)
    assert {f"preset.{name}" for name in PRESETS} == {key for key in told if key.startswith("preset.")}
