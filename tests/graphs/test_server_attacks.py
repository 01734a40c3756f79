"""Another site's page against the real `langgraph dev`: every route, and a browser that plays the part."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.attacks import ATTACKS, EVIL, LANGGRAPH_ROUTES, OUR_ROUTES, STUDIO, Attack, filled
from tests.base.test_bounded import OLD_FEATHER
from tests.browser import PATIENCE, opened_browser, opened_page
from tests.langgraph_server import Server, clean_environment, free_port, langgraph_server, started
from tests.prices import made_up_prices

pytestmark = [pytest.mark.server, pytest.mark.long]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with langgraph_server(tmp_path_factory.mktemp("attacked"), OLLAMA_HOST="http://127.0.0.1:9") as running:
        yield running


SOCKET = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def routes(server: Server) -> list[tuple[str, str]]:
    """(method, path) of all the server says it has, placeholders filled, and of what it does not say."""
    told: dict[str, Any] = httpx.get(f"{server.url}/openapi.json", timeout=30).json()["paths"]
    said = {
        (method.upper(), path.replace("{", "").replace("}", "").replace("_id", ""))
        for path, methods in told.items()
        for method in methods
    }
    return sorted(said | set(LANGGRAPH_ROUTES))


def attacked(server: Server, attack: Attack, method: str, path: str) -> int:
    """Status of the answer, whose headers a client that minds its manners would not send."""
    own = server.url.removeprefix("http://")
    connection = HTTPConnection(own, timeout=30)
    asked = f"{path}?{attack.query}" if attack.query else path
    connection.putrequest(attack.method or method, asked, skip_host=True, skip_accept_encoding=True)
    for name, value in [*filled(attack, own), *(SOCKET.items() if attack.socket else ())]:
        connection.putheader(name, value)
    connection.endheaders(attack.body)
    answer = connection.getresponse()
    connection.close()
    assert answer.getheader("access-control-allow-origin") is None
    return answer.status


def test_no_route_is_missing_in_the_table(server: Server) -> None:
    assert set(routes(server)) == set(LANGGRAPH_ROUTES)


@pytest.mark.parametrize("kind", ATTACKS)
def test_no_route_answers_another_sites_page(server: Server, kind: str) -> None:
    attack = ATTACKS[kind]
    for method, path in LANGGRAPH_ROUTES if attack.langgraphs_alone else LANGGRAPH_ROUTES + OUR_ROUTES:
        status = attacked(server, attack, method, path)
        assert status in (400, 403, 415), (method, path, status)


def test_studio_and_programs_are_answered(server: Server) -> None:
    studio = {"origin": STUDIO, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        asked = client.options("/assistants/search", headers=studio | preflight)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] in ("*", STUDIO)
        found = client.post("/assistants/search", json={}, headers=studio)
        assert found.headers["access-control-allow-origin"] in ("*", STUDIO)
        assert {one["graph_id"] for one in found.json()} == {"optimization", "review", "ensemble"}
        assert client.post("/assistants/search", json={}).status_code == 200
        refused = client.options("/assistants/search", headers=preflight | {"origin": f"http://{EVIL}"})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


ATTACK = """async (server) => {
    const got = []
    const run = {assistant_id: "optimization", input: {data: "sample:sp500"}, context: {}}
    const tries = {
        "no-cors post": () => fetch(server + "/runs/wait", {
            method: "POST", mode: "no-cors", body: JSON.stringify(run)}),
        "cors post": () => fetch(server + "/runs", {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(run)}),
        "cors read": () => fetch(server + "/info").then(answer => answer.text()).then(text => got.push(text)),
        "beacon": async () => navigator.sendBeacon(server + "/threads", JSON.stringify({})),
        "form": async () => {
            const form = document.createElement("form")
            form.method = "post"; form.enctype = "text/plain"; form.target = "sink"
            form.action = server + "/threads"
            form.innerHTML = "<input name='{\\"metadata\\": {\\"a' value='b\\"}}'>"
            document.body.append(form); form.submit()
        },
        "frame": () => new Promise(done => {
            const frame = document.createElement("iframe")
            frame.src = server + "/threadx"; frame.onload = done; document.body.append(frame)
        }),
        "socket": () => new Promise((done, failed) => {
            const path = "/threadx/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
            const socket = new WebSocket(server.replace("http", "ws") + path)
            socket.onopen = () => { got.push("socket"); done() }
            socket.onerror = failed
        }),
        "events": () => new Promise((done, failed) => {
            const events = new EventSource(server + "/threads/x/stream")
            events.onopen = () => { got.push("events"); done() }
            events.onerror = failed
        }),
    }
    for (const name of Object.keys(tries)) { try { await tries[name]() } catch (error) { } }
    return got
}"""


def test_an_upload_made_to_crash_or_to_swell_is_refused_and_the_server_stays(
    server: Server, tmp_path: Path
) -> None:
    """Through the pages that LangGraph's own server has mounted."""
    hostile = {
        "bad.feather": OLD_FEATHER,
        "damaged.parquet": b"PAR1" + b"\xff" * 64 + b"PAR1",
        "swells.csv.gz": gzip.compress(
            b"time,open,high,low,close\n" + b"2024-01-01,1,1,1,1\n" * 4_000_000, 1
        ),
        "deep.json": b"[" * 1_000_000,
        "page.csv": b"<html><script>alert(1)</script></html>",
    }
    for name, content in hostile.items():
        (tmp_path / name).write_bytes(content)
    with opened_browser() as browser, opened_page(browser, "wide-light") as page:
        for name in hostile:
            page.goto(f"{server.url}/threadx/new")
            page.locator("input[type=file]").set_input_files(tmp_path / name)
            # The alert is empty and hidden until something is refused.
            expect(page.get_by_role("alert")).to_contain_text(re.compile(r"\w+ \w+ .*[.:]"), timeout=PATIENCE)
        page.goto(f"{server.url}/threadx/new")
        made_up_prices(60, frequency="D").to_csv(tmp_path / "GOOD_1d.csv")
        page.locator("input[type=file]").set_input_files(tmp_path / "GOOD_1d.csv")
        page.get_by_text("GOOD, 1d").wait_for()
    kept = [path.name for path in (server.home / "uploads").rglob("*") if path.is_file()]
    assert kept == ["GOOD_1d.csv"]
    assert httpx.get(f"{server.url}/ok", timeout=30).status_code == 200
    assert httpx.post(f"{server.url}/assistants/search", json={}, timeout=30).status_code == 200


def test_a_page_of_another_name_gets_and_changes_nothing(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("attacker")
    (folder / "index.html").write_text("<iframe name=sink></iframe>", encoding="utf-8")
    port = free_port()
    arguments = ["-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with (
        httpx.Client(base_url=server.url, timeout=30) as client,
        started(arguments, folder, clean_environment(), f"http://127.0.0.1:{port}/index.html"),
        opened_browser(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as browser,
    ):
        page: Page = browser.new_page()
        page.goto(f"http://{EVIL}:{port}/index.html")
        own_name = server.url.replace("127.0.0.1", EVIL)
        for address in (server.url, server.url.replace("127.0.0.1", "localhost"), own_name):
            assert page.evaluate(ATTACK, address) == []
        # The same page under the server's own port: what a name that changes its address would reach.
        page.goto(f"{own_name}/info")
        assert "version" not in page.inner_text("body")
        assert client.post("/threads/search", json={}).json() == []
        assert client.post("/runs/crons/search", json={}).json() == []
    assert not (server.home / "runs").exists()
