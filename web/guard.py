"""Who may see the pages, and from where something may be changed.

- From this machine (a loopback address, asked for by a loopback name): no token is needed. The name counts:
  a foreign page that makes its own name resolve to 127.0.0.1 does not pass for this machine.
- From anywhere else: a token, given once as `?token=…` and kept in a cookie, or as `Authorization: Bearer …`.
  Where no token was set, nobody else is let in.
- Never from another site's page: what a browser sends for one is refused, its websocket too.
- No request is larger than an upload may be.

Other paths of the same server (LangGraph's own) are none of this.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prompts import Words
from web.frame import OUR_PATHS

COOKIE = "threadx_token"
TOKEN_VARIABLE = "THREADX_TOKEN"
SHORTEST_TOKEN = 16
"""Letters; one that can be guessed is none."""

LARGEST_UPLOAD = 64 * 1024 * 1024
_LARGEST_BODY = LARGEST_UPLOAD + 64 * 1024
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def is_loopback(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_ours(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return any(path == own or path.startswith(f"{own}/") for own in OUR_PATHS)


def _is_local(scope: Scope, headers: Headers) -> bool:
    client = scope.get("client")
    name = urlsplit(f"//{headers.get('host', '')}").hostname
    return client is not None and is_loopback(client[0]) and name in _LOOPBACK_NAMES


def _is_foreign(scope: Scope, headers: Headers) -> bool:
    """Whether another site's page made the browser send this. A link that a person follows is none."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    reads = scope["type"] == "http" and scope["method"] in _READING
    return not (reads and headers.get("sec-fetch-mode") == "navigate")


class Guard:
    """Middleware that lets in who may come in.

    Args:
        app: what it guards.
        token: asked of everybody who is not on this machine; None lets in nobody else.
        words: language of a refusal.
    """

    def __init__(self, app: ASGIApp, token: str | None, words: Words) -> None:
        self.app = app
        self.token = token
        self.words = words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or refuse it politely."""
        if scope["type"] not in ("http", "websocket") or not _is_ours(scope):
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
        if _is_foreign(scope, headers):
            return PlainTextResponse(self.words("web.guard.foreign"), 403)
        if _is_local(scope, headers):
            return None
        if self.token is None:
            return PlainTextResponse(self.words("web.guard.closed", variable=TOKEN_VARIABLE), 403)
        if self._is_known(headers):
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if scope["type"] == "http" and scope["method"] == "GET" and given and self._is_token(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            # The token leaves the address, and with it the history and what is shared from it.
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
            secure = scope.get("scheme") == "https"
            answer.set_cookie(COOKIE, self._kept(), httponly=True, samesite="lax", secure=secure)
            return answer
        return PlainTextResponse(self.words("web.guard.token"), 401)

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
        return scheme.lower() == "bearer" and self._is_token(given)


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
