"""Which source is at work: a digest of the rooms that decide what a run does."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("backtest", "feeds", "graphs", "nodes", "prompts", "providers", "record", "reports", "vault")
"""Rooms whose source decides what a run does; faces only show it."""

_SOURCES = (".py", ".md", ".toml")


@cache
def source_digest() -> str:
    """SHA-256 of the rooms' source files, names included, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for room in ROOMS:
        spec = find_spec(room)
        for place in sorted((spec.submodule_search_locations or []) if spec else []):
            folder = Path(place)
            for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES):
                if path.is_file():
                    digest.update(f"{room}/{path.relative_to(folder).as_posix()}\x00".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
