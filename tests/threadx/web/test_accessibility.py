"""Every page can be read and used by everybody: axe-core finds nothing, in light and in dark.

axe checks names, labels, roles, headings, landmarks and WCAG AA contrast; what lies folded is unfolded first.
The charts are pictures to it: `tests/reports/test_charts.py` checks theirs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

import threadx
from nodes.ensemble.agents import AGENTS
from prompts import Words
from tests.browser import VIEWS, opened_browser, opened_page, served_pages
from tests.contrast import TEXT_AT_LEAST, contrast
from tests.laws import some
from threadx import ThreadxError
from threadx.web.run_board import TABS

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.long]

WORDS = Words("fr")
RULES: dict[str, Any] = {
    "strategy": "ma_crossover",
    "params": {"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
}
PAGES = {
    "runs": "/threadx",
    "runs side by side": "/threadx/compare?run=finished&run=again",
    "new": "/threadx/new",
    "own conditions": "/threadx/new?strategy=own&entry_long=close > highest(high, n)[1]&param=n=20",
    "workbench": "/threadx/bench",
    "data": "/threadx/data?data=sample:sp500",
    "declare": "/threadx/declare",
    "models": "/threadx/models",
    "calibration": "/threadx/calibration",
    "follow": "/threadx/follow",
    "finished run": "/threadx/runs/finished",
    "waiting run": "/threadx/runs/waiting",
    "review": "/threadx/runs/reviewed",
    "summary": "/llm_summary",
    "observability": "/observability",
    "nothing here": "/threadx/runs/none",
}

UNFOLD = """() => {
    const style = document.createElement('style');
    style.textContent = '.tx-tall, .tx-log { max-height: none !important; height: auto !important }'
        + ' .tx-scroll, .tx-report .wide { overflow: visible !important }'
        + ' .q-ripple, .q-focus-helper { display: none !important }'
        + ' * { animation: none !important; transition: none !important }';
    document.head.append(style);
    for (const box of document.querySelectorAll('.q-expansion-item:not(.q-expansion-item--expanded) .q-item'))
        box.click();
}"""
"""axe cannot tell the contrast of what is scrolled out of its box, nor of what is just changing."""

STILL = """() => [...document.querySelectorAll('.q-expansion-item')].every(fold => !fold.checkVisibility()
    || [...fold.querySelectorAll('.q-expansion-item__content')].every(
        box => !box.style.height && box.checkVisibility()))"""
"""Every fold is open; one that has nothing to tell, as of returns in a review, is not on the page at all."""

EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="320"/>'

TOLD = {"resultTypes": ["violations", "incomplete"]}
"""What passed is a hundred times as much, and nobody reads it."""

COLOURS = """selector => {
    const element = document.querySelector(selector);
    if (!element) return null;
    let behind = element;
    while (behind.parentElement && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)')
        behind = behind.parentElement;
    return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
}"""
"""Ink and ground of an element, the ground from the first of its ancestors that has one; null: gone."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a finished run, one that waits for a person, a review and a summary."""
    folder = tmp_path_factory.mktemp("home")
    settings = {**RULES, "home": str(folder)}
    threadx.optimize("sample:sp500", run="finished", max_iterations=1, **settings)
    shutil.copytree(folder / "runs" / "finished", folder / "runs" / "again")
    with pytest.raises(ThreadxError, match="run_waits"):
        threadx.optimize(
            "sample:sp500", run="waiting", search="single", max_iterations=1, approve=True, **settings
        )
    threadx.review("sample:sp500", run="reviewed", **settings)
    threadx.summarize(data="sample", home=str(folder), **dict.fromkeys((*AGENTS, "arbiter"), "rules"))
    return folder


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


def ready(page: Page, name: str) -> None:
    """Wait for what comes after the first answer, and show all there is."""
    page.get_by_role("heading", level=1).wait_for()
    if name == "workbench":
        for button, shown in (
            ("web.bench.test", "web.bench.optimise"),
            ("web.sweep.start", "web.sweep.best"),
        ):
            page.get_by_role("button", name=WORDS(button), exact=True).click()
            page.get_by_text(WORDS(shown)).first.wait_for()
        page.wait_for_load_state("networkidle")
    if name in ("new", "own conditions", "observability"):
        page.get_by_text(WORDS("web.form.asking")).first.wait_for(state="hidden")
    if name == "waiting run":
        page.get_by_text(WORDS("web.steer.edit"), exact=True).first.click()
        page.locator("fieldset input[type=text]").first.wait_for()
    unfold(page)


def unfold(page: Page) -> None:
    page.evaluate(UNFOLD)
    page.wait_for_function(STILL)


def wrong(page: Page, **chosen: Any) -> list[str]:
    """What axe finds, one line a place; where it cannot tell a contrast, the styles' colours are compared."""
    result = Axe().run(page, **{**chosen, "options": {**TOLD, **chosen.get("options", {})}}).response
    found = [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
    for rule in result["incomplete"]:
        if rule["id"] == "color-contrast":
            for node in rule["nodes"]:
                if (colours := page.evaluate(COLOURS, node["target"][0])) is None:
                    return wrong(page, **chosen)  # the page has drawn a part of itself anew meanwhile
                ink, ground = colours
                if contrast(blended(ink, ground), blended(ground, ground)) < TEXT_AT_LEAST:
                    found.append(f"contrast: {node['target']} {ink} on {ground} {node['html'][:160]}")
    return found


def blended(told: str, ground: str) -> tuple[float, float, float]:
    """A computed colour as it looks on a ground: `rgb(...)`, `rgba(...)`, or `color(srgb ...)`."""
    parts, behind = channels(told), channels(ground)
    red, green, blue = (parts[3] * a + (1 - parts[3]) * b for a, b in zip(parts[:3], behind, strict=False))
    return red, green, blue


def channels(told: str) -> list[float]:
    """Red, green and blue, 0–255, and opacity."""
    parts = [float(part) for part in re.findall(r"[\d.]+", told)]
    scale = 255 if told.startswith("color(") else 1
    return [*(part * scale for part in parts[:3]), *(parts[3:] or [1.0])]


BOTH = [(name, view) for name in PAGES for view in VIEWS]
ALIKE = ("own conditions", "review")
"""The form with other fields filled in, and a page of a run with fewer parts: in the soak alone."""
BY_TURNS = [(name, [*VIEWS][place % 2]) for place, name in enumerate(PAGES) if name not in ALIKE]


@pytest.mark.parametrize(("name", "view"), some(BOTH, BY_TURNS))
def test_axe_finds_nothing(browser: Browser, url: str, name: str, view: str) -> None:
    with opened_page(browser, view) as page:
        # To axe a chart is a picture with words of its own, whatever is drawn in it.
        page.route("**/pictures/*", lambda route: route.fulfill(content_type="image/svg+xml", body=EMPTY))
        page.goto(f"{url}{PAGES[name]}")
        ready(page, name)
        assert wrong(page) == []
        # At the table of variants `test_keeping` has axe look, with one of them opened.
        tabs = some(TABS[1:], [tab for tab in TABS[1:] if tab != "variants"])
        for tab in tabs if name == "finished run" else ():
            page.get_by_role("tab", name=WORDS(f"web.tab.{tab}")).click()
            page.locator(".q-tab-panel").wait_for()
            if tab == "trades":
                page.get_by_role("link", name=WORDS("web.trades.csv")).wait_for()
            unfold(page)
            # All around the tab's own panel is as it was looked at.
            assert (tab, wrong(page, context=".q-tab-panel")) == (tab, [])


@pytest.mark.parametrize("view", some(["wide-light", "phone-dark"], ["phone-dark"]))
def test_choices_of_a_list_can_be_read(browser: Browser, url: str, view: str) -> None:
    with opened_page(browser, view) as page:
        page.goto(f"{url}/threadx/new")
        page.get_by_label(WORDS("web.form.preset"), exact=True).click()
        page.get_by_role("option").first.wait_for()
        page.locator(".q-menu").evaluate("menu => Promise.all(menu.getAnimations().map(one => one.finished))")
        # The list's roles are Quasar's own.
        assert wrong(page, context=".q-menu", options={"runOnly": ["color-contrast"]}) == []
