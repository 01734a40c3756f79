"""The pages as one FastAPI application, for the LangGraph server and for `threadx ui` alike.

NiceGUI lives whole under `/threadx`, its scripts and its websocket too, so that every other path of the
server stays LangGraph's. `/threadx` itself, `/llm_summary` and `/observability` lie outside that mount: they
are doors to pages inside it.
"""

from __future__ import annotations

from pathlib import Path

import nicegui
from fastapi import FastAPI
from nicegui import ui
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.reasons import ENDINGS
from nodes.ensemble.operation.metrics import metrics_text
from prompts import Language, Words
from prompts.texts import catalogue
from threadx.web import (
    bench_page,
    calibration_page,
    compare_page,
    data_page,
    declare_page,
    follow_page,
    models_page,
    new_page,
    observability_page,
    outlooks,
    pictures,
    ready,
    report_file,
    run_page,
    runs_page,
    shared_file,
    summary_page,
)
from threadx.web.frame import (
    OBSERVABILITY_PATH,
    RUNS_PATH,
    SUMMARY_PATH,
    Site,
    Text,
    anchor,
    frame,
    not_found,
)
from threadx.web.guard import Guard
from threadx.web.run_trades import CSV_NAME, trades_csv

ROOMS = (
    "agents",
    "backtest",
    "base",
    "card",
    "chart",
    "command",
    "condition",
    "ensemble",
    "explain",
    "market",
    "models",
    "nodes",
    "optimization",
    "providers",
    "report",
    "reports",
    "stress",
    "verdict",
    "web",
)

DOORS = ((RUNS_PATH, "/"), (SUMMARY_PATH, SUMMARY_PATH), (OBSERVABILITY_PATH, OBSERVABILITY_PATH))

METRICS_PATH = f"{RUNS_PATH}/metrics"
AWAY_SECONDS = 60.0
"""A browser that falls silent so long (a laptop asleep, a weak network, a busy telephone) finds its page as
it left it. After NiceGUI's own three seconds the page would be loaded anew, without what was typed in it."""
"""`/metrics` itself belongs to the LangGraph server."""

# Nothing is fetched from anywhere else, even where a model's text in a report asks for it. Vue compiles its
# templates in the browser, which is what the 'unsafe' words are for.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class _Headers:
    """Adds the security headers to every page and script of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _Door:
    """A path outside the mount that shows a page inside it, under its own address."""

    def __init__(self, page: str) -> None:
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        path = f"{root}{RUNS_PATH}{self.page}"
        inside = {
            **scope,
            "app_root_path": scope.get("app_root_path", root),
            "root_path": f"{root}{RUNS_PATH}",
            "path": path,
            "raw_path": path.encode(),
            "endpoint": nicegui.app,
        }
        await nicegui.app(inside, receive, send)


class _Elsewhere:
    """What nobody serves: a page of ours for whoever reads pages, the server's own answer for others."""

    def __init__(self, answer: ASGIApp) -> None:
        self.answer = answer
        self.page = _Door("/nothing")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        pages = reads and "text/html" in Headers(scope=scope).get("accept", "")
        await (self.page if pages else self.answer)(scope, receive, send)


def build_site(
    home: Path, language: Language, token: str | None = None, *, studio: str | None = None
) -> FastAPI:
    """The application. One a process: NiceGUI keeps its pages in one place.

    Args:
        home: the data folder.
        language: of every text.
        token: asked of everybody; None lets in this machine alone.
        studio: origin of LangGraph Studio, where this serves LangGraph's routes too.
    """
    site = Site(home=home.absolute(), words=Words(language, "page"))
    for room in ROOMS:
        catalogue(room, language)  # read now: page handlers run on the server's loop, where files may not be
    # LangGraph has a /docs and an /openapi.json of its own.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for path, page in DOORS:
        app.router.routes.append(Route(path, _Door(page), methods=["GET"], include_in_schema=False))

    def metrics(request: Request) -> Response:  # in a thread: it reads the logs
        return Response(metrics_text(site.home), media_type="text/plain; version=0.0.4; charset=utf-8")

    def ready_now(request: Request) -> Response:  # in a thread: it asks the disk and the database
        return ready.ready(site.home)

    for path, answer in ((ready.ALIVE_PATH, ready.alive), (ready.READY_PATH, ready_now)):
        app.router.routes.append(Route(path, answer, methods=["GET"], include_in_schema=False))
    app.router.routes.append(Route(METRICS_PATH, metrics, methods=["GET"], include_in_schema=False))

    def drawn(request: Request) -> Response:
        return pictures.answer(site, POLICY, request)

    app.router.routes.append(
        Route(f"{RUNS_PATH}/runs/{{run}}/pictures/{{file}}", drawn, methods=["GET"], include_in_schema=False)
    )

    def report(request: Request) -> Response:
        return report_file.answer(site, request)

    app.router.routes.append(
        Route(f"{RUNS_PATH}/runs/{{run}}/report.pdf", report, methods=["GET"], include_in_schema=False)
    )

    def fared(request: Request) -> Response:
        return outlooks.answer(site, request)

    app.router.routes.append(
        Route(f"{outlooks.PICTURE}.{{suffix}}", fared, methods=["GET"], include_in_schema=False)
    )

    def power(request: Request) -> Response:
        return calibration_page.answer(site, request)

    app.router.routes.append(
        Route(f"{calibration_page.PICTURE}.{{suffix}}", power, methods=["GET"], include_in_schema=False)
    )

    def csv(request: Request) -> Response:
        return trades_csv(site, request)

    app.router.routes.append(
        Route(f"{RUNS_PATH}/runs/{{run}}/{CSV_NAME}", csv, methods=["GET"], include_in_schema=False)
    )

    def shared(request: Request) -> Response:
        return shared_file.answer(site, request)

    app.router.routes.append(
        Route(
            f"{RUNS_PATH}/runs/{{run}}/{shared_file.NAME}", shared, methods=["GET"], include_in_schema=False
        )
    )
    for module in (
        runs_page,
        compare_page,
        bench_page,
        new_page,
        follow_page,
        data_page,
        declare_page,
        models_page,
        calibration_page,
        run_page,
        summary_page,
        observability_page,
    ):
        module.register(site)

    @ui.page("/{path:path}")
    def nothing_here(path: str) -> None:
        not_found(site, "")

    def cannot_be_shown(error: Exception) -> None:
        """A page that could not be drawn says why in its own frame; a fault's details stay in the log."""
        known = isinstance(error, ENDINGS)
        with frame(site, site.words("web.failed.title")):
            Text("p", site.words.told(error) if known else site.words("web.failed.unknown"), "tx-warn")
            anchor(site.words("web.back"), RUNS_PATH)

    nicegui.app.on_page_exception(cannot_be_shown)
    app.router.default = _Elsewhere(app.router.default)
    app.add_middleware(Guard, token=token, words=site.words, studio=studio)
    nicegui.app.add_middleware(_Headers)
    ui.run_with(
        app,
        mount_path=RUNS_PATH,
        title=site.words("web.title"),
        favicon="📈",
        dark=None,
        language="fr" if language == "fr" else "en-US",
        show_welcome_message=False,
        reconnect_timeout=AWAY_SECONDS,
    )
    return app
