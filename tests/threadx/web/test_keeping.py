"""What a person does with runs on the pages: labels, puts away, deletes, sends, takes in; and their tree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

import threadx
from prompts import Words
from record.labels import read_label
from record.lineage import lineage
from record.record import RunRecord
from record.run_view import RunView
from tests.browser import (
    PATIENCE,
    keep_picture,
    opened_browser,
    opened_page,
    served_pages,
    watch,
    wider_than_the_screen,
)
from tests.laws import some
from threadx.web.run_lineage import number_of

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.long]

WORDS = Words("fr")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one run under four names."""
    folder = tmp_path_factory.mktemp("home")
    roles: Any = dict.fromkeys(("analyst", "strategist", "validator"), "rules")
    threadx.optimize("sample:sp500", run="one", max_iterations=2, language="fr", home=str(folder), **roles)
    for name in ("two", "three", "four"):
        shutil.copytree(folder / "runs" / "one", folder / "runs" / name)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui")) as address:
        yield address


BOTH = ["wide-light", "phone-dark"]


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened_page(browser, request.param) as opened:
        yield opened


def press(page: Page, key: str) -> None:
    page.get_by_role("button", name=WORDS(key), exact=True).click()


def runs_there(home: Path) -> set[str]:
    return {path.parent.name for path in (home / "runs").glob("*/run.json")}


UNFOLDED = (
    """() => [...document.querySelectorAll('.q-expansion-item__content')].every(one => !one.style.height)"""
)
"""Nothing slides any more: a place on the screen stays where it is."""

STILL = """.q-ripple, .q-focus-helper { display: none }
    * { animation: none !important; transition: none !important }"""


def accessible(page: Page, box: str = "") -> None:
    """Nothing that axe finds: of a page, or of a box that is open over it."""
    page.add_style_tag(content=STILL)
    # Axe takes the veil over the page for the ground of the box: its colours are those of every page.
    rules = {"rules": {"color-contrast": {"enabled": False}}} if box else {}
    rules = {**rules, "resultTypes": ["violations"]}  # what passed is a hundred times as much
    found = Axe().run(page, context=box or "body", options=rules).response["violations"]
    assert [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in found] == []
    assert wider_than_the_screen(page) <= 0


@pytest.mark.parametrize("page", some(BOTH, ["phone-dark"]), indirect=True)
def test_a_run_is_labelled_sent_taken_in_elsewhere_and_deleted(
    page: Page, url: str, home: Path, tmp_path: Path
) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/threadx/runs/one")
    page.locator(".tx-trust").wait_for()
    press(page, "web.keep.label")
    tags = page.get_by_label(WORDS("web.keep.tags"), exact=True)
    tags.fill("bourse, <gras>")
    page.get_by_label(WORDS("web.keep.note"), exact=True).fill("deux lignes\nde note")
    press(page, "web.keep.save")
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("<gras>")
    tags.fill("bourse, à revoir")
    accessible(page, ".tx-dialog")
    keep_picture(page, "label.fr")
    press(page, "web.keep.save")
    expect(page.locator(".tx-tags li")).to_have_text(["bourse", "à revoir"])
    expect(page.locator(".tx-label .tx-note")).to_have_text("deux lignes\nde note")
    label = read_label(home / "runs" / "one")
    assert (label.tags, label.note) == (("bourse", "à revoir"), "deux lignes\nde note")
    accessible(page)

    with page.expect_download() as sent:
        press(page, "web.keep.share")
    assert sent.value.suggested_filename == "one.threadx.zip"
    file = tmp_path / "one.threadx.zip"
    sent.value.save_as(file)
    page.goto(f"{url}/threadx")
    page.locator("input[type=file]").set_input_files(file)
    # The name is taken: the refusal says so.
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("one", timeout=PATIENCE)
    page.goto(f"{url}/threadx/runs/one")
    press(page, "web.keep.delete")
    accessible(page, ".tx-dialog")
    press(page, "web.keep.cancel")
    assert "one" in runs_there(home)
    press(page, "web.keep.delete")
    press(page, "web.keep.delete_yes")
    page.wait_for_url(f"{url}/threadx/", timeout=PATIENCE)
    assert "one" not in runs_there(home)
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url(f"{url}/threadx/runs/one", timeout=PATIENCE)
    expect(page.locator(".tx-label .tx-warn")).to_be_visible()
    assert read_label(home / "runs" / "one").imported
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


def test_ticked_runs_are_put_away_found_again_and_deleted(browser: Browser, url: str, home: Path) -> None:
    with opened_page(browser, "wide-light") as page:
        page.goto(f"{url}/threadx")
        for name in ("two", "three"):
            page.get_by_role("row", name=name).get_by_role("checkbox").check()
        press(page, "web.runs.archive")
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("link", name=WORDS("web.runs.archived")).click()
        expect(page.locator("tbody tr")).to_have_count(2)
        page.get_by_role("row", name="two").get_by_role("checkbox").check()
        press(page, "web.runs.unarchive")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("row", name="three").get_by_role("checkbox").check()
        press(page, "web.runs.delete")
        press(page, "web.keep.delete_yes")
        expect(page.locator("tbody tr")).to_have_count(0, timeout=PATIENCE)
    assert runs_there(home) >= {"two", "four"}
    assert "three" not in runs_there(home)


@pytest.mark.parametrize("page", some(BOTH, ["wide-light"]), indirect=True)
def test_the_tree_says_what_the_table_says_and_opens_what_is_clicked(
    page: Page, url: str, home: Path
) -> None:
    _, complaints = watch(page)
    found = lineage(RunView.of(RunRecord(home, "four").events()))
    page.goto(f"{url}/threadx/runs/four")
    page.get_by_role("tab", name=WORDS("web.tab.variants")).click()
    screens = page.evaluate("document.documentElement.scrollHeight / window.innerHeight")
    assert screens <= 3.0
    page.get_by_text(WORDS("web.lineage.title"), exact=True).click()
    page.locator(".tx-scroll canvas").wait_for()
    page.wait_for_function(UNFOLDED)
    best = max((one for one in found.values() if one.trial), key=lambda one: one.score or 0.0)
    assert best.trial is not None
    row = page.locator(".tx-ranked tbody tr", has_text=best.trial.sentence).first
    expect(row).to_contain_text(number_of(best.place))
    at = page.evaluate(
        """name => {
            const box = document.querySelector('.tx-scroll canvas').closest('[_echarts_instance_]');
            const chart = getElement(box.id.slice(1)).chart, data = chart.getModel().getSeries()[0].getData();
            const [x, y] = data.getItemLayout(data.indexOfName(name)) && [
                data.getItemLayout(data.indexOfName(name)).x, data.getItemLayout(data.indexOfName(name)).y];
            const group = data.getItemGraphicEl(data.indexOfName(name));
            const moved = group.transformCoordToGlobal ? group.transformCoordToGlobal(0, 0) : [x, y];
            box.scrollIntoView({block: 'center'});
            const shown = box.getBoundingClientRect();
            return [shown.x + moved[0], shown.y + moved[1]];
        }""",
        number_of(best.place),
    )
    page.mouse.click(*at)
    expect(page.locator(".tx-opened h3")).to_have_text(best.trial.sentence)
    accessible(page)
    keep_picture(page, "variants.fr")
    assert complaints == []
