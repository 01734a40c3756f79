"""How much memory models can have on this machine: the card's, or most of the machine's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import psutil

SHARE = 0.75
"""Of the machine's memory; the rest is for the system and for the backtests."""

_SECONDS = 5.0


def _asked() -> str:
    """What the card's own tool says: mebibytes, a line a card; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    question = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(
            question, capture_output=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout if told.returncode == 0 else ""


cards: Callable[[], str] = _asked
"""Tests put a card of their own here."""


def machine_bytes() -> int:
    """Bytes that models can have of the machine's own memory."""
    return int(psutil.virtual_memory().total * SHARE)


def model_bytes() -> tuple[int, bool]:
    """(bytes that models can have, whether they are a card's)."""
    mebibytes = [int(line) for line in cards().split() if line.isdecimal()]
    if mebibytes:
        return sum(mebibytes) * 1024**2, True
    return machine_bytes(), False
