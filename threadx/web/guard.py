"""Who may reach this server, and from where something may be changed: every route, LangGraph's own too.

- Another site's page may neither read nor change anything: what a browser sends for one is refused, its
  websocket too. LangGraph Studio, which is a hosted page, is let through to LangGraph's routes and no others.
- Our own pages alone act through our pages.
- Without a token: this machine alone (a loopback address, asked for by a loopback name, by no proxy). The
  name counts: a foreign page that makes its own name resolve to 127.0.0.1 does not pass for this machine.
- With a token: whoever has it, and nobody else, this machine included: behind a proxy every request comes
  from this machine. It is given once as `?token=…` and kept in a cookie, or sent by a program as
  `Authorization: Bearer …` or as the LangGraph client's `x-api-key`.
- A body for LangGraph's routes is JSON and says so: what a browser sends without asking first is not.
- No request is larger than an upload may be.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prompts import Words
from threadx.web.errors import WebError
from threadx.web.frame import OUR_PATHS
from threadx.web.ready import ALIVE_PATH, READY_PATH

COOKIE = "threadx_token"
TOKEN_VARIABLE = "THREADX_TOKEN"
SHORTEST_TOKEN = 16
"""Letters; one that can be guessed is none."""
FEWEST_KINDS = 8
"""Different letters among them."""

STUDIO_VARIABLE = "THREADX_STUDIO_ORIGIN"
STUDIO_ORIGIN = "https://smith.langchain.com"

LARGEST_UPLOAD = 64 * 1024 * 1024
_LARGEST_BODY = LARGEST_UPLOAD + 64 * 1024
_LOOPBACK_NAME = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json(?: *; *charset=\"?utf-?8\"?)?", re.IGNORECASE)
# Said twice, servers and browsers may each believe another one.
_SAID_ONCE = (
    "host",
    "origin",
    "referer",
    "content-type",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
)
_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HEALTH = ("/ok", ALIVE_PATH, READY_PATH)
# The LangGraph client inside the server's own process; no request from outside can set it.
_IN_PROCESS = "/noauth"


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def configured_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that a person has set; None where none is.

    Raises:
        WebError: `weak_token`.
    """
    given = environment.get(TOKEN_VARIABLE, "")
    guessed = len(given) < SHORTEST_TOKEN or len(set(given)) < FEWEST_KINDS
    if given and (guessed or any(letter.isspace() for letter in given)):
        raise WebError("weak_token", variable=TOKEN_VARIABLE, least=SHORTEST_TOKEN, kinds=FEWEST_KINDS)
    return given or None


def studio_origin(environment: Mapping[str, str] = os.environ) -> str:
    """Origin of LangGraph Studio: LangSmith's, or the one that a person has set (EU, self-hosted)."""
    return environment.get(STUDIO_VARIABLE, "").rstrip("/") or STUDIO_ORIGIN


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _is_ours(scope: Scope) -> bool:
    path = _path(scope)
    return path == "/" or any(path == own or path.startswith(f"{own}/") for own in OUR_PATHS)


def _is_local(scope: Scope, headers: Headers) -> bool:
    client = scope.get("client")
    here = client is not None and is_loopback(client[0]) and not any(name in headers for name in _OF_A_PROXY)
    return here and _LOOPBACK_NAME.fullmatch(headers.get("host", "")) is not None


def _reads(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in _READING


def _origin(address: str) -> str:
    """Origin of a page's address; empty where it has none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


class Guard:
    """Middleware that lets in who may come in.

    Args:
        app: what it guards.
        token: asked of everybody; None lets in this machine alone.
        words: language of a refusal.
        studio: origin of the one foreign page that may use LangGraph's routes; None where there are none.
    """

    def __init__(self, app: ASGIApp, token: str | None, words: Words, studio: str | None = None) -> None:
        self.app = app
        self.token = token
        self.words = words
        self.studio = studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or refuse it politely."""
        if scope["type"] not in ("http", "websocket") or scope.get("root_path", "").startswith(_IN_PROCESS):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused is None:
            await _Limited(self.app, self.words)(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refused(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._is_foreign(scope, headers):
            return PlainTextResponse(self.words("web.guard.foreign"), 403)
        if self._is_unknown_type(scope, headers):
            return PlainTextResponse(self.words("web.guard.not_json"), 415)
        if self.token is None:
            if _is_local(scope, headers):
                return None
            return PlainTextResponse(self.words("web.guard.closed", variable=TOKEN_VARIABLE), 403)
        if self._is_known(headers) or (_path(scope) in _HEALTH and _reads(scope)):
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if scope["type"] == "http" and scope["method"] == "GET" and given and self._is_token(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            # The token leaves the address, and with it the history and what is shared from it. One slash:
            # two would name another host.
            path = "/" + str(scope["path"]).lstrip("/\\")
            answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            secure = scope.get("scheme") == "https"
            answer.set_cookie(COOKIE, self._kept(), httponly=True, samesite="lax", secure=secure)
            return answer
        return PlainTextResponse(self.words("web.guard.token"), 401)

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Whether another site's page made the browser send this. A link that a person follows is none."""
        if any(len(headers.getlist(name)) > 1 for name in _SAID_ONCE):
            return True
        origin = headers.get("origin")
        if origin is not None and self.studio is not None and origin.lower() == self.studio.lower():
            return _is_ours(scope)
        if origin is not None and not self._is_own(origin, scope, headers):
            return True
        site = headers.get("sec-fetch-site")
        acts_on_ours = _is_ours(scope) and scope["type"] == "http" and not _reads(scope)
        if acts_on_ours and origin is None and site != "same-origin":
            return True
        if site is None and origin is None and not _is_ours(scope):  # an old browser
            page = headers.get("referer")
            return page is not None and not self._is_own(_origin(page), scope, headers)
        if site in (None, "none", "same-origin"):
            return False
        followed = (
            headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest", "document") == "document"
        )
        return not (_is_ours(scope) and _reads(scope) and followed)

    def _is_own(self, origin: str, scope: Scope, headers: Headers) -> bool:
        """Whether it is this server's; of who has the token also behind a proxy that ends encryption."""
        schemes = {scope.get("scheme", "http").replace("ws", "http"), "https" if self.token else "http"}
        host = headers.get("host", "").lower()
        return origin.lower() in {f"{scheme}://{host}" for scheme in schemes}

    @staticmethod
    def _is_unknown_type(scope: Scope, headers: Headers) -> bool:
        """Whether a body for LangGraph's routes is of a type that a foreign form could send."""
        if scope["type"] != "http" or _reads(scope) or _is_ours(scope):
            return False
        empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        kind = headers.get("content-type")
        return not (empty if kind is None else _JSON.fullmatch(kind.strip()))

    def _kept(self) -> str:
        """What the cookie holds: enough to come back, not the token itself."""
        return hmac.new(str(self.token).encode(), b"threadx pages", hashlib.sha256).hexdigest()

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), str(self.token).encode())

    def _is_known(self, headers: Headers) -> bool:
        cookies = SimpleCookie(headers.get("cookie", ""))
        if COOKIE in cookies and hmac.compare_digest(cookies[COOKIE].value.encode(), self._kept().encode()):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and self._is_token(given)) or self._is_token(
            headers.get("x-api-key", "")
        )


class _Limited:
    """Passes a request on as far as its body stays within the limit."""

    def __init__(self, app: ASGIApp, words: Words) -> None:
        self.app = app
        self.words = words
        self.taken = 0
        self.too_large = False
        self.answering = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING:
            await self.app(scope, receive, send)
            return

        async def counted() -> Message:
            message = await receive()
            self.taken += len(message.get("body", b""))
            if self.taken > _LARGEST_BODY:
                self.too_large = True
                return {"type": "http.disconnect"}
            return message

        async def unless_too_large(message: Message) -> None:
            if not self.too_large:
                self.answering = True
                await send(message)

        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > _LARGEST_BODY:
            self.too_large = True
        else:
            try:
                await self.app(scope, counted, unless_too_large)
            except Exception:
                if not self.too_large:
                    raise  # else: the application lost its body, which is what was meant
        if self.too_large and not self.answering:
            limit = LARGEST_UPLOAD // 1024 // 1024
            refused = PlainTextResponse(self.words("web.guard.too_large", limit=limit), 413)
            await refused(scope, receive, send)
