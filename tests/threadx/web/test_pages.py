"""The pages as `threadx ui` serves them, by plain HTTP and in a real browser."""

from __future__ import annotations

import contextlib
import html
import http.client
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

import threadx
from nodes.ensemble.operation.run_log import append_failure
from prompts import Words
from record.events import RoleCalled
from record.record import RunRecord
from record.scorecards import Card, keep
from tests.browser import VIEWS, opened_browser, opened_page, watch, wider_than_the_screen
from tests.damage import changed_pages
from tests.langgraph_server import clean_environment, free_port, started
from tests.laws import combined, some
from tests.run_lines import lines
from threadx.errors import ThreadxError

pytestmark = [pytest.mark.server, pytest.mark.long]

RULES = {"analyst": "rules", "strategist": "rules", "validator": "rules"}
AGENTS = {agent: "rules" for agent in ("technical", "macro", "sentiment", "quality", "arbiter")}
FOREIGN_IMAGE = "http://198.51.100.7/stolen.png"
NO_BREAK_SPACE = "\u00a0"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one finished run, one that has just begun, and one summary."""
    folder = tmp_path_factory.mktemp("home")
    threadx.optimize(
        "sample:sp500",
        params={"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
        run="finished",
        home=str(folder),
        max_iterations=2,
        **RULES,
    )
    with pytest.raises(ThreadxError):  # waits for a person
        threadx.optimize(
            "sample:sp500", run="waiting", home=str(folder), language="en", approve=True, **RULES
        )
    threadx.summarize(data="sample", home=str(folder), **AGENTS)
    begun = RunRecord(folder, "begun")
    begun.start({"graph": "optimization", "input": {"data": "sample:sp500"}, "context": {}})
    begun.append("i01.analyst", "analyst", RoleCalled(), iteration=1)
    (folder / "secret").mkdir()
    (folder / "secret" / "run.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    arguments = ["-c", "from threadx.command import main; main()", "ui", "--port", str(port)]
    environment = clean_environment(LANGSMITH_TRACING="false")
    work = tmp_path_factory.mktemp("ui")
    with started([*arguments, "--home", str(home)], work, environment, f"{address}/threadx"):
        yield address
    assert [path.name for path in work.iterdir()] == ["server.log"]


def contents(home: Path) -> dict[str, bytes]:
    """Every file of a data folder but the log of who asked."""
    return {str(path): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=30)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/threadx", "Lancer une exécution"),
        ("/threadx/new", "Stratégie de départ"),
        ("/threadx/runs/finished", "Variantes essayées"),
        ("/threadx/bench", "Balayage"),
        ("/threadx/models", "ollama:deepseek-r1:70b"),
        ("/threadx/follow", "Rien n’est encore scellé"),
        ("/threadx/data", "Exemple"),
        ("/threadx/declare", "Sceller"),
        ("/threadx/calibration", "threadx calibrate --null"),
        ("/llm_summary", "Facteurs clés"),
        ("/observability", "Dix dernières exécutions"),
    ],
)
def test_every_page_is_served(url: str, path: str, says: str) -> None:
    page = get(f"{url}{path}")
    assert (page.status_code, says in page.text) == (200, True)
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_the_page_of_what_is_followed_lists_each_seal_and_one_that_is_damaged(url: str, home: Path) -> None:
    threadx.follow("finished", home=home)
    (home / "forward" / "broken.json").write_text("{}", encoding="utf-8")
    told = html.unescape(get(f"{url}/threadx/follow").text)
    assert "GSPC" in told
    assert "ouvert" in told
    assert "/threadx/runs/finished" in told
    assert "n’est pas celui qui a été écrit" in told


def test_the_page_of_models_shows_the_cards_that_tests_have_left(url: str, home: Path) -> None:
    empty = get(f"{url}/threadx/models").text
    assert "Aucun modèle n’a été testé" in empty
    card = Card(faults={"costs": {"answers": 4, "named": 3, "aimed": 1, "fitting": 0}})
    card.roles["analyst"].add("first", 3, 4)
    keep(home, "ollama:mine", card, "fr", 6)
    keep(home, "ollama:of others", card, "en", 6)
    (home / "scorecard" / "cards" / "broken.json").write_text('{"model": 5}', encoding="utf-8")
    told = (
        html.unescape(get(f"{url}/threadx/models").text).replace(NO_BREAK_SPACE, " ").replace("\u202f", " ")
    )
    assert "75 % (3/4)" in told
    assert "75 % · 25 % · 0 %" in told
    assert "1 cas sur 6" in told
    assert "ollama:mine" in told
    assert "ollama:of others" not in told


def test_list_leads_to_every_run(url: str) -> None:
    page = get(f"{url}/threadx")
    assert page.status_code == 200
    assert "/threadx/runs/finished" in page.text
    assert "/threadx/runs/begun" in page.text
    assert "interrompue" in page.text


def test_finished_run_is_whole_in_the_first_answer(url: str, home: Path) -> None:
    page = get(f"{url}/threadx/runs/finished")
    result = RunRecord(home, "finished").result()
    assert page.status_code == 200
    for entry in result["history"]:
        for trial in entry["trials"]:
            assert trial["sentence"] in page.text.replace("&gt;", ">").replace("&lt;", "<")
    assert "Rapport complet" in page.text
    words = Words("fr")
    for part in ("holdout", "walk_forward", "development"):  # each figure says what it was measured on
        assert words(f"report.part.{part}") in html.unescape(page.text)
    # The packaged sample is of an exchange: about 252 days a year, said where its figures are.
    said = html.unescape(page.text).replace(NO_BREAK_SPACE, " ")
    assert said.count("Annualisé sur 252 barres par an") == 2  # beside the figures, and in the report


def test_a_run_in_another_language_than_its_reader_s_says_so(url: str) -> None:
    told = Words("fr")("web.fold.other_language")
    assert told in html.unescape(get(f"{url}/threadx/runs/waiting").text)
    assert told not in html.unescape(get(f"{url}/threadx/runs/finished").text)


def test_french_typography_reaches_the_page(url: str) -> None:
    page = get(f"{url}/threadx/runs/finished")
    assert f"La recherche s’est arrêtée{NO_BREAK_SPACE}:" in page.text
    assert 'lang="fr"' in page.text


def test_a_run_at_which_nobody_works_says_so(url: str) -> None:
    assert Words("fr")("web.live.interrupted_early") in html.unescape(get(f"{url}/threadx/runs/begun").text)


def test_summary_is_in_words(url: str) -> None:
    page = get(f"{url}/llm_summary")
    assert page.status_code == 200
    for heading in ("Régime économique", "Facteurs clés", "Recommandations", "Limites"):
        assert heading in page.text
    assert "expansion_modérée" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/threadx/runs/unknown",
        "/threadx/runs/..",
        "/threadx/runs/%2e%2e",
        "/threadx/runs/..%2fsecret",
        "/threadx/runs/..%5csecret",
        "/threadx/runs/.hidden",
        "/threadx/runs/%00",
        "/threadx/runs/" + "a" * 300,
        "/threadx/nowhere",
    ],
)
def test_names_that_are_no_run_get_a_polite_404(url: str, path: str) -> None:
    # By http.client, which sends the path as it is; others resolve the dots before they ask.
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 404
        assert b"Traceback" not in answer.read()


def test_a_name_that_only_resolves_to_this_machine_is_refused(url: str) -> None:
    for path in ("/threadx", "/llm_summary", "/observability", "/threadx/_nicegui_ws/socket.io/?EIO=4"):
        answer = httpx.get(f"{url}{path}", headers={"host": "rebound.example"}, timeout=30)
        assert answer.status_code == 403
        assert "finished" not in answer.text


def test_other_sites_reach_neither_the_socket_nor_an_upload(url: str) -> None:
    socket = f"{url}/threadx/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert get(socket).status_code == 200
    for foreign in ({"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}):
        assert httpx.get(socket, headers=foreign, timeout=30).status_code == 403
        upload = f"{url}/threadx/_nicegui/client/x/upload/1"
        assert httpx.post(upload, headers=foreign, files={"f": b"x"}, timeout=30).status_code == 403


def test_a_result_with_a_field_that_nobody_knows_harms_its_own_page_alone(url: str, home: Path) -> None:
    told = RunRecord(home, "finished").result()
    changes: dict[str, Any] = {
        "reason": {"stop_reason": "no such"},
        "score": {"final_score": "x"},
        "verdict": {"verdict": {"value": "x", "reasons": [{}]}},
        "champion": {"champion": []},
        "status": {"status": "x"},
        "empty": dict.fromkeys(told),
    }
    changes = dict(some([*changes.items()], [*changes.items()][1::2]))
    for name, changed in changes.items():
        shutil.copytree(home / "runs" / "finished", home / "runs" / f"odd-{name}")
        path = home / "runs" / f"odd-{name}" / "result.json"
        path.write_text(json.dumps({**told, **changed}), encoding="utf-8")
    try:
        for name in changes:
            page = get(f"{url}/threadx/runs/odd-{name}")
            assert page.status_code == 200, (name, page.text[:200])
            assert Words("fr")("web.not_found.unreadable") in html.unescape(page.text), name
            for drawn in some(("holdout", "convergence", "equity"), ("holdout",)):
                picture = get(f"{url}/threadx/runs/odd-{name}/pictures/{drawn}.svg")
                assert picture.status_code in (200, 404), (name, drawn)
        listed = get(f"{url}/threadx")
        assert (listed.status_code, "/threadx/runs/finished" in listed.text) == (200, True)
    finally:
        for name in changes:
            shutil.rmtree(home / "runs" / f"odd-{name}")


def test_charts_are_pictures_of_this_server(url: str) -> None:
    base = f"{url}/threadx/runs/finished/pictures"
    shown = get(f"{base}/convergence.svg?width=phone&dark=1")
    assert shown.headers["content-type"] == "image/svg+xml"
    assert shown.text.startswith("<svg")
    assert "http" not in shown.text.replace("http://www.w3.org/", "")
    for drawn, words in (
        ("folds", "Tests glissants (walk-forward)"),
        ("holdout", "Rendement sur les données réservées"),
    ):
        assert words in get(f"{base}/{drawn}.svg").text
    for unknown in ("secret.svg", "convergence.exe", "convergence.svg?width=huge"):
        assert get(f"{base}/{unknown}").status_code == 404
    assert get(f"{url}/threadx/runs/begun/pictures/convergence.svg").status_code == 404
    assert get(f"{url}/threadx/runs/unknown/pictures/convergence.svg").status_code == 404


def test_there_is_no_report_of_a_run_that_has_not_ended_or_is_none(url: str) -> None:
    for run in ("begun", "unknown", "..%2fsecret"):
        assert get(f"{url}/threadx/runs/{run}/report.pdf").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    combined(("POST", "PUT", "DELETE", "PATCH"), ("/threadx", "/threadx/runs/finished", "/llm_summary")),
)
def test_pages_change_nothing(url: str, home: Path, method: str, path: str) -> None:
    """A page of ours acts through its socket alone; whoever asks without one is told that he may not."""
    before = contents(home)
    body = {"data": {"name": "x"}, "files": {"file": b"x"}} if method != "DELETE" else {}
    nameless = httpx.request(method, f"{url}{path}", timeout=30, **body)
    assert (nameless.status_code, nameless.text) == (403, Words("fr", "page")("web.guard.foreign"))
    for own in ({"origin": url}, {"sec-fetch-site": "same-origin"}):
        assert httpx.request(method, f"{url}{path}", headers=own, timeout=30, **body).status_code == 405
    assert contents(home) == before


@pytest.mark.parametrize("run", ["finished", "waiting"])
def test_a_field_of_an_event_that_nobody_knows_harms_its_own_page_alone(
    url: str, home: Path, run: str
) -> None:
    """The short form of a walk that `benchmarks.damage` makes in full."""
    problems = [(label, problem) for label, problem in changed_pages(url, home, run, every=997) if problem]
    assert problems == []
    assert f"/threadx/runs/{run}" in get(f"{url}/threadx").text


def test_a_comparison_says_which_run_it_does_not_find(url: str) -> None:
    told = html.unescape(get(f"{url}/threadx/compare?run=finished&run=nobody").text)
    assert Words("fr")("web.compare.none_such", run="nobody") in told
    assert Words("fr")("web.compare.none_such", run="finished") not in told
    twice = html.unescape(get(f"{url}/threadx/compare?run=finished&run=finished").text)
    assert Words("fr")("web.compare.twice") in twice


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ('{"patience": 900}', "new"),
        ('{"models": {"analyst": 5}}', "new"),
        ('{"models": 5}', "models"),
        ('{"deadlines": "abc"}', "models"),
    ],
)
def test_settings_that_are_refused_are_told_in_our_own_frame(
    url: str, home: Path, said: str, path: str
) -> None:
    settings = home / "settings.json"
    settings.write_text(said, encoding="utf-8")
    try:
        page = get(f"{url}/threadx/{path}")
    finally:
        settings.unlink()
    told, words = html.unescape(page.text), Words("fr")
    assert (page.status_code, words("web.failed.title") in told) == (500, True)
    assert "settings.json" in told
    assert words("web.nav.runs") in told
    assert "Server error" not in told


def test_pages_forbid_anything_from_elsewhere(url: str) -> None:
    policy = get(f"{url}/threadx").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "img-src 'self' data:" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(params=some([*VIEWS], ["phone-dark"]))
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    with opened_page(browser, request.param) as opened:
        yield opened


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.browser
def test_finished_run_in_a_browser(page: Page, url: str, home: Path) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/threadx")
    page.locator("a[href='/threadx/runs/finished']").click()
    page.get_by_role("heading", level=1, name="S&P 500 (^GSPC), journalier").wait_for()
    result: dict[str, Any] = RunRecord(home, "finished").result()
    trials = [trial for entry in result["history"] for trial in entry["trials"]]
    page.get_by_role("tab", name="Variantes").click()
    rows = page.locator("section", has_text="Variantes essayées").locator("tbody tr")
    rows.first.wait_for()
    told = rows.all_inner_texts()
    assert len(told) == len(trials) + 2  # the strategy it began with, and the first of the survey
    (leads,) = [row for row in told if "\tchampion\t" in row or "\tadoptée\t" in row]
    assert f"\t{Words('fr').number(result['final_score'])}\t" in leads
    assert all(any(trial["sentence"] in row for row in told) for trial in trials)
    page.get_by_role("tab", name="Débat").click()
    last = [event["data"] for event in lines(RunRecord(home, "finished")) if event["kind"] == "debate_turn"]
    page.locator(".q-message").first.wait_for()
    assert 0 < page.locator(".q-message").count() <= len(last)
    page.get_by_role("tab", name="Audit").click()
    page.get_by_text("Rapport complet").click()
    page.locator(".tx-report h2").first.wait_for()
    assert wider_than_the_screen(page) <= 0
    assert (background(page) == "rgb(16, 21, 27)") == page.evaluate(
        "matchMedia('(prefers-color-scheme: dark)').matches"
    )
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


@pytest.mark.browser
def test_summary_in_a_browser(page: Page, url: str) -> None:
    hosts, complaints = watch(page)
    page.goto(f"{url}/llm_summary")
    page.get_by_role("heading", name="Facteurs clés").wait_for()
    assert page.locator("section", has_text="Éléments cités").locator("tbody tr").count() >= 3
    assert wider_than_the_screen(page) <= 0
    assert set(hosts) == {"127.0.0.1"}
    assert complaints == []


@pytest.mark.browser
def test_open_page_follows_the_run(page: Page, url: str, home: Path, request: pytest.FixtureRequest) -> None:
    name = f"live-{request.node.callspec.id}"
    record = RunRecord(home, name)
    record.start({"graph": "optimization", "input": {"data": "sample:sp500"}, "context": {}})
    page.goto(f"{url}/threadx/runs/{name}")
    page.get_by_text(Words("fr")("web.live.interrupted_early")).wait_for()
    for event in RunRecord(home, "finished").events():
        record.append(event.id, event.node, event.data, iteration=event.iteration, cites=event.cites)
    page.locator(".tx-about", has_text=Words("fr")("web.runs.finished")).wait_for()
    page.get_by_role("tab", name="Journal").click()
    page.locator(".tx-step").first.wait_for()


@pytest.mark.browser
def test_markup_that_a_model_wrote_is_shown_as_it_is(page: Page, url: str, home: Path) -> None:
    name, hostile = (
        "hostile",
        f"![x]({FOREIGN_IMAGE}) <img src='{FOREIGN_IMAGE}' onerror='window.stolen = 1'>",
    )
    if not (home / "runs" / name).exists():
        shutil.copytree(home / "runs" / "finished", home / "runs" / name)
        result = RunRecord(home, name).result()
        result["history"][0]["trials"][0]["sentence"] = hostile
        (home / "runs" / name / "result.json").write_text(json.dumps(result), encoding="utf-8")
    answered: list[str] = []
    page.on("response", lambda answer: answered.append(answer.url))
    page.goto(f"{url}/threadx/runs/{name}")
    page.get_by_role("tab", name="Audit").click()
    page.get_by_text("Rapport complet").click()
    page.locator(".tx-report").get_by_text(hostile).wait_for()
    assert page.locator(".tx-report img").count() == 0
    assert FOREIGN_IMAGE not in answered
    assert page.evaluate("window.stolen") is None


def test_what_has_changed_stands_first(url: str, home: Path) -> None:
    (newest,) = sorted((home / "llm_summary").glob("dt=*"))[-1:]
    told = json.loads((newest / "summary.json").read_text(encoding="utf-8"))
    later = home / "llm_summary/dt=2099010100"
    later.mkdir()
    file = later / "summary.json"
    try:
        change = {"kind": "risk_level", "before": "low", "now": "high"}
        for changes, line in (
            ([], "Rien n’a changé depuis"),
            ([change], "Niveau de risque\u00a0: faible → élevé"),
        ):
            file.write_text(
                json.dumps({**told, "since": "2098-12-31T23:00:00+00:00", "changes": changes}),
                encoding="utf-8",
            )
            page = get(f"{url}/llm_summary").text
            assert 0 < page.index(line) < page.index("Facteurs clés")
            assert "depuis la synthèse du 31\u00a0déc.\u00a02098, 23:00\u00a0UTC" in page
    finally:
        file.unlink()
        later.rmdir()


def test_an_hour_that_was_not_published_says_so(url: str) -> None:
    page = html.unescape(get(f"{url}/llm_summary?hour=2001010100").text)
    moment = Words("fr", "page")("web.moment", date="2001-01-01", hour="00:00")
    assert Words("fr")("web.summary.not_published", moment=moment) in page
    assert Words("fr")("web.summary.none") not in page


def test_alerts_of_the_ensemble_stand_on_its_monitoring(url: str, home: Path) -> None:
    assert "Alerte" not in get(f"{url}/observability").text
    for _ in range(2):
        append_failure(home, hour=None, code="no_usable_data", seconds=0.1)
    page = get(f"{url}/observability").text
    assert f"Alerte{NO_BREAK_SPACE}: sur un jour" in page
    assert "Alerte" not in get(f"{url}/llm_summary").text
    told = get(f"{url}/threadx/metrics").text
    assert 'threadx_ensemble_alert{alert="failures"} 1.0' in told


def test_a_review_begins_with_what_was_read(url: str, home: Path) -> None:
    words = Words("fr")
    threadx.review("sample:sp500", run="read", home=str(home), **RULES)
    page = get(f"{url}/threadx/runs/read").text
    told = {
        "start": words("web.preset.ma_crossover"),
        "instrument": "S&P 500 (^GSPC)",
        "timeframe": "journalier",
    }
    title = words("web.fold.no_model", title=words("web.fold.title_review", **told))
    assert title in html.unescape(page)
    assert page.count(words("report.review.nothing_tested")) == 2, "findings stand open, and in the audit"
