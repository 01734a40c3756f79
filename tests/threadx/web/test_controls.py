"""Every control on every page does something, by mouse, by touch and by keyboard; files come in each way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ElementHandle, Error, Locator, Page, Route, expect

import threadx
from backtest import StrategySpec
from backtest.types import RISK_BOUNDS
from prompts import Words
from record.record import RunRecord
from tests.browser import PATIENCE, VIEWS, opened_browser, opened_page, served_pages, watch
from tests.laws import some
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.web import jobs
from threadx.web.order import OPTIONAL, READING
from vault.readers.options import Reading

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.long]

WORDS = Words("fr")
WAYS = ("mouse", "touch", "keyboard")
PAGES = ("/threadx", "/threadx/new")
FURTHER = ("/threadx/bench", "/threadx/runs/done", "/threadx/runs/waits", "/llm_summary", "/observability")
"""Pages of many charts and controls, walked under `make soak`: each link followed loads them again."""
ALL_WALKS = [(path, way) for path in PAGES + FURTHER for way in WAYS]
FEW_WALKS = [("/threadx", "keyboard"), ("/threadx/new", "mouse")]
LIMITS_AND_WORDS = OPTIONAL | {name for name, field in READING.items() if field.default is None} - {"decimal"}
"""Fields that may stay empty, beside the rules of risk; the decimal mark is chosen from a list."""
EFFECT_MILLISECONDS = 20_000
"""Until a control counts as dead; what works answers at once."""

EMPTIES = ".q-field__focusable-action"
"""The cross in a field that may stay empty. It comes and goes with what stands in the field, which would move
the controls behind it to other places: it has a test of its own."""
CONTROLS = f"""
a[href], button:not({EMPTIES}), summary, input:not([type=hidden]):not([type=file]), textarea, select,
[role=button]:not({EMPTIES}), [role=checkbox], [role=radio], [role=combobox], [role=tab], [role=switch],
[role=link]
"""

OPENED = "[role=listbox], [role=menu], [role=dialog]"
"""What a control opens over the page, and Escape closes."""

OURS = re.compile(r"^http://[^/]+/(?!threadx/_nicegui)")
"""Addresses that can be a page; what pages are made of goes by unseen, and so stays quick."""

ABOUT = """one => ({
    html: one.outerHTML.slice(0, 160),
    here: one.ariaCurrent === 'page' || (one.getAttribute('role') === 'radio' && one.ariaChecked === 'true'),
    leads: one.getAttribute('href'),
    skips: one.classList.contains('tx-skip'),
    alive: !one.closest(':disabled, [aria-disabled=true]'),
    typed: !one.readOnly && one.getAttribute('role') !== 'combobox'
        && (one.matches('textarea') || (one.matches('input') && ['text', 'number'].includes(one.type))),
    spaced: one.matches(
        'input[type=checkbox], input[type=radio], [role=checkbox], [role=radio], [role=combobox]'),
})"""
"""Of a control, asked at once; `typed`: a person types into it; `spaced`: no browser lets Enter do it."""

FIELDS_A_STEP = some([1], [6])[0]
"""Of fields that are typed into, alike but for their labels, every sixth is walked; in the soak each."""

LOOK = """controls => [
    location.href, document.title, document.body.innerText, document.querySelectorAll('*').length,
    document.activeElement.matches(controls) ? '' : document.activeElement.id,
    ...[...document.querySelectorAll('input, textarea, details, [aria-checked], [aria-expanded]')].map(
        one => [one.value, one.checked, one.open, one.ariaChecked, one.ariaExpanded].join())
].join('\\n')"""
"""What a person could see change; that a control has the focus once it was clicked is no effect of it."""


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought") / "DEMOUSD_1h.csv"
    made_up_prices(cycle=0.05).to_csv(path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prices: Path) -> Path:
    """A data folder with one of everything: a finished run, one that waits, a summary."""
    folder = tmp_path_factory.mktemp("home")
    settings: dict[str, Any] = {
        "home": str(folder),
        "max_iterations": 1,
        "language": "fr",
        **ALL_RULES,
        "search": "single",
    }
    threadx.optimize(str(prices), strategy="ma_crossover", run="done", **settings)
    with pytest.raises(threadx.ThreadxError, match="run_waits"):
        threadx.optimize(str(prices), strategy="ma_crossover", run="waits", approve=True, **settings)
    threadx.summarize(as_of="2018-12-31T21:00:00", data="sample", home=str(folder), models="rules")
    return folder


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui"), "fr") as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """What all the tests share: scripts are fetched once."""
    made = browser.new_context(**VIEWS["wide-light"], has_touch=True)
    made.set_default_timeout(PATIENCE)
    return made


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    yield context.new_page()
    for one in context.pages:
        one.close()


def opened(page: Page, address: str) -> list[Locator]:
    """Load a page, and give its controls once it is at rest; the menu is walked on the first page alone."""
    page.goto(address)
    page.wait_for_load_state("networkidle", timeout=PATIENCE)  # every chart of a run is drawn by then
    if address.endswith("/new"):
        expect(page.get_by_text(WORDS("web.form.asking"))).to_have_count(0)
    found = page.locator("body" if address.endswith("/threadx") else "#content").locator(CONTROLS)
    return [found.nth(place) for place in range(found.count())]


def work(page: Page, control: ElementHandle | Locator, way: str, about: dict[str, Any]) -> None:
    """Do with a control what it is there for."""
    control.scroll_into_view_if_needed()
    match way:
        case "mouse":
            control.click()
        case "touch":
            control.tap()
        case _:
            control.focus()
            if not about["typed"]:
                page.keyboard.press("Space" if about["spaced"] else "Enter")
    if about["typed"]:
        page.keyboard.type("7")


def stays(page: Page, led: set[str]) -> None:
    """From now on nothing leads away from the page: addresses that a control leads to are noted instead."""

    def answer(route: Route) -> None:
        if not route.request.is_navigation_request():
            route.fallback()
            return
        led.add(route.request.url)
        route.fulfill(status=204)  # no content: a browser stays where it is

    page.route(OURS, answer)


def has_effect(page: Page, control: ElementHandle, way: str, about: dict[str, Any]) -> bool:
    """Whether anything a person can see follows: a change, a chooser, a download, another page."""
    told: list[str] = []
    for name in ("filechooser", "download", "popup", "dialog"):
        page.on(name, lambda _: told.append("it came"))  # type: ignore[call-overload]
    page.on("request", lambda asked: told.append(asked.url) if asked.is_navigation_request() else None)
    before = page.evaluate(LOOK, CONTROLS)
    work(page, control, way, about)
    left = EFFECT_MILLISECONDS
    while left > 0:
        if told or page.evaluate(LOOK, CONTROLS) != before:
            return True
        page.wait_for_timeout(100)
        left -= 100
    return False


def closed(page: Page) -> bool:
    """Whether nothing lies over the page any more, once Escape was pressed."""
    if page.locator(OPENED).count():
        page.keyboard.press("Escape")
    try:
        page.wait_for_function("what => !document.querySelector(what)", arg=OPENED, timeout=2_000)
    except Error:
        return False
    return True


@pytest.mark.parametrize(("path", "way"), some(ALL_WALKS, FEW_WALKS))
def test_every_control_does_something(page: Page, url: str, home: Path, path: str, way: str) -> None:
    _, complaints = watch(page)
    page.set_default_timeout(EFFECT_MILLISECONDS)
    controls = opened(page, url + path)
    assert len(controls) > 4
    led: set[str] = set()
    stays(page, led)
    dead, place, fields = [], 0, 0
    while place < len(controls):
        # Found once, and not again for each question: a form has two hundred of them.
        control = controls[place].element_handle()
        place += 1
        about = control.evaluate(ABOUT)
        # The link past the menu is there for keys alone: it shows itself when it has the focus.
        unseen = way != "keyboard" and about["skips"]
        if (
            about["here"]
            or about["leads"] == path
            or unseen
            or not about["alive"]
            or not control.is_visible()
        ):
            continue
        if about["typed"]:
            fields += 1
            if fields % FIELDS_A_STEP != 1 % FIELDS_A_STEP:
                continue
        if not has_effect(page, control, way, about):
            dead.append(about["html"])
        if about["typed"]:  # what was searched for must not hide the controls that follow
            page.keyboard.press("Backspace")
        if not closed(page):
            page.unroute(OURS)
            controls = opened(page, url + path)
            stays(page, led)
    assert led
    for address in led:  # each leads to something
        assert page.request.get(address).ok, address
    for kind in ("optimization", "ensemble"):
        if (job := jobs.at_work(home, kind)) is not None:
            jobs.stop(home, kind, job.name)
    assert dead == []
    assert complaints == []


@pytest.mark.soak
@pytest.mark.parametrize("way", some(WAYS, ("touch",)))
def test_a_cross_empties_its_field_for_good(page: Page, url: str, home: Path, way: str) -> None:
    """Every field that has one: the cross goes with what it emptied, and the run knows nothing of it."""
    _, complaints = watch(page)
    opened(page, f"{url}/threadx/new")
    for name in ("web.form.risk", "web.form.reading"):
        page.get_by_text(WORDS(name), exact=True).click()
    labels = [WORDS(f"web.setting.{name}") for name in sorted(LIMITS_AND_WORDS)]
    labels += [WORDS(f"report.param.{name}") for name in RISK_BOUNDS]
    for label in labels:
        field = page.get_by_label(label, exact=True)
        field.fill("7")
        cross = field.locator("xpath=ancestor::label").locator(EMPTIES)
        expect(cross).to_have_count(1)
        match way:
            case "mouse":
                cross.click()
            case "touch":
                cross.tap()
            case _:
                cross.press("Enter")
        expect(field).to_have_value("")
        expect(cross).to_have_count(0)
    page.get_by_label(WORDS("web.setting.max_iterations"), exact=True).fill("1")
    page.get_by_role("button", name=WORDS("web.form.start")).click()
    page.wait_for_url("**/threadx/runs/*")
    record = RunRecord(home, page.url.rpartition("/")[2])
    page.locator(".tx-trust").wait_for()
    about = record.about()
    assert not any(about["context"][name] for name in OPTIONAL)
    assert about["input"]["reading"] == Reading().model_dump(mode="json")
    assert StrategySpec.model_validate(record.result()["initial"]["strategy"]).risk.active() == {}
    assert complaints == []


def test_a_file_is_read_as_the_form_says(page: Page, url: str, tmp_path: Path) -> None:
    """A spreadsheet's day numbers: the refusal names the field, and the field makes them readable."""
    path = tmp_path / "SHEET_1d.csv"
    frame = made_up_prices(300).reset_index(drop=True)
    frame.insert(0, "date", [str(44_562.0 + day).replace(".", ",") for day in range(len(frame))])
    frame.to_csv(path, sep=";", decimal=",", index=False)
    opened(page, f"{url}/threadx/new")
    page.locator("input[type=file]").set_input_files(path)
    label = WORDS("web.setting.time_format")
    expect(page.get_by_role("alert").filter(has_text=f"«\xa0{label}\xa0» = excel")).to_be_visible()
    page.get_by_text(WORDS("web.form.reading"), exact=True).click()
    page.get_by_label(label, exact=True).fill("excel")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_text("SHEET, 1d").first.wait_for(timeout=EFFECT_MILLISECONDS)


@pytest.mark.model
def test_a_model_is_chosen_from_those_that_are_there(page: Page, url: str) -> None:
    pytest.importorskip("xllamacpp", reason="the embedded extra is not installed")
    _, complaints = watch(page)
    opened(page, f"{url}/threadx/new")
    role = WORDS("report.role.strategist")
    page.get_by_label(WORDS("web.form.installed", role=role), exact=True).click()
    page.get_by_role("option", name="embedded:smollm2", exact=True).click(timeout=EFFECT_MILLISECONDS)
    expect(page.get_by_label(role, exact=True)).to_have_value("embedded:smollm2, rules")
    assert complaints == []


def choose(page: Page, way: str) -> None:
    button = page.get_by_role("button", name=WORDS("web.form.choose_file"))
    work(page, button, way, button.evaluate(ABOUT))


@pytest.mark.parametrize("way", some(WAYS, ("keyboard",)))
def test_a_file_is_chosen(page: Page, url: str, prices: Path, way: str) -> None:
    _, complaints = watch(page)
    opened(page, f"{url}/threadx/new")
    with page.expect_file_chooser(timeout=EFFECT_MILLISECONDS) as chooser:
        choose(page, way)
    chooser.value.set_files(prices)
    page.get_by_text("DEMOUSD, 1h").first.wait_for()
    assert complaints == []


def test_a_file_is_dropped(page: Page, url: str, prices: Path) -> None:
    """The browser's own drag of a file from the desktop, not events made up in the page."""
    _, complaints = watch(page)
    opened(page, f"{url}/threadx/new")
    button = page.get_by_role("button", name=WORDS("web.form.choose_file"))
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(prices)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"type": kind, "x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session.send("Input.dispatchDragEvent", {**place, "data": data})
    page.get_by_text("DEMOUSD, 1h").first.wait_for(timeout=EFFECT_MILLISECONDS)
    assert complaints == []


@pytest.mark.soak
def test_where_no_model_answers_the_run_says_that_rules_stood_in(page: Page, url: str, home: Path) -> None:
    """The form keeps the models that were meant, so that the run knows who did not answer."""
    opened(page, f"{url}/threadx/new")
    page.get_by_label(WORDS("web.setting.max_iterations"), exact=True).fill("1")
    page.get_by_role("button", name=WORDS("web.form.start")).click()
    page.wait_for_url("**/threadx/runs/*")
    run = page.url.rpartition("/")[2]
    page.locator(".tx-trust").wait_for()
    assert "· sans modèle" in page.locator("h1").inner_text()
    page.get_by_role("tab", name=WORDS("web.tab.audit")).click()
    expect(page.get_by_text(WORDS("report.degraded")).first).to_be_visible()
    result = json.loads((home / "runs" / run / "result.json").read_text(encoding="utf-8"))
    assert result["degraded"] is True


@pytest.mark.soak  # a laptop has to sleep longer than NiceGUI's own three seconds
def test_what_was_typed_outlives_a_laptop_that_sleeps(browser: Browser, url: str) -> None:
    with opened_page(browser, "phone-dark") as page:
        page.goto(f"{url}/threadx/new")
        field = page.get_by_label(re.compile("^Itérations"))
        field.fill("7")
        field.press("Tab")
        page.evaluate("window.socket.disconnect()")
        page.wait_for_timeout(5_000)
        page.evaluate("window.socket.connect()")
        page.get_by_text("Tentative de reconnexion").wait_for(state="hidden")
        expect(field).to_have_value("7")
