"""Work of the cage in a child of `base.bounded` that has nothing of its parent's: compile, run, try.

While a function runs the process can open no file and no connection: it has no descriptor left to open.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from numba.core.errors import NumbaError

from backtest.cage.compiled import compiled
from backtest.cage.errors import CodeError
from backtest.cage.honesty import tried
from backtest.cage.source import read_source

if sys.platform != "win32":
    import resource


def examine(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    """What `honesty.tried` finds of a source, as JSON and the bytes of its values; or why it is refused.

    Args:
        fields: none.
        parts: the source.
    """
    source = read_source(parts[0].decode())
    try:
        function = compiled(source)
    except NumbaError as error:
        return _refused(CodeError("does_not_compile", name=source.name, reason=_place(error, source.name)))
    try:
        with nothing_to_open():
            found, measured = tried(source, function)
    except CodeError as error:
        return _refused(error)
    return json.dumps({"measured": measured}).encode() + b"\n" + found.tobytes()


@contextlib.contextmanager
def nothing_to_open() -> Iterator[None]:
    """No file, socket or pipe can be opened within the block, where the system has such a limit."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    else:
        yield


def _refused(error: CodeError) -> bytes:
    return json.dumps({"refused": {"code": error.code, "fields": error.fields}}).encode() + b"\n"


def _place(error: NumbaError, name: str) -> str:
    """The first line of what the compiler says, which names types; without its colours and our addresses."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not ("File" in line or os.sep in line or line.startswith("Failed in"))]
    return (told[0] if told else name)[:200]
