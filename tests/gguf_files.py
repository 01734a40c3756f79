"""GGUF files written by hand, after the layout that ggml publishes (docs/gguf.md)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

SMALL = {
    "general.architecture": "llama",
    "general.file_type": 15,
    "llama.context_length": 40_960,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b", ""],
    "tokenizer.ggml.token_type": [1, 1, 3],
}
"""A header as small models have it; nothing of it can be loaded."""


def text(value: str) -> bytes:
    """A length of 64 bits, then the letters."""
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(given: Any) -> bytes:
    """A type, then the value: 4 is an unsigned number of 32 bits, 8 a text, 9 a list."""
    if isinstance(given, str):
        return struct.pack("<I", 8) + text(given)
    if isinstance(given, int):
        return struct.pack("<II", 4, given)
    kind = 8 if given and isinstance(given[0], str) else 4
    items = b"".join(text(one) if kind == 8 else struct.pack("<I", one) for one in given)
    return struct.pack("<IIQ", 9, kind, len(given)) + items


def gguf(
    path: Path, said: dict[str, Any] | None = None, *, weights: int = 4096, tensors: tuple[int, ...] = (0,)
) -> Path:
    """Write a file of version 3.

    Args:
        path: where.
        said: keys and values of the header.
        weights: bytes after the header.
        tensors: where each begins among them.
    """
    keys = SMALL if said is None else said
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(text(name) + value(one) for name, one in keys.items())
    for number, place in enumerate(tensors):
        head += text(f"blk.{number}.weight") + struct.pack("<IQIQ", 1, 32, 0, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + bytes(weights))
    return path
