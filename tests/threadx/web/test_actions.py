"""What a person does on the pages, in a real browser: start a run, decide, stop, take up, relaunch, read.

With SCREENSHOTS=FOLDER each page is kept there as a picture, and LANGUAGE chooses the pages' language.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import threadx
from prompts import Words
from record.record import RunRecord
from tests.browser import (
    PATIENCE,
    keep_picture,
    opened_browser,
    opened_page,
    served_pages,
    watch,
    wider_than_the_screen,
)
from tests.run_lines import lines
from threadx.web import processes
from threadx.web.order import ROLES
from threadx.web.run_board import TABS
from threadx.web.steering_panel import CHANGE_FIELDS

pytestmark = [pytest.mark.server, pytest.mark.browser, pytest.mark.long]

LANGUAGE: Any = os.environ.get("LANGUAGE_OF_PAGES", "fr")
WORDS = Words(LANGUAGE)
BARS = 900


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of daily prices, as a person would bring it."""
    generator = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0003, 0.01, BARS)))
    start = np.concatenate([[100.0], close[:-1]])
    spread = 1.0 + np.abs(generator.normal(0.0, 0.004, BARS))
    table = pd.DataFrame(
        {
            "timestamp": pd.date_range("2020-01-01", periods=BARS, freq="D"),
            "open": start,
            "high": np.maximum(start, close) * spread,
            "low": np.minimum(start, close) / spread,
            "close": close,
            "volume": generator.uniform(1e3, 2e3, BARS),
        }
    )
    path = tmp_path_factory.mktemp("brought") / "DEMOUSD_1d.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def over(home: Path) -> RunRecord:
    """A run that has ended."""
    threadx.optimize(
        "sample:sp500",
        strategy="ma_crossover",
        params={"fast_period": 5, "slow_period": 20},
        run="left",
        home=str(home),
        max_iterations=1,
        language=LANGUAGE,
        **dict.fromkeys(ROLES, "rules"),
    )
    return RunRecord(home, "left")


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui"), LANGUAGE) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened_page(browser, "wide-light") as opened:
        yield opened


NEEDED = {"en": "A number is needed", "fr": "Il faut un nombre"}


def button(page: Page, key: str) -> Any:
    return page.get_by_role("button", name=WORDS(key))


def form(page: Page, url: str) -> None:
    """The form, once it is known that no model answers here."""
    page.goto(f"{url}/threadx/new")
    expect(page.get_by_text(WORDS("web.form.asking"))).to_have_count(0, timeout=PATIENCE)


def run_of(page: Page, home: Path) -> RunRecord:
    page.wait_for_url(re.compile(r"/threadx/runs/"))
    return RunRecord(home, page.url.rpartition("/")[2])


def test_a_person_starts_a_run_decides_and_finds_the_verdict(
    page: Page, url: str, home: Path, prices: Path
) -> None:
    hosts, complaints = watch(page)
    form(page, url)
    keep_picture(page, f"new.{LANGUAGE}")
    page.locator("input[type=file]").set_input_files(prices)
    page.get_by_text("DEMOUSD, 1d").wait_for()
    page.get_by_label(WORDS("report.param.stop_loss_pct")).fill("3")
    page.get_by_label(WORDS("web.setting.max_iterations"), exact=True).fill("1")
    page.get_by_text(WORDS("web.form.approve")).click()
    button(page, "web.form.start").click()
    record = run_of(page, home)

    page.get_by_role("heading", name=WORDS("web.steer.question", iteration=1)).wait_for()
    expect(page.locator(".tx-about")).to_contain_text(WORDS("web.runs.waiting"))
    keep_picture(page, f"decide.{LANGUAGE}")
    proposals = page.locator("fieldset")
    count = proposals.count()
    assert count > 1
    proposals.first.get_by_text(WORDS("web.steer.edit"), exact=True).click()
    typed = proposals.first.locator("input[type=text]").first
    label = typed.evaluate("one => one.ariaLabel || one.labels[0].innerText")
    assert label.split(" · ")[0] in {WORDS(f"changes.field.{name}") for name in CHANGE_FIELDS}
    usual = typed.input_value()
    typed.fill("nonsense(")
    button(page, "web.steer.decide").click()
    expect(proposals.first.get_by_role("alert")).to_have_text(NEEDED[LANGUAGE])
    expect(typed).to_have_value("nonsense(")
    typed.fill(usual)
    typed = proposals.first.get_by_label(WORDS("changes.field.parameter"), exact=True)
    typed.fill("nonsense(")
    for place in range(1, count):
        proposals.nth(place).get_by_text(WORDS("web.steer.reject"), exact=True).click()
    button(page, "web.steer.decide").click()
    expect(page.get_by_role("alert")).to_contain_text("nonsense(", timeout=PATIENCE)
    page.get_by_role("heading", name=WORDS("web.steer.question", iteration=1)).wait_for()
    # What was chosen and typed still stands: one value is put right, no more.
    expect(typed).to_have_value("nonsense(")
    proposals.first.get_by_text(WORDS("web.steer.accept"), exact=True).click()
    button(page, "web.steer.decide").click()

    page.locator(".tx-trust").wait_for()
    (said,) = [event for event in lines(record) if event["kind"] == "approved"]
    assert (said["data"]["accepted"], len(said["data"]["declined"])) == ([1], count - 1)
    result = record.result()
    verdict = result["verdict"]["value"]
    assert page.locator(".tx-trust").inner_text() == WORDS(f"web.fold.trust_{verdict}")
    assert page.locator(".tx-verdict").inner_text() == WORDS(f"verdict.value.{verdict}")
    page.get_by_text(WORDS("web.section.charts"), exact=True).click()
    image = page.get_by_alt_text(WORDS("web.chart.convergence"))
    image.scroll_into_view_if_needed()
    image.evaluate("image => image.decode()")
    keep_picture(page, f"run.{LANGUAGE}")
    page.get_by_role("tab", name=WORDS("web.tab.evidence")).click()
    stood = sum(finding["outcome"] in ("passed", "skipped") for finding in result["stress"])
    page.get_by_text(WORDS("web.stress.stood", count=stood)).click()
    stress = page.locator("section", has_text=WORDS("web.section.stress")).locator("tbody tr")
    stress.nth(len(result["stress"]) - 1).wait_for()
    with page.expect_download() as report:
        button(page, "web.steer.report").click()
    assert Path(report.value.path()).read_bytes().startswith(b"%PDF")
    about = json.loads((record.folder / "run.json").read_text(encoding="utf-8"))
    assert Path(about["input"]["data"]).resolve().is_relative_to(home.resolve())
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


@pytest.mark.soak  # tests/graphs/test_server_attacks.py uploads the same and more to the other server
def test_a_file_made_to_crash_the_reader_is_refused_and_the_pages_stay(
    page: Page, url: str, home: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.feather"
    bad.write_bytes(b"FEA1" + b"\xff\xff\xff\x7f" * 2 + b"\x08\x00\x00\x00" + b"FEA1")
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1" + b"\xff" * 64 + b"PAR1")
    form(page, url)
    for path, told in ((bad, "Feather"), (damaged, "damaged.parquet")):
        page.locator("input[type=file]").set_input_files(path)
        expect(page.get_by_role("alert")).to_contain_text(told, timeout=PATIENCE)
    form(page, url)


def test_a_page_opened_late_shows_the_whole_run_on_a_phone(
    browser: Browser, url: str, over: RunRecord
) -> None:
    with opened_page(browser, "phone-dark") as page:
        page.goto(f"{url}/threadx")
        # A phone has no room for the column of names: the row leads by what the run is, the newest first.
        page.locator(f"tbody a[href$='/{over.run}']").click()
        page.locator(".tx-trust").wait_for()
        page.wait_for_load_state("networkidle")  # the charts have their size by then
        assert wider_than_the_screen(page) <= 0
        keep_picture(page, f"run-phone.{LANGUAGE}")
        for tab in TABS:
            page.get_by_role("tab", name=WORDS(f"web.tab.{tab}")).click()
            expect(page.locator(".q-tab-panel")).not_to_be_empty()
            assert wider_than_the_screen(page) <= 0, tab
            assert page.evaluate("document.documentElement.scrollHeight / window.innerHeight") <= 3.0, tab


WINDOW = """() => getElement(document.querySelector('.q-tab-panel .tx-pane-chart').id.slice(1))
    .chart.getModel().getComponent('xAxis').axis.scale.getExtent()"""
"""First and last moment that the chart of the tab shows."""


def test_trades_are_sorted_searched_seen_and_taken_home(page: Page, url: str, over: RunRecord) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/threadx/runs/{over.run}")
    page.get_by_role("tab", name=WORDS("web.tab.trades")).click()
    with page.expect_download() as kept:
        page.get_by_role("link", name=WORDS("web.trades.csv")).click()
    trades = pd.read_csv(kept.value.path())
    result = over.run_result()
    assert len(trades) == result["champion"]["development"]["metrics"]["n_trades"]
    assert ((trades["mae"] <= 0.0) & (trades["mfe"] >= 0.0)).all()

    rows = page.locator(".tx-ranked tbody tr")
    head = page.get_by_role("button", name=WORDS("web.trades.return"), exact=True)
    head.press("Enter")
    worst = WORDS.percent(trades["return"].min(), 2, signed=True)
    expect(rows.first).to_contain_text(worst)
    page.get_by_label(WORDS("web.table.search", title=WORDS("web.tab.trades"))).fill(worst)
    expect(rows).not_to_have_count(8)
    assert all(worst in row for row in rows.all_inner_texts())

    whole = page.evaluate(WINDOW)
    rows.first.get_by_role("button").click()
    page.wait_for_function(f"({WINDOW})().reduce((a, b) => b - a) < {(whole[1] - whole[0]) / 4}")
    entry = pd.Timestamp(trades.loc[trades["return"].idxmin(), "entry_time"]).timestamp() * 1000.0
    shown = page.evaluate(WINDOW)
    assert shown[0] < entry < shown[1]
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


def test_two_runs_are_compared(page: Page, url: str, home: Path, over: RunRecord) -> None:
    shutil.copytree(over.folder, home / "runs" / "right")
    records = [over, RunRecord(home, "right")]
    _, complaints = watch(page)
    page.goto(f"{url}/threadx")
    expect(button(page, "web.runs.compare")).to_be_disabled()
    for record in records:
        page.get_by_role("row", name=record.run).get_by_role("checkbox").check()
    button(page, "web.runs.compare").click()
    page.get_by_role("heading", name=WORDS("web.compare.title")).wait_for()
    cells = page.locator("tbody tr", has_text=WORDS("command.runs_column.verdict")).locator("td")
    verdicts = [WORDS(f"verdict.short.{record.run_result()['verdict']['value']}") for record in records]
    assert cells.all_inner_texts()[1:] == verdicts
    assert complaints == []


def test_a_run_is_stopped_and_taken_up_again(page: Page, url: str, home: Path) -> None:
    form(page, url)
    button(page, "web.form.start").click()
    record = run_of(page, home)
    stands = page.locator(".tx-about")
    expect(stands).to_contain_text(WORDS("web.runs.at_work"), timeout=PATIENCE)
    button(page, "web.steer.stop").click()
    button(page, "web.steer.resume").wait_for()
    expect(stands).to_contain_text(WORDS("web.runs.interrupted"))
    before = len(lines(record))
    button(page, "web.steer.resume").click()
    expect(stands).to_contain_text(WORDS("web.runs.at_work"), timeout=PATIENCE)
    button(page, "web.steer.stop").click()
    button(page, "web.steer.resume").wait_for()
    assert len(lines(record)) >= before


def test_second_start_is_refused_politely(page: Page, url: str, home: Path) -> None:
    slot = home / "jobs" / "optimization"
    for folder in (slot.parent, home / "runs"):
        folder.mkdir(exist_ok=True)
    us = {"name": "other", "pid": os.getpid(), "begun": processes.begun(os.getpid()), "log": ""}
    slot.with_suffix(".json").write_text(json.dumps(us), encoding="utf-8")
    runs = sorted(path.name for path in (home / "runs").iterdir())
    form(page, url)
    button(page, "web.form.start").click()
    expect(page.get_by_role("alert")).to_have_text(WORDS("web.error.busy", name="other"))
    assert sorted(path.name for path in (home / "runs").iterdir()) == runs
    slot.with_suffix(".json").unlink()


def test_the_summary_is_relaunched_and_a_second_click_refused(page: Page, url: str, browser: Browser) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/llm_summary")
    page.get_by_text(WORDS("web.relaunch.title")).click()
    page.get_by_label(WORDS("web.relaunch.models")).fill("rules")
    with page.expect_navigation(), opened_page(browser, "phone-dark") as other:
        other.goto(f"{url}/llm_summary")
        button(other, "web.relaunch.now").wait_for()
        button(page, "web.relaunch.now").click()
        page.get_by_text(WORDS("web.relaunch.running")).wait_for()
        button(other, "web.relaunch.now").click()
        other.get_by_text(WORDS("web.error.busy", name="ensemble")).wait_for()
    page.get_by_role("heading", name=WORDS("ensemble.face.key_drivers")).wait_for()
    assert page.locator("section", has_text=WORDS("web.summary.freshness")).locator("tbody tr").count() == 3
    keep_picture(page, f"summary.{LANGUAGE}")
    page.get_by_text(WORDS("web.summary.trace"), exact=True).click()
    page.get_by_text('"messages": [').wait_for()
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


def test_the_runs_of_the_ensemble_can_be_watched(page: Page, url: str, home: Path) -> None:
    threadx.summarize(as_of="2018-12-31T21:00:00", data="sample", home=str(home), models="rules")
    hosts, complaints = watch(page)
    page.goto(f"{url}/observability")
    rows = page.locator("section", has_text=WORDS("web.watch.last")).locator("tbody tr")
    expect(rows.first).to_contain_text(WORDS("ensemble.value.finished"))
    page.locator("section", has_text=WORDS("web.watch.health")).locator("tbody tr").first.wait_for()
    keep_picture(page, f"observability.{LANGUAGE}")
    rows.get_by_role("link").first.click()
    page.get_by_role("heading", name=WORDS("ensemble.face.key_drivers")).wait_for()
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


def test_everything_is_reached_by_keyboard(page: Page, url: str) -> None:
    page.goto(f"{url}/threadx")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == WORDS("web.skip")
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"/threadx/new", "/llm_summary", "/observability"} <= reached
