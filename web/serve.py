"""The pages without the LangGraph server, for `threadx ui`."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from starlette.responses import RedirectResponse
from starlette.routing import Route

from prompts import Language
from web.frame import RUNS_PATH
from web.site import build_site

HOST = "127.0.0.1"


def serve(home: Path, language: Language, port: int, host: str = HOST, token: str | None = None) -> None:
    """Serve the pages until interrupted.

    Args:
        home: the data folder.
        language: of every text.
        port: on the host's address.
        host: address to listen at; by default this machine alone.
        token: asked of everybody; None lets in this machine alone.
    """
    app = build_site(home, language, token)
    app.router.routes.append(Route("/", lambda _: RedirectResponse(RUNS_PATH), include_in_schema=False))
    uvicorn.run(app, host=host, port=port, log_level="warning")
