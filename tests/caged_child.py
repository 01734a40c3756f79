"""What a sealed child of `base.bounded` may not do, tried in it."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtest.cage.child import nothing_to_open


def try_everything(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """What came of each attempt, as JSON."""
    descriptor = os.open(fields["path"], os.O_CREAT | os.O_WRONLY)
    try:
        written = os.write(descriptor, b"x")
    except OSError:
        written = 0
    os.close(descriptor)
    with nothing_to_open():
        opened = _failure(lambda: os.open(fields["path"], os.O_RDONLY))
        connected = _failure(socket.socket)
    ours = sorted(os.environ)
    told = {"environment": ours, "open": opened, "socket": connected, "written": written}
    return json.dumps({**told, "folder": str(Path.cwd())}).encode()


def _failure(work: Callable[[], object]) -> str:
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"
