"""Every kind of attack from another site on every route, asked in this process as servers ask it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from prompts import Words
from tests.attacks import (
    ATTACKS,
    LANGGRAPH_ROUTES,
    OUR_ROUTES,
    ROUTES,
    STUDIO,
    TOKEN,
    TOKEN_ATTACKS,
    Attack,
    filled,
)
from threadx.web.guard import COOKIE, STUDIO_ORIGIN, Guard

OWN = "127.0.0.1:2024"
REFUSED = (400, 401, 403, 415)


class Server:
    """The guard, with something behind it that counts who came in."""

    def __init__(self, token: str | None = None) -> None:
        self.reached = 0
        self.guard = Guard(self._inside, token, Words("en"), STUDIO_ORIGIN)
        self.cookie: tuple[str, str] | None = None
        if token:
            _, kept = self.answer("GET", "/threadx", [("host", OWN)], f"token={token}")
            self.cookie = ("cookie", kept["set-cookie"].partition(";")[0])
            assert self.cookie[1].startswith(COOKIE)

    async def _inside(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    def answer(
        self, method: str, path: str, headers: list[tuple[str, str]], query: str = "", socket: bool = False
    ) -> tuple[int, dict[str, str]]:
        """Status and headers; of a socket the code with which it is closed."""
        scope = {
            "type": "websocket" if socket else "http",
            "scheme": "ws" if socket else "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": query.encode(),
            "client": ("127.0.0.1", 50000),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        # Nothing here waits for anything, so that no loop is needed: 100 kinds × 77 routes are many.
        with contextlib.suppress(StopIteration):
            self.guard(scope, receive, send).send(None)
        if not sent:
            return 200, {}
        told = {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}
        return int(sent[0].get("status") or sent[0]["code"]), told

    def attacked(self, attack: Attack, method: str, path: str) -> int:
        """Status of the answer to an attack on a route."""
        headers = filled(attack, OWN)
        if self.cookie and attack.has_the_cookie:
            headers.append(self.cookie)
        status, told = self.answer(attack.method or method, path, headers, attack.query, attack.socket)
        assert "access-control-allow-origin" not in told
        assert "set-cookie" not in told
        return status


def test_the_table_is_as_large_as_the_issue_asks() -> None:
    assert len(ATTACKS) >= 40
    assert len(set(ATTACKS.values())) == len(ATTACKS)


@pytest.mark.parametrize("token", [None, TOKEN], ids=["this machine", "token"])
@pytest.mark.parametrize("kind", ATTACKS)
def test_no_kind_of_attack_passes_on_any_route(kind: str, token: str | None) -> None:
    attack, server = ATTACKS[kind], Server(token)
    if attack.without_token and token:
        return
    came_in = server.reached
    for method, path in LANGGRAPH_ROUTES if attack.langgraphs_alone else ROUTES:
        if token and path == "/ok" and not attack.has_the_cookie:
            continue  # tells everybody that the server is well, and no more
        status = server.attacked(attack, method, path)
        assert status == 1008 if attack.socket else status in REFUSED, (method, path, status)
    assert server.reached == came_in


@pytest.mark.parametrize("kind", TOKEN_ATTACKS)
def test_nothing_but_the_token_passes_for_it(kind: str) -> None:
    server = Server(TOKEN)
    server.cookie = None
    for method, path in ROUTES:
        if path != "/ok":
            status = server.attacked(TOKEN_ATTACKS[kind], method, path)
            assert status in (*REFUSED, 1008), (method, path, status)
    assert server.reached == 0


HONEST: dict[str, list[tuple[str, str]]] = {
    "a program": [("host", OWN)],
    "curl by the other name": [("host", "localhost:2024"), ("user-agent", "curl/8"), ("accept", "*/*")],
    "curl in IPv6": [("host", "[::1]:2024")],
    "name in capitals": [("host", "LocalHost:2024")],
    "standard port": [("host", "localhost")],
    "own page": [("host", OWN), ("origin", f"http://{OWN}"), ("sec-fetch-site", "same-origin")],
    "own page by the other name": [("host", "localhost:2024"), ("origin", "http://localhost:2024")],
    "typed address": [("host", OWN), ("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
}


@pytest.mark.parametrize("who", HONEST)
def test_the_honest_pass_on_every_route(who: str) -> None:
    server, headers = Server(), [*HONEST[who], ("content-type", "application/json")]
    sees_pages = dict(headers).get("origin") is not None
    for method, path in ROUTES:
        if who == "typed address" and method != "GET":
            continue  # nobody types more than an address
        if not sees_pages and method != "GET" and (method, path) in OUR_ROUTES:
            continue  # only our own pages act there
        assert server.answer(method, path, headers)[0] == 200, (method, path)


def test_studio_passes_on_every_route_of_langgraph_and_on_none_of_ours() -> None:
    server = Server()
    studio = [("host", OWN), ("origin", STUDIO), ("sec-fetch-site", "cross-site"), ("referer", f"{STUDIO}/")]
    asked = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-auth-scheme"),
        ("access-control-request-private-network", "true"),
    ]
    for method, path in ROUTES:
        expected = 403 if (method, path) in OUR_ROUTES else 200
        json = [*studio, ("content-type", "application/json; charset=UTF-8")]
        assert server.answer(method, path, json)[0] == expected, (method, path)
        assert server.answer("OPTIONS", path, [*studio, *asked])[0] == expected, (method, path)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_with_a_token_a_proxy_that_ends_encryption_is_no_stranger(scheme: str) -> None:
    server = Server(TOKEN)
    assert server.cookie
    headers = [("host", "me.example"), ("origin", f"{scheme}://me.example"), server.cookie]
    headers += [("x-forwarded-host", "me.example"), ("content-type", "application/json")]
    for method, path in ROUTES:
        assert server.answer(method, path, headers)[0] == 200
    for socket in (True, False):
        assert Server().answer("GET", "/threadx", headers, socket=socket)[0] in (403, 1008)
