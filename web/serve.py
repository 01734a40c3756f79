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


def serve(home: Path, language: Language, port: int) -> None:
    """Serve the pages to this machine alone, until interrupted.

    Args:
        home: the data folder.
        language: of every text.
        port: on 127.0.0.1.
    """
    app = build_site(home, language)
    app.router.routes.append(Route("/", lambda _: RedirectResponse(RUNS_PATH), include_in_schema=False))
    uvicorn.run(app, host=HOST, port=port, log_level="warning")
