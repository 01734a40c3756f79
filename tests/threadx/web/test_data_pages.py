"""Data, calibration and past outlooks as a person meets them: pages read, buttons clicked, files brought."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from backtest import Engine
from nodes.ensemble.scores.fared import course
from nodes.ensemble.scores.stances import stances_path
from prompts import Words
from providers.calls_log import append_line
from tests.browser import opened_browser, opened_page, served_pages, watch, wider_than_the_screen
from tests.threadx.web.test_hours import publish, summary
from threadx.jobs import calibration
from threadx.web.outlooks import lines
from vault.datasets import open_holdout, register
from vault.readers.prices import read_prices

WORDS = Words("fr", "page")
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def told_hour(home: Path, hour: datetime, said: str) -> None:
    """A published hour with its line of stances."""
    publish(home, f"{hour:%Y%m%d%H}", summary(outlook_days_7=said, outlook_days_30="neutral"))
    voice = {"model": "rules", "7d": [0.4, 0.3, 0.3], "30d": [0.4, 0.3, 0.3]}
    line = {"hour": f"{hour:%Y%m%d%H}", "made": hour.isoformat(), "live": True, "voices": {"pool": voice}}
    append_line(stances_path(home), line)


def market(home: Path) -> None:
    """A quiet market that gains a fifth on 5 March 2026 and stays there, known to the end of the month."""
    days = pd.date_range("2025-01-01", "2026-03-31")
    close = 100.0 + np.random.default_rng(1).normal(0.0, 0.5, len(days))
    close[days >= "2026-03-05"] *= 1.2
    table = pd.DataFrame(
        {"date": days, "Volume": 1.0, **dict.fromkeys(("Open", "High", "Low", "Close"), close)}
    )
    folder = home / "prices/ticker=SPY"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "prices.parquet", index=False)


def test_an_outlook_is_right_where_the_market_did_what_it_said(tmp_path: Path) -> None:
    for days, said in ((0, "positive"), (1, "negative"), (24, "positive")):
        told_hour(tmp_path, BEGIN + timedelta(days=days), said)
    assert WORDS("web.outlooks.no_prices") in lines(course(tmp_path, BEGIN), WORDS)
    market(tmp_path)
    found = course(tmp_path, datetime(2026, 3, 31, tzinfo=UTC))
    week, month = found.horizons["7d"], found.horizons["30d"]
    assert [one.came.move > 0.15 if one.came else None for one in week.outlooks] == [True, True, None]
    assert (week.passed, week.right, week.windows) == (2, 1, 1)
    assert (month.passed, [one.came for one in month.outlooks]) == (0, [None] * 3)
    told = lines(found, WORDS)
    assert "1 sur 2 (50\u00a0%)" in told[0]
    assert told[1] == WORDS("web.outlooks.open", horizon="30 jours")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prices with a gap, a split whose holdout was opened once, an outlook that has passed."""
    folder = tmp_path_factory.mktemp("home")
    market(folder)
    told_hour(folder, BEGIN, "positive")
    index = pd.date_range("2025-02-01", periods=400, freq="h", tz="UTC")
    close = 100.0 + np.random.default_rng(2).normal(0.0, 0.5, 400).cumsum()
    table = pd.DataFrame(
        {"time": index, "open": close, "high": close, "low": close, "close": close, "volume": 1.0}
    )
    table.drop(range(100, 107)).to_csv(folder / "prices" / "GAPPY_1h.csv", index=False)
    (folder / "secret.csv").write_text("time,open,high,low,close\n", encoding="utf-8")
    prices, source = read_prices("sample:sp500", folder)
    dataset = register(prices, symbol=source.symbol, timeframe=source.timeframe, home=folder)
    open_holdout(dataset, folder, reader="somebody-s-run")
    return folder


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_pages(home, tmp_path_factory.mktemp("ui")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened_page(browser, "phone-dark") as opened:
        yield opened


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, timeout=60, headers=headers)


@pytest.mark.server
@pytest.mark.long
def test_paths_that_nobody_serves_and_files_that_nobody_offers(url: str) -> None:
    nothing = get(f"{url}/nothing", accept="text/html,*/*")
    assert (nothing.status_code, WORDS("web.not_found.title") in html.unescape(nothing.text)) == (404, True)
    program = get(f"{url}/nothing", accept="application/json")
    assert (program.status_code, program.headers["content-type"]) == (404, "application/json")
    hour = get(f"{url}/llm_summary?hour=yesterday")
    assert (hour.status_code, WORDS("web.not_found.hour") in html.unescape(hour.text)) == (404, True)
    for path in ("secret.csv", "/etc/passwd"):
        told = html.unescape(get(f"{url}/threadx/data?data={path}").text)
        assert WORDS("web.data.unknown", data=path) in told
    assert get(f"{url}/threadx/calibration/power.svg?result=../secret").status_code == 404


@pytest.mark.server
@pytest.mark.browser
@pytest.mark.long
def test_a_person_looks_at_data_and_brings_a_calibration(
    page: Page, url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/threadx/data")
    page.get_by_role("link", name="prices/GAPPY_1h.csv").click()
    page.get_by_text(WORDS("web.data.gaps", gaps=1, missing="7")).wait_for()
    assert page.locator(".tx-gap").count() == 1
    page.get_by_role("link", name=WORDS("web.declare.title")).click()
    page.wait_for_url("**/declare?*")
    page.wait_for_load_state("networkidle")
    page.get_by_label(WORDS("web.declare.text"), exact=True).fill("Les croisements paient ici.")
    page.get_by_label(WORDS("report.param.slow_period"), exact=True).fill("30")
    page.get_by_role("button", name=WORDS("web.declare.seal")).click()
    page.get_by_role("link", name=WORDS("web.declare.run")).wait_for()
    (market_file,) = (home / "declared").glob("*.json")
    sealed = json.loads(market_file.read_text(encoding="utf-8"))
    assert sealed["declaration"]["text"] == "Les croisements paient ici."
    assert sealed["declaration"]["symbol"] == "GAPPY"
    assert sealed["declaration"]["strategy"]["params"]["slow_period"] == 30
    expect(page.get_by_role("status")).to_contain_text(sealed["fingerprint"])
    page.goto(f"{url}/threadx/data")
    page.get_by_role("link", name="GAPPY, horaire").click()
    expect(page.get_by_text("Les croisements paient ici.")).to_be_visible()
    page.get_by_role("link", name="S&P 500 (^GSPC), journalier").click()
    opened = page.locator("section", has_text=WORDS("web.data.opened"))
    expect(opened.locator("tbody tr")).to_have_count(1)
    expect(opened).to_contain_text("somebody-s-run")
    assert wider_than_the_screen(page) <= 0

    page.goto(f"{url}/llm_summary")
    page.get_by_text(re.compile("1 sur 1")).wait_for()
    drawn = page.get_by_alt_text(WORDS("web.outlooks.drawn"))
    drawn.scroll_into_view_if_needed()
    drawn.evaluate("image => image.decode()")
    with page.expect_download() as kept:
        page.get_by_role("button", name=WORDS("web.summary.report")).click()
    assert kept.value.suggested_filename == f"summary-{BEGIN:%Y%m%d%H}.pdf"
    assert Path(kept.value.path()).read_bytes().startswith(b"%PDF-")

    def made_up(one):  # a verdict, without a cycle
        return {
            **{"kind": one.kind, "strength": one.strength, "verdict": "unproven", "limit": 0.5},
            **{"lost": "not_kept", "development_p": 0.5, "holdout_p": 0.5, "combined_p": 0.5},
            **{"single_p": None, "untouched": False},
        }

    monkeypatch.setattr(calibration, "run_case", made_up)
    brought, broken = tmp_path / "made.json", tmp_path / "broken.json"
    brought.write_text(json.dumps(calibration.calibrate(6, 5, 42, engine=Engine())), encoding="utf-8")
    broken.write_text('{"seed": 42}', encoding="utf-8")
    page.goto(f"{url}/threadx/calibration")
    for path in (broken, brought):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name=WORDS("web.calibration.choose")).click()
        chooser.value.set_files(path)
        if path == broken:
            expect(page.get_by_role("alert")).to_contain_text("broken.json")
    page.get_by_text(WORDS("command.calibrate_lost_title")).wait_for()
    page.get_by_alt_text(WORDS("web.calibration.drawn")).evaluate("image => image.decode()")
    assert [path.name for path in (home / "calibration").iterdir()] == ["seed42-6-5-1260-10.json"]
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []
