"""Who may see the pages and change something: the guard by itself, asked as servers ask it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from prompts import Words
from threadx.command import main
from web.guard import COOKIE, LARGEST_UPLOAD, TOKEN_VARIABLE, Guard, new_token

TOKEN = "a-token-that-nobody-guesses"
HERE = ("127.0.0.1", 50000)
ELSEWHERE = ("192.0.2.7", 50000)


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
    token: str | None = TOKEN,
    query: str = "",
    chunks: list[bytes] | None = None,
    **headers: str,
) -> Answer:
    """Send one request through a guard."""
    given = {"host": "127.0.0.1:8100", **{name.replace("_", "-"): text for name, text in headers.items()}}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
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

    asyncio.run(Guard(inside, token, Words("en"))(scope, receive, send))
    return Answer(sent, inside)


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost:8100", "[::1]:8100"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert ask(host=host).status == 200


def test_a_foreign_name_that_resolves_to_this_machine_is_not_this_machine() -> None:
    assert ask(host="evil.example:8100").status == 401
    assert ask(host="evil.example:8100", token=None).status == 403


@pytest.mark.parametrize(
    "path", ["/threadx", "/threadx/runs/x", "/threadx/_nicegui_ws/socket.io/", "/llm_summary"]
)
def test_others_need_the_token_everywhere(path: str) -> None:
    refused = ask(path, client=ELSEWHERE, host="192.0.2.1:8100")
    assert (refused.status, refused.inside.reached) == (401, 0)
    socket = ask(path, kind="websocket", client=ELSEWHERE, host="192.0.2.1:8100")
    assert (socket.status, socket.inside.reached) == (1008, 0)


def test_without_a_token_set_nobody_else_comes_in() -> None:
    assert ask(client=ELSEWHERE, host="192.0.2.1", token=None, query="token=").status == 403
    assert ask(client=ELSEWHERE, host="192.0.2.1", token=None, query="token=None").status == 403


def test_paths_of_the_langgraph_server_are_left_alone() -> None:
    for path in ("/ok", "/threads", "/threadxyz", "/runs"):
        assert ask(path, client=ELSEWHERE, host="192.0.2.1", origin="https://elsewhere.example").status == 200


def test_the_token_opens_leaves_the_address_and_is_not_what_the_cookie_holds() -> None:
    opened = ask(client=ELSEWHERE, host="192.0.2.1:8100", query=f"a=1&token={TOKEN}")
    assert (opened.status, opened.header("location"), opened.inside.reached) == (303, "/threadx?a=1", 0)
    kept = opened.header("set-cookie") or ""
    assert "HttpOnly" in kept
    assert "samesite=lax" in kept.lower()
    assert TOKEN not in kept
    cookie = kept.partition(";")[0]
    assert cookie.startswith(f"{COOKIE}=")
    assert ask(client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie).status == 200
    socket = ask(kind="websocket", client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie)
    assert socket.inside.reached == 1
    other = ask(client=ELSEWHERE, host="192.0.2.1:8100", cookie=cookie, token=new_token())
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
    assert ask(client=ELSEWHERE, host="192.0.2.1:8100", query=query, **given).status == 401


def test_programs_send_the_token_as_bearer() -> None:
    assert ask(client=ELSEWHERE, host="192.0.2.1:8100", authorization=f"Bearer {TOKEN}").status == 200


FOREIGN = [
    {"origin": "https://elsewhere.example"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda given: ", ".join(given.values()))
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_sites_page_changes_nothing(headers: dict[str, str], kind: str) -> None:
    answer = ask("/threadx/_nicegui_ws/socket.io/", method="POST", kind=kind, **headers)
    assert answer.status in (403, 1008)
    assert answer.inside.reached == 0


def test_another_sites_page_cannot_act_by_navigating_but_its_link_may_be_followed() -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(**followed).status == 200
    assert ask(method="POST", **followed).status == 403


def test_our_own_page_may_act() -> None:
    own = {"origin": "http://127.0.0.1:8100", "sec_fetch_site": "same-origin"}
    assert ask(method="POST", **own).status == 200
    assert ask(kind="websocket", origin="http://127.0.0.1:8100").inside.reached == 1


def test_a_body_that_announces_too_much_is_not_read() -> None:
    answer = ask(method="POST", content_length=str(LARGEST_UPLOAD * 2))
    assert (answer.status, answer.inside.reached) == (413, 0)


def test_a_body_that_turns_out_too_large_is_cut_off() -> None:
    piece = bytes(16 * 1024 * 1024)
    answer = ask(method="POST", chunks=[piece] * 5)
    assert answer.status == 413
    assert answer.inside.body <= LARGEST_UPLOAD
    assert ask(method="POST", chunks=[piece] * 4).status == 200


def test_a_token_that_can_be_guessed_is_refused_before_anything_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(SystemExit) as left:
        main(["ui", "--host", "0.0.0.0", "--home", str(tmp_path), "--language", "en"])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
