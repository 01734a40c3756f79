"""Every page can be read and used by everybody: axe-core finds nothing, in light and in dark.

axe checks names, labels, roles, headings, landmarks and WCAG AA contrast; what lies folded is unfolded first.
The charts are pictures to it: `tests/test_charts.py` checks theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

import threadx
from prompts import Words
from tests.browser import opened_browser, opened_page
from tests.langgraph_server import clean_environment, free_port, started

pytestmark = [pytest.mark.server, pytest.mark.browser]

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
    "new": "/threadx/new",
    "finished run": "/threadx/runs/finished",
    "waiting run": "/threadx/runs/waiting",
    "review": "/threadx/runs/reviewed",
    "summary": "/llm_summary",
    "observability": "/observability",
    "nothing here": "/threadx/runs/none",
}

UNFOLD = """() => {
    for (const box of document.querySelectorAll('.q-expansion-item:not(.q-expansion-item--expanded) .q-item'))
        box.click();
    const style = document.createElement('style');
    style.textContent = '.tx-tall, .tx-log { max-height: none !important; height: auto !important }'
        + ' .tx-scroll, .tx-report .wide { overflow: visible !important }';
    document.head.append(style);
}"""
"""axe cannot tell the contrast of what is scrolled out of its box."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a finished run, one that waits for a person, a review and a summary."""
    folder = tmp_path_factory.mktemp("home")
    settings = {**RULES, "home": str(folder)}
    threadx.optimize("sample:sp500", run="finished", max_iterations=1, **settings)
    threadx.optimize("sample:sp500", run="waiting", max_iterations=1, approve=True, **settings)
    threadx.review("sample:sp500", run="reviewed", **settings)
    threadx.summarize(data="sample", home=str(folder), models="rules")
    return folder


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    arguments = ["-m", "threadx", "ui", "--port", str(port), "--home", str(home)]
    environment = clean_environment(LANGSMITH_TRACING="false", OLLAMA_HOST="http://127.0.0.1:9")
    address = f"http://127.0.0.1:{port}"
    with started(arguments, tmp_path_factory.mktemp("ui"), environment, f"{address}/threadx"):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


def ready(page: Page, name: str) -> None:
    """Wait for what comes after the first answer, and show all there is."""
    page.get_by_role("heading", level=1).wait_for()
    if name in ("new", "observability"):
        page.get_by_text(WORDS("web.form.asking")).first.wait_for(state="hidden")
    if name == "waiting run":
        page.get_by_text(WORDS("web.steer.edit"), exact=True).first.click()
        page.locator("fieldset input[type=text]").first.wait_for()
    page.evaluate(UNFOLD)
    if name == "finished run":
        page.locator(".tx-report h2").first.wait_for()


def told(result: dict[str, Any], kind: str) -> list[str]:
    """One line a place that is wrong."""
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in result[kind]
        for node in rule["nodes"]
        if kind == "violations" or rule["id"] == "color-contrast"
    ]


@pytest.mark.parametrize("view", ["wide-light", "phone-dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, url: str, name: str, view: str) -> None:
    with opened_page(browser, view) as page:
        page.goto(f"{url}{PAGES[name]}")
        ready(page, name)
        result = Axe().run(page, options={}).response
    assert told(result, "violations") == []
    assert told(result, "incomplete") == []


@pytest.mark.parametrize("view", ["wide-light", "phone-dark"])
def test_choices_of_a_list_can_be_read(browser: Browser, url: str, view: str) -> None:
    with opened_page(browser, view) as page:
        page.goto(f"{url}/threadx/new")
        page.get_by_label(WORDS("web.form.preset")).click()
        page.get_by_role("option").first.wait_for()
        page.locator(".q-menu").evaluate("menu => Promise.all(menu.getAnimations().map(one => one.finished))")
        result = Axe().run(page, context=".q-menu", options={}).response
    assert told(result, "violations") == []
