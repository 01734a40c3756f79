"""Who may see the pages and change something: the guard by itself, asked as servers ask it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from prompts import Words
from tests.langgraph_server import PROJECT, clean_environment
from threadx.command import main
from threadx.web.errors import WebError
from threadx.web.guard import (
    COOKIE,
    FEWEST_KINDS,
    LARGEST_UPLOAD,
    SHORTEST_TOKEN,
    STUDIO_ORIGIN,
    STUDIO_VARIABLE,
    TOKEN_VARIABLE,
    Guard,
    configured_token,
    new_token,
    studio_origin,
)

TOKEN = "a-token-that-nobody-guesses"
HERE = ("127.0.0.1", 50000)
OWN = "http://127.0.0.1:8100"
ELSEWHERE = ("192.0.2.7", 50000)
PATHS = [
    "/threadx",
    "/threadx/runs/x",
    "/threadx/_nicegui_ws/socket.io/",
    "/llm_summary",
    "/threads",
    "/runs/stream",
    "/assistants/search",
    "/store/items",
    "/mcp",
    "/threadxyz",
]


class Inside:
    """The application behind the guard: reads the whole body and says who came in."""

    def __init__(self) -> None:
        self.reached = 0
        self.body = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        while (message := await receive())["type"] == "http.request":
            self.body += len(message["body"])
            if not message.get("more_body"):
                break
        else:
            raise RuntimeError("the body was cut off")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


class Answer:
    """What the guard sent."""

    def __init__(self, messages: list[dict[str, Any]], inside: Inside) -> None:
        self.messages = messages
        self.inside = inside

    @property
    def status(self) -> int:
        return int(self.messages[0].get("status") or self.messages[0].get("code") or 0)

    def header(self, name: str) -> str | None:
        found = dict(self.messages[0]["headers"]).get(name.encode())
        return found.decode() if found is not None else None


def ask(
    path: str = "/threadx",
    *,
    method: str = "GET",
    kind: str = "http",
    client: Any = HERE,
    token: str | None = None,
    query: str = "",
    chunks: list[bytes] | None = None,
    root: str = "",
    **headers: str,
) -> Answer:
    """Send one request through a guard."""
    given = {"host": "127.0.0.1:8100", **{name.replace("_", "-"): text for name, text in headers.items()}}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "root_path": root,
        "query_string": query.encode(),
        "client": client,
        "headers": [(name.encode(), text.encode()) for name, text in given.items()],
    }
    waiting = list(chunks or [b""])
    sent: list[dict[str, Any]] = []
    inside = Inside()

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(inside, token, Words("en"), STUDIO_ORIGIN)(scope, receive, send))
    return Answer(sent, inside)


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost:8100", "[::1]:8100"])
def test_this_machine_needs_no_token_where_none_is_set(host: str) -> None:
    assert ask(host=host).status == 200
    assert ask("/threads/search", method="POST", host=host, content_type="application/json").status == 200


@pytest.mark.parametrize("path", PATHS)
def test_with_a_token_this_machine_needs_it_too_for_a_proxy_makes_everybody_this_machine(path: str) -> None:
    assert ask(path, token=TOKEN).status == 401
    assert ask(path, token=TOKEN, authorization=f"Bearer {TOKEN}").status == 200


def test_health_is_told_without_a_token_and_nothing_else_is() -> None:
    for path in ("/ok", "/threadx/healthz", "/threadx/readyz"):
        assert ask(path, token=TOKEN, client=ELSEWHERE, host="192.0.2.1").status == 200
    assert ask("/ok/x", token=TOKEN, client=ELSEWHERE, host="192.0.2.1").status == 401
    assert ask("/info", token=TOKEN, client=ELSEWHERE, host="192.0.2.1").status == 401


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example:8100", "[::1", "127.0.0.1.evil.example", ""])
def test_a_foreign_name_that_resolves_to_this_machine_is_not_this_machine(path: str, host: str) -> None:
    own = {"origin": f"http://{host}", "sec_fetch_site": "same-origin"}
    for headers in ({}, own):
        assert ask(path, host=host, **headers).status == 403
        socket = ask(path, kind="websocket", host=host, **headers)
        assert (socket.status, socket.inside.reached) == (1008, 0)


@pytest.mark.parametrize("path", PATHS)
def test_others_need_the_token_everywhere(path: str) -> None:
    refused = ask(path, token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100")
    assert (refused.status, refused.inside.reached) == (401, 0)
    socket = ask(path, token=TOKEN, kind="websocket", client=ELSEWHERE, host="192.0.2.1:8100")
    assert (socket.status, socket.inside.reached) == (1008, 0)


def test_without_a_token_set_nobody_else_comes_in() -> None:
    assert ask(client=ELSEWHERE, host="192.0.2.1", token=None, query="token=").status == 403
    assert ask(client=ELSEWHERE, host="192.0.2.1", token=None, query="token=None").status == 403


def test_the_token_opens_leaves_the_address_and_is_not_what_the_cookie_holds() -> None:
    opened = ask(token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100", query=f"a=1&token={TOKEN}")
    assert (opened.status, opened.header("location"), opened.inside.reached) == (303, "/threadx?a=1", 0)
    kept = opened.header("set-cookie") or ""
    assert "HttpOnly" in kept
    assert "samesite=lax" in kept.lower()
    assert TOKEN not in kept
    cookie = kept.partition(";")[0]
    assert cookie.startswith(f"{COOKIE}=")
    assert ask(token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie).status == 200
    socket = ask(kind="websocket", token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie)
    assert socket.inside.reached == 1
    other = ask(token=new_token(), client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie)
    assert other.status == 401


@pytest.mark.parametrize(
    "given",
    [
        {"query": "token=wrong"},
        {"query": f"token={TOKEN}x"},
        {"query": "token=é"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}="},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
    ],
    ids=["wrong", "longer", "not ascii", "token as cookie", "empty cookie", "wrong bearer", "another scheme"],
)
def test_what_is_not_the_token_opens_nothing(given: dict[str, str]) -> None:
    query = given.pop("query", "")
    assert ask(token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100", query=query, **given).status == 401


@pytest.mark.parametrize("given", [{"authorization": f"Bearer {TOKEN}"}, {"x_api_key": TOKEN}], ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_programs_send_the_token_as_bearer_or_as_the_langgraph_client_does(
    path: str, given: dict[str, str]
) -> None:
    assert ask(path, token=TOKEN, client=ELSEWHERE, host="192.0.2.1:8100", **given).status == 200


def test_the_way_on_after_the_token_stays_on_this_host() -> None:
    opened = ask("//evil.example/x", token=TOKEN, query=f"token={TOKEN}")
    assert opened.header("location") == "/evil.example/x"


def test_the_client_inside_the_servers_own_process_needs_nothing() -> None:
    assert ask("/noauth/threads", root="/noauth", client=None, host="api", token=TOKEN).status == 200


FOREIGN = [
    {"origin": "https://elsewhere.example"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda given: ", ".join(given.values()))
def test_another_sites_page_reads_and_changes_nothing(headers: dict[str, str]) -> None:
    known = {"authorization": f"Bearer {TOKEN}", "content_type": "application/json"}
    for path, kind, token in product(PATHS, ("http", "websocket"), (None, TOKEN)):
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answer = ask(path, method=method, kind=kind, token=token, **known, **headers)
            assert answer.status in (403, 1008)
            assert answer.inside.reached == 0


STUDIO = {"origin": STUDIO_ORIGIN, "sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}


def test_studio_uses_langgraphs_routes_and_no_page_of_ours() -> None:
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
    assert ask("/threads", method="OPTIONS", **STUDIO, **asked).status == 200
    assert ask("/threads", method="POST", content_type="application/json", **STUDIO).status == 200
    assert (
        ask("/threads", method="POST", content_type="application/json", token=TOKEN, **STUDIO).status == 401
    )
    assert ask("/threads", host="evil.example", **STUDIO).status == 403
    for path in ("/threadx", "/threadx/new", "/llm_summary", "/"):
        assert ask(path, **STUDIO).status == 403
    for close in ("https://smith.langchain.com.evil.example", "http://smith.langchain.com", "null"):
        assert ask("/threads", **{**STUDIO, "origin": close}).status == 403


def test_another_studio_may_be_named() -> None:
    assert studio_origin({}) == STUDIO_ORIGIN
    assert studio_origin({STUDIO_VARIABLE: "https://eu.example/"}) == "https://eu.example"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain;application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_that_a_form_could_send_is_none_for_langgraphs_routes(kind: str, method: str) -> None:
    typed = {"content_type": kind} if kind else {}
    for length in ({"content_length": "2"}, {"transfer_encoding": "chunked"}):
        answer = ask("/runs/wait", method=method, chunks=[b"{}"], **length, **typed)
        assert (answer.status, answer.inside.reached) == (415, 0)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/merge+json"]
)
def test_json_is_a_body_and_so_is_none(kind: str) -> None:
    assert ask("/runs/wait", method="POST", content_length="2", content_type=kind).status == 200
    assert ask("/threads/1/runs/2/cancel", method="POST").status == 200
    assert ask("/threads/1", method="DELETE", content_length="0").status == 200


def test_another_sites_page_cannot_act_by_navigating_but_its_link_may_be_followed() -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(**followed).status == 200
    assert ask(method="POST", **followed).status == 403
    assert ask(**followed, sec_fetch_dest="document").status == 200
    for inside in ("iframe", "object", "image", "script"):
        assert ask(**followed, sec_fetch_dest=inside).status == 403
    assert ask("/threads", **followed).status == 403


def test_our_own_page_may_act() -> None:
    own = {"origin": OWN, "sec_fetch_site": "same-origin"}
    assert ask(method="POST", **own).status == 200
    assert ask(kind="websocket", origin=OWN).inside.reached == 1


def test_a_body_that_announces_too_much_is_not_read() -> None:
    answer = ask(method="POST", origin=OWN, content_length=str(LARGEST_UPLOAD * 2))
    assert (answer.status, answer.inside.reached) == (413, 0)


def test_a_body_that_turns_out_too_large_is_cut_off() -> None:
    piece = bytes(16 * 1024 * 1024)
    answer = ask(method="POST", origin=OWN, chunks=[piece] * 5)
    assert answer.status == 413
    assert answer.inside.body <= LARGEST_UPLOAD
    assert ask(method="POST", origin=OWN, chunks=[piece] * 4).status == 200


GUESSED = (
    "short",
    " " * 16,
    "a" * 16,
    "abcdefg" * 3,
    "0123456789abcdef ",
    "\t0123456789abcdef",
    "01234567 89abcdef",
)


def test_langgraphs_server_does_not_start_with_a_token_that_can_be_guessed(tmp_path: Path) -> None:
    environment = clean_environment(
        THREADX_TOKEN=GUESSED[-1], THREADX_HOME=str(tmp_path), THREADX_LANGUAGE="en"
    )
    begun = subprocess.run(
        [sys.executable, "-c", "import threadx.web.app"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert begun.returncode == 1
    said = Words("en")(
        "web.error.weak_token", variable=TOKEN_VARIABLE, least=SHORTEST_TOKEN, kinds=FEWEST_KINDS
    )
    assert said in begun.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("token", GUESSED)
def test_a_token_that_can_be_guessed_is_refused_before_anything_is_served(
    token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(SystemExit) as left:
        main(["ui", "--host", "0.0.0.0", "--home", str(tmp_path), "--language", "en"])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WebError) as caught:
        configured_token({TOKEN_VARIABLE: token})
    assert caught.value.code == "weak_token"
