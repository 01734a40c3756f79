"""Whatever a person reads is in one language: pages and reports of the same work, in French and in English.

A word counts as foreign when only the other language's catalogues hold it. Formulas, names of parameters and
the audit's keys are code and are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

import threadx
from backtest.language.functions import reserved
from backtest.presets import PRESETS
from backtest.types import RISK_BOUNDS, SIZING_BOUNDS
from base.errors import TypedError
from nodes.ensemble.agents import AGENTS
from prompts import Language, Words
from prompts.texts import LANGUAGES, catalogue
from providers import PROVIDERS
from tests.base.test_errors import english
from tests.browser import served_pages
from threadx.command import build
from threadx.reporting import hour_document, in_form, run_document
from threadx.usage import usage_line

pytestmark = pytest.mark.server

SHORTEST = 4
NO_WORDS = re.compile(r"\{\w*\}|`[^`]*`|--[\w-]+|\S*[_/\\@=()\[\]]\S*|threadx [\w ]+")
"""Placeholders, formulas, options, paths, and names with underscores."""

MARKUP = re.compile(r"<(style|pre)>.*?</\1>|<table class=\"exact\">.*?</table>|<[^>]+>", re.DOTALL)
CODE = {
    *reserved(),
    *PROVIDERS,
    *RISK_BOUNDS,
    *SIZING_BOUNDS,
    *(name for preset in PRESETS.values() for name in preset.bounds),
}
"""What strategies are written in; it stands in sentences that quote them."""

NAMES = ("text", "label", "hint", "alt", "title", "aria-label", "data-head", "value")
PAGES = (
    "/threadx",
    "/threadx/new",
    "/threadx/new?strategy=own&entry_long=close+%3E+sma(close,+20)",
    "/threadx/bench",
    "/threadx/runs/r1",
    "/threadx/runs/r2",
    "/llm_summary",
    "/observability",
)


def words_of(text: str) -> set[str]:
    """Words in small letters."""
    return {word.lower() for word in re.findall(rf"[^\W\d_]{{{SHORTEST},}}", NO_WORDS.sub(" ", text))}


@cache
def known(language: Language) -> set[str]:
    """Every word of a language's catalogues."""
    names = (path.name for path in files("prompts.texts").iterdir())
    rooms = {name.partition(".")[0] for name in names if name.endswith(".toml")}
    return {word for room in rooms for text in catalogue(room, language).values() for word in words_of(text)}


def foreign(texts: list[str], language: Language) -> set[str]:
    """Words of the other language alone."""
    other: Language = "en" if language == "fr" else "fr"
    return {word for text in texts for word in words_of(text)} & (known(other) - known(language) - CODE)


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    chosen: Language = request.param
    return chosen


@pytest.fixture(scope="module")
def home(language: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the same work in one language."""
    folder = tmp_path_factory.mktemp(f"home-{language}")
    settings: dict[str, Any] = {
        "strategy": "ma_crossover",
        "params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
        "home": str(folder),
        "language": language,
        **dict.fromkeys(("analyst", "strategist", "validator"), "rules"),
    }
    threadx.optimize("sample:sp500", run="r1", max_iterations=1, **settings)
    threadx.review("sample:sp500", run="r2", **settings)
    agents: dict[str, Any] = dict.fromkeys((*AGENTS, "arbiter"), "rules")
    threadx.summarize(data="sample", home=str(folder), language=language, **agents)
    return folder


@pytest.fixture(scope="module")
def url(home: Path, language: Language, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui"), language) as address:
        yield address


def shown(page: str) -> list[str]:
    """What a page shows: texts, labels, hints and names of its elements, but no code."""
    (told,) = re.findall(r"parseElements\(String\.raw`(.*?)`\)", page, re.DOTALL)
    for mark, sign in (("&lt;", "<"), ("&gt;", ">"), ("&#96;", "`"), ("&#36;", "$"), ("&amp;", "&")):
        told = told.replace(mark, sign)
    found: list[Any] = []
    for element in json.loads(told).values():
        props = {**element.get("props", {}), "text": element.get("text")}
        if element["tag"] != "code":
            found += [props.get(name) for name in NAMES]
            found += [option["label"] for option in props.get("options", ()) if isinstance(option, dict)]
            found += [column["label"] for column in props.get("columns", ())]
            found += [text for row in props.get("rows", ()) for text in row["told"].values()]
            found.append(MARKUP.sub(" ", props.get("innerHTML", "")))
    return [text for text in found if isinstance(text, str) and text]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_in_one_language(url: str, language: Language, path: str) -> None:
    texts = shown(httpx.get(f"{url}{path}", timeout=60).text)
    assert len(texts) > 20
    if path == "/threadx/runs/r1":
        assert any(Words(language)("explain.heading.figures") in text for text in texts)
    assert foreign(texts, language) == set()


@pytest.mark.parametrize("form", ["md", "html"])
@pytest.mark.parametrize("what", ["r1", "r2", "summary"])
def test_a_report_is_in_one_language(home: Path, language: Language, what: str, form: Any) -> None:
    words, drawn = Words(language), form == "html"
    document = (
        hour_document(home, None, words, drawn=drawn)
        if what == "summary"
        else run_document(home, what, words, drawn=drawn)
    )
    told = in_form(document, form).decode()
    if form == "md":  # without the audit, whose keys are code
        told = re.sub(r"```.*?```", " ", told, flags=re.DOTALL).partition(words("report.heading.audit"))[0]
    texts = [MARKUP.sub(" ", told), *re.findall(r'alt="([^"]*)"', told)]
    assert foreign(texts, language) == set()


def every_command(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Each command and group, with how it is called."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from every_command(inner, click.Context(inner, info_name=name, parent=context))


def misuses(command: click.Command, context: click.Context) -> Iterator[list[str]]:
    """Nothing, an unknown option, too many arguments; each option alone, and with what it cannot be."""
    yield []
    yield ["--no-such-option"]
    yield ["x"] * 12
    for one in command.get_params(context):
        if isinstance(one, click.Option) and not one.is_flag and not one.is_eager:
            yield one.opts[:1]
            yield [one.opts[0], *["zz/zz"] * one.nargs]
            yield [one.opts[0], *["-1e999"] * one.nargs]


def test_what_the_command_line_complains_of_holds_no_english() -> None:
    root = build(Words("fr"))
    told: set[str] = set()
    for command, context in every_command(root, click.Context(root, info_name="threadx")):
        for given in misuses(command, context):
            try:
                command.make_context(context.info_name, given, parent=context.parent)
            except (click.exceptions.NoArgsIsHelpError, click.exceptions.Exit):
                continue
            except click.ClickException as error:
                line = usage_line(error, Words("fr"))
                told.add(type(error).__name__)
            except TypedError as error:
                line = error.sentence("fr")
            else:
                continue
            assert english(line.replace(context.command_path, "")) == set(), (context.command_path, given)
    assert told >= {"NoSuchOption", "MissingParameter", "BadParameter", "BadOptionUsage", "UsageError"}
