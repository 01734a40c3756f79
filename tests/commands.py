"""The `threadx` command in the process of the test, its output to pipes or to what looks like a terminal."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import pytest

from threadx.command import main


class Pipe(io.TextIOWrapper):
    """What a program writes to, and the bytes that come out at the other end."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        """What the program is told when it asks who reads."""
        return self.terminal

    def told(self) -> str:
        """Everything that was written."""
        self.flush()
        text = bytes(self.buffer.getvalue()).decode("utf-8")  # type: ignore[attr-defined]
        return re.sub(r"\x1b\[[0-9;]*m", "", text) if self.terminal else text


def threadx(*arguments: Any, terminal: bool = False) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command.

    Args:
        *arguments: of the command.
        terminal: whether standard output is one; styles are left out of what is given back.
    """
    out, err = Pipe(terminal=terminal), Pipe()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        main([*map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code, out.told(), err.told()
