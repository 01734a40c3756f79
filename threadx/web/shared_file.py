"""A run as one file: to keep, and one that somebody brings."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from base.reasons import ENDINGS
from nodes.sharing import ENDING, share_run
from record.errors import ReportError
from threadx.web.frame import Site, run_path

NAME = "shared.zip"


def share_path(run: str) -> str:
    """Address of a run's file."""
    return f"{run_path(run)}/{NAME}"


def answer(site: Site, request: Request) -> Response:
    """The file to keep, or a line that says why there is none; in a thread: it is packed now."""
    run = str(request.path_params["run"])
    try:
        content = share_run(run, site.home)
    except ReportError:
        return PlainTextResponse(site.words("web.not_found.run"), 404)
    except ENDINGS as error:
        return PlainTextResponse(site.words.told(error), 500)
    kept_as = {"content-disposition": f'attachment; filename="{run}{ENDING}"'}
    return Response(content, media_type="application/zip", headers=kept_as)
