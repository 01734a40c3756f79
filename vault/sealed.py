"""Records that are written once, with a fingerprint that shows any later change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from backtest.errors import BacktestError
from base.files import write_text_atomically
from base.json_files import parse_json
from base.plain_files import read_plain
from base.reasons import ReasonError
from vault.chain import digest
from vault.errors import MarketError


class Sealed(BaseModel):
    """A record that is never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def fingerprint(self) -> str:
        """Hash of everything: whoever publishes it can show later that nothing was changed."""
        return digest(json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")))


S = TypeVar("S", bound=Sealed)


def write_sealed(path: Path, name: str, record: Sealed) -> None:
    """Write a record under its name, beside its fingerprint.

    Raises:
        OSError: it cannot be written.
    """
    content = {name: record.model_dump(mode="json"), "fingerprint": record.fingerprint}
    write_text_atomically(path, json.dumps(content, ensure_ascii=False, sort_keys=True, indent=2) + "\n")


def read_sealed(path: Path, name: str, kind: type[S], damaged: MarketError) -> S | None:
    """The record of a file; None where there is no file.

    Raises:
        MarketError: `damaged`: it is not what was written.
    """
    if not path.exists():
        return None
    try:
        content = parse_json(read_plain(path).decode())
        found = kind.model_validate(content[name])
    except (OSError, ValueError, KeyError, TypeError, ReasonError, BacktestError) as reason:
        raise damaged from reason
    if content.get("fingerprint") != found.fingerprint:
        raise damaged
    return found
