"""What a child of `base.bounded` is made to do in the tests: everything that native code may do."""

from __future__ import annotations

import os
from typing import Any


def crash(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    os.abort()


def hang(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    while True:
        pass


def swell(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    taken = []
    while True:
        taken.append(b"x" * 50_000_000)


def answer_at_length(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    return bytes(fields["size"])


def panic(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    raise SystemExit("as pyo3 panics: no Exception")


def count(fields: dict[str, Any], parts: list[bytes]) -> bytes:
    return f"{os.getpid()} {sum(map(len, parts))}".encode()
