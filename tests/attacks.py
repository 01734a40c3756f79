"""What a page of another site can make a browser send, and names under which it can reach this machine.

`{own}` in a header is the server's own host and port. The table is frozen: whoever changes the guard finds
here what it must hold against.
"""

from __future__ import annotations

from dataclasses import dataclass

EVIL = "evil.test"
STUDIO = "https://smith.langchain.com"

LANGGRAPHS = """
DELETE /assistants/assistant          DELETE /mcp/                           DELETE /runs/crons/cron
DELETE /store/items                   DELETE /threads/thread                 DELETE /threads/thread/runs/run
GET /assistants/assistant             GET /assistants/assistant/graph        GET /assistants/assistant/schemas
GET /assistants/assistant/subgraphs   GET /docs                              GET /info
GET /assistants/assistant/subgraphs/namespace                                GET /mcp/
GET /metrics                          GET /ok                                GET /openapi.json
GET /runs/crons/cron                  GET /store/items                       GET /threads/thread
GET /threads/thread/history           GET /threads/thread/runs               GET /threads/thread/runs/run
GET /threads/thread/runs/run/join     GET /threads/thread/runs/run/stream    GET /threads/thread/state
GET /threads/thread/state/checkpoint  GET /threads/thread/storage            GET /threads/thread/stream
PATCH /assistants/assistant           PATCH /runs/crons/cron                 PATCH /threads/thread
POST /a2a/assistant                   POST /assistants                       POST /assistants/assistant/latest
POST /assistants/assistant/versions   POST /assistants/count                 POST /assistants/search
POST /mcp                             POST /mcp/                             POST /runs
POST /runs/batch                      POST /runs/cancel                      POST /runs/crons
POST /runs/crons/count                POST /runs/crons/search                POST /runs/stream
POST /runs/wait                       POST /store/items/search               POST /store/namespaces
POST /threads                         POST /threads/count                    POST /threads/prune
POST /threads/search                  POST /threads/thread/commands          POST /threads/thread/copy
POST /threads/thread/history          POST /threads/thread/runs              POST /threads/thread/runs/crons
POST /threads/thread/runs/run/cancel  POST /threads/thread/runs/stream       POST /threads/thread/runs/wait
POST /threads/thread/state            POST /threads/thread/state/checkpoint
POST /threads/thread/stream/events    PUT /store/items
"""
OURS = """
GET /threadx                          GET /threadx/new                       GET /threadx/runs/run
GET /threadx/runs/run/report.pdf      GET /threadx/runs/run/pictures/x.svg   GET /threadx/metrics
GET /llm_summary                      GET /observability
GET /threadx/_nicegui_ws/socket.io/   POST /threadx/_nicegui_ws/socket.io/
POST /threadx/_nicegui/client/x/upload/1
"""


def _routes(table: str) -> tuple[tuple[str, str], ...]:
    words = table.split()
    return tuple(zip(words[::2], words[1::2], strict=True))


LANGGRAPH_ROUTES = _routes(LANGGRAPHS)
OUR_ROUTES = _routes(OURS)
ROUTES = LANGGRAPH_ROUTES + OUR_ROUTES


@dataclass(frozen=True)
class Attack:
    """One kind.

    Attributes:
        headers: beside the host.
        method: None is the route's own.
        hosts: what stands under Host; none at all where empty. A browser that is led to another name has no
            cookie for it.
        query: of the address.
        socket: a WebSocket is opened.
        langgraphs_alone: what is none at our pages: to follow a link there is everybody's right.
        without_token: only where none is set.
        body: what is sent.
    """

    headers: tuple[tuple[str, str], ...] = ()
    method: str | None = None
    hosts: tuple[str, ...] = ("{own}",)
    query: str = ""
    socket: bool = False
    langgraphs_alone: bool = False
    without_token: bool = False
    body: bytes = b""

    @property
    def has_the_cookie(self) -> bool:
        """Whether a browser would send along what it keeps for this server."""
        return self.hosts == ("{own}",)


def _of(origin: str, *more: tuple[str, str], method: str | None = None) -> Attack:
    return Attack((("origin", origin), *more), method)


def _at(host: str) -> Attack:
    return Attack((("sec-fetch-site", "same-origin"),), hosts=(host,))


def _posted(kind: str, body: bytes = b'{"assistant_id": "review"}') -> Attack:
    return Attack((("content-type", kind), ("content-length", str(len(body)))), "POST", body=body)


def _through(name: str, value: str) -> Attack:
    return Attack(((name, value),), without_token=True)


_CROSS = ("sec-fetch-site", "cross-site")
_NO_CORS = ("sec-fetch-mode", "no-cors")
_JSON = ("content-type", "application/json")
_FOREIGN = ("origin", f"http://{EVIL}")

ATTACKS: dict[str, Attack] = {
    # Whose page it is.
    "fetch with cors": _of(f"http://{EVIL}", _CROSS, ("sec-fetch-mode", "cors"), _JSON),
    "fetch without cors": _of(f"http://{EVIL}", _CROSS, _NO_CORS, ("content-type", "text/plain")),
    "browser that says no more than the origin": _of(f"http://{EVIL}"),
    "browser that says no more than the page": Attack(
        (("referer", f"http://{EVIL}/a"),), langgraphs_alone=True
    ),
    "sandboxed frame": _of("null", _CROSS),
    "page from a file": _of("file://"),
    "page from a file that names this host": _of("file://{own}"),
    "extension of the browser": _of("chrome-extension://{own}"),
    "page of data": _of("data:text/html,x"),
    "another port of this machine": _of("http://127.0.0.1:1", ("sec-fetch-site", "same-site")),
    "another port by the other name": _of("http://localhost:1"),
    "another scheme of this host": _of("ftp://{own}"),
    "origin in capitals": _of(f"HTTP://{EVIL.upper()}"),
    "origin with a dot behind": _of(f"http://{EVIL}."),
    "origin that begins as this one": _of("http://{own}.evil.test"),
    "origin that ends as this one": _of(f"http://{EVIL}/?{{own}}"),
    "origin with a user's name": _of("http://{own}@evil.test"),
    "origin with this host behind a user's name": _of(f"http://{EVIL}@{{own}}"),
    "origin with a path": _of("http://{own}/x"),
    "list of origins": _of(f"http://{{own}} http://{EVIL}"),
    "list of origins with a comma": _of(f"http://{{own}}, http://{EVIL}"),
    "two origins, this one first": Attack((("origin", "http://{own}"), _FOREIGN)),
    "two origins, this one last": Attack((_FOREIGN, ("origin", "http://{own}"))),
    "no origin at all in it": _of(""),
    "this machine by a number": _of("http://2130706433:2024"),
    "this machine by every address": _of("http://0.0.0.0:2024"),
    "page that takes Studio's name": _of(f"{STUDIO}.{EVIL}"),
    "Studio without its certificate": _of(STUDIO.replace("https", "http")),
    "Studio at another port": _of(f"{STUDIO}:8443"),
    # What a browser says of its own accord.
    "image, script or style": Attack((_CROSS, _NO_CORS, ("sec-fetch-dest", "image")), "GET"),
    "frame": Attack((_CROSS, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")), "GET"),
    "link that is followed": Attack(
        (_CROSS, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")), "GET", langgraphs_alone=True
    ),
    "link that is followed by a form": Attack((_CROSS, ("sec-fetch-mode", "navigate")), "POST"),
    "page of a neighbour": Attack((("sec-fetch-site", "same-site"), _NO_CORS)),
    "site that nobody knows": Attack((("sec-fetch-site", "friendly"),)),
    "site in capitals": Attack((("sec-fetch-site", "Cross-Site"),)),
    "site said twice": Attack((("sec-fetch-site", "same-origin"), _CROSS)),
    "list of sites": Attack((("sec-fetch-site", "same-origin, cross-site"),)),
    "site that contradicts the origin": _of(f"http://{EVIL}", ("sec-fetch-site", "same-origin")),
    "origin that contradicts the site": _of("http://{own}", _CROSS),
    "mode said twice": Attack(
        (_CROSS, ("sec-fetch-mode", "navigate"), _NO_CORS), "GET", langgraphs_alone=True
    ),
    # What it asks for.
    "simple request that does something": _of(f"http://{EVIL}", _CROSS, method="GET"),
    "head": _of(f"http://{EVIL}", _CROSS, method="HEAD"),
    "question before the request": _of(
        f"http://{EVIL}",
        ("access-control-request-method", "DELETE"),
        ("access-control-request-headers", "authorization, content-type, cookie, x-api-key, x-auth-scheme"),
        method="OPTIONS",
    ),
    "question before a request from outside": _of(
        f"https://{EVIL}",
        ("access-control-request-method", "POST"),
        ("access-control-request-private-network", "true"),
        ("access-control-request-local-network", "true"),
        method="OPTIONS",
    ),
    "other method in a header": _of(f"http://{EVIL}", ("x-http-method-override", "DELETE"), method="POST"),
    "other method in the address": Attack((_FOREIGN,), "POST", query="_method=DELETE"),
    "method of its own": _of(f"http://{EVIL}", method="PROPFIND"),
    "trace": _of(f"http://{EVIL}", method="TRACE"),
    "socket": Attack((_FOREIGN,), "GET", socket=True),
    "socket of a sandboxed frame": Attack((("origin", "null"),), "GET", socket=True),
    "socket of another port": Attack((("origin", "http://localhost:1"),), "GET", socket=True),
    "events": _of(f"http://{EVIL}", ("accept", "text/event-stream"), ("last-event-id", "-1"), method="GET"),
    "part of a file": _of(f"http://{EVIL}", ("range", "bytes=0-1"), _NO_CORS, method="GET"),
    "beacon": _of(f"http://{EVIL}", ("content-type", "text/plain;charset=UTF-8"), method="POST"),
    "ping of a link": _of("null", ("content-type", "text/ping"), ("ping-to", "http://x"), method="POST"),
    "page that is fetched ahead": Attack(
        (_CROSS, ("sec-purpose", "prefetch"), ("sec-fetch-dest", "empty"), ("sec-fetch-mode", "navigate")),
        "GET",
    ),
    "report of a broken policy": _of(
        f"http://{EVIL}", ("content-type", "application/csp-report"), method="POST"
    ),
    # Bodies that a form sends without asking; no browser of today leaves the origin out, old ones did.
    "form": _posted("application/x-www-form-urlencoded", b"assistant_id=review"),
    "form in parts": _posted("multipart/form-data; boundary=x", b"--x--"),
    "text that is JSON": _posted("text/plain"),
    "text with JSON as a parameter": _posted("text/plain; application/json"),
    "text with JSON as its letters": _posted("text/plain; charset=application/json"),
    "text and JSON in a list": _posted("text/plain, application/json"),
    "JSON at the end of a list": _posted("application/x, text/plain+json"),
    "JSON with a tail": _posted("application/json-text/plain"),
    "JSON in foreign letters": _posted("application/json; charset=utf-7"),
    "type that is empty": _posted(""),
    "type said twice": Attack((_JSON, ("content-type", "text/plain"), ("content-length", "0")), "POST"),
    "no type": Attack((("content-length", "2"),), "POST", body=b"{}"),
    # Names that lead here: whoever owns one lets it point to 127.0.0.1 after the page is loaded.
    "name of its own for this machine": _at(f"{EVIL}:2024"),
    "name of its own with its own origin": Attack(
        (("origin", f"http://{EVIL}:2024"), ("sec-fetch-site", "same-origin")), hosts=(f"{EVIL}:2024",)
    ),
    "name of its own for a socket": Attack(
        (("origin", f"http://{EVIL}:2024"),), "GET", hosts=(f"{EVIL}:2024",), socket=True
    ),
    "name with a dot behind": _at("localhost.:2024"),
    "name below this one": _at("evil.localhost:2024"),
    "name that begins as this one": _at("127.0.0.1.evil.test"),
    "name that a service makes of the address": _at("127.0.0.1.nip.io:2024"),
    "name in capitals": _at(EVIL.upper()),
    "address as a number": _at("2130706433:2024"),
    "address in octal": _at("0177.0.0.1:2024"),
    "address in hexadecimal": _at("0x7f000001:2024"),
    "address cut short": _at("127.1:2024"),
    "every address": _at("0.0.0.0:2024"),
    "every address in IPv6": _at("[::]:2024"),
    "address of IPv4 in IPv6": _at("[::ffff:127.0.0.1]:2024"),
    "address with a zone": _at("[::1%25evil.test]:2024"),
    "broken address": _at("[::1"),
    "user's name before the host": _at("evil.test@127.0.0.1:2024"),
    "path behind the host": _at("127.0.0.1:2024/evil.test"),
    "question behind the host": _at("127.0.0.1?evil.test"),
    "mark behind the host": _at("127.0.0.1#evil.test"),
    "port that is none": _at("127.0.0.1:evil"),
    "two hosts in a list": _at(f"{{own}}, {EVIL}"),
    "two hosts, this one first": Attack(hosts=("{own}", EVIL)),
    "two hosts, this one last": Attack(hosts=(EVIL, "{own}")),
    "no host": Attack(hosts=()),
    "empty host": _at(""),
    # Ways that end at this machine though nobody sits at it; with a token a proxy is no stranger.
    "proxy that names another host": _through("x-forwarded-host", EVIL),
    "proxy that names who asked": _through("x-forwarded-for", "192.0.2.7"),
    "proxy that is told who asked": _through("x-forwarded-for", "127.0.0.1"),
    "proxy that says it in the new way": _through("forwarded", f"for=192.0.2.7;host={EVIL}"),
    "proxy that says it as nginx does": _through("x-real-ip", "192.0.2.7"),
    "proxy that says its own name alone": _through("via", "1.1 proxy.test"),
}

TOKEN = "a-token-that-nobody-guesses"
"""Of the server that `TOKEN_ATTACKS` are for."""

_LONG = ("cookie", "threadx_token=" + "0" * 64)

TOKEN_ATTACKS: dict[str, Attack] = {
    "nothing": Attack(),
    "wrong token in a link": Attack(query="token=wrong", method="GET"),
    "wrong token before the right one": Attack(query=f"token={TOKEN}&token=wrong", method="GET"),
    "right token in a link that acts": Attack(query=f"token={TOKEN}", method="POST"),
    "right token in a link that asks before": Attack(query=f"token={TOKEN}", method="OPTIONS"),
    "right token in a socket's address": Attack(query=f"token={TOKEN}", socket=True),
    "right token in a link of another site": Attack((_CROSS, _NO_CORS), query=f"token={TOKEN}", method="GET"),
    "cookie that somebody planted": Attack((_LONG,)),
    "cookie with the token itself": Attack((("cookie", f"threadx_token={TOKEN}"),)),
    "cookies planted twice": Attack((_LONG, _LONG)),
    "cookie without an end": Attack((("cookie", 'threadx_token="'),)),
    "cookie with a strange name": Attack((("cookie", "a b=1; [x]=2; threadx_token"),)),
    "cookie with strange letters": Attack((("cookie", "threadx_token=\xe9\xff"),)),
    "bearer of nothing": Attack((("authorization", "Bearer "),)),
    "key of nothing": Attack((("x-api-key", ""),)),
    "another scheme": Attack((("authorization", f"Basic {TOKEN}"),)),
}


def filled(attack: Attack, own: str) -> list[tuple[str, str]]:
    """Its headers at a server, Host included."""
    told = [("host", host.replace("{own}", own)) for host in attack.hosts]
    return told + [(name, value.replace("{own}", own)) for name, value in attack.headers]
