"""A chain of hashes: every link holds what stands before it, so that nothing can be taken out unseen.

A head is all that has to be kept elsewhere (the record of a run does) to see later that a chain is the same
one, grown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class Head(BaseModel):
    """The end of a chain at a moment.

    Attributes:
        number: links up to there.
        hash: of the last one; empty where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    hash: str

    def is_in(self, hashes: Sequence[str]) -> bool:
        """Whether a chain of these links is the one that ended here, or has grown from it."""
        return self.number == 0 or (self.number <= len(hashes) and hashes[self.number - 1] == self.hash)


def digest(content: bytes | str | Sequence[Any]) -> str:
    """SHA-256 of bytes, of a text in UTF-8, or of plain JSON; 32 hex digits."""
    if not isinstance(content, bytes | str):
        content = json.dumps(list(content), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:32]


def linked(before: str, content: bytes | str | Sequence[Any]) -> str:
    """The hash of a link: of the one before it and of what it says itself."""
    return digest(f"{before} {digest(content)}")
