"""The pages without the LangGraph server, for `threadx ui`."""

from __future__ import annotations

import socket
from pathlib import Path

import uvicorn
from starlette.responses import RedirectResponse
from starlette.routing import Route

from prompts import Language
from threadx.web.frame import RUNS_PATH
from threadx.web.site import build_site

HOST = "127.0.0.1"


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address that nobody else has, on every system.

    Raises:
        OSError: the address is taken, unknown, or not to be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def serve(home: Path, language: Language, listener: socket.socket, token: str | None = None) -> None:
    """Serve the pages until interrupted.

    Args:
        home: the data folder.
        language: of every text.
        listener: where it listens (`listen`).
        token: asked of everybody; None lets in this machine alone.
    """
    app = build_site(home, language, token)
    app.router.routes.append(Route("/", lambda _: RedirectResponse(RUNS_PATH), include_in_schema=False))
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
