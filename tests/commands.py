"""The `threadx` command in the process of the test, its output to pipes."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from threadx.command import main


class Pipe(io.TextIOWrapper):
    """What a program writes to, and the bytes that come out at the other end."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def told(self) -> str:
        """Everything that was written."""
        self.flush()
        return bytes(self.buffer.getvalue()).decode("utf-8")  # type: ignore[attr-defined]


def threadx(*arguments: Any) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command."""
    out, err = Pipe(), Pipe()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main([*map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code, out.told(), err.told()
