"""Whether this process can work, for whatever watches it: a load balancer, Docker, systemd.

The answer is a word: who asks needs no token, and so learns no path and no address.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from base import private
from base.schema import DatabaseError
from base.shared import database_of
from threadx.web.frame import RUNS_PATH

ALIVE_PATH = f"{RUNS_PATH}/healthz"
READY_PATH = f"{RUNS_PATH}/readyz"


def alive(request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


def ready(home: Path) -> Response:
    """The data folder can be written, and the database of its state answers; 503 and which one where not."""
    missing = _missing(home)
    return PlainTextResponse(f"{missing or 'ready'}\n", 503 if missing else 200)


def _missing(home: Path) -> str | None:
    try:
        private.make_folder(home)
        with tempfile.TemporaryFile(dir=home):
            pass
        if (database := database_of(home)) is not None:
            database.ask()
    except DatabaseError:
        return "database"
    except OSError:
        return "data_folder"
    return None
