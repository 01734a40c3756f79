"""The ensemble's published summaries: `<home>/llm_summary/dt=YYYYMMDDHH/`."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reports.errors import ReportError

_HOUR = re.compile(r"dt=(\d{10})")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One hour's summary.

    Attributes:
        hour: which hour, UTC.
        summary: as published.
        trace: inputs, prompts and raw answers; empty where the file is not there.
        hashes: SHA-256 of the files by name.
    """

    hour: datetime
    summary: dict[str, Any]
    trace: dict[str, Any]
    hashes: dict[str, str]


def published_hours(home: Path) -> list[datetime]:
    """The hours with a summary, in order."""
    found = (_HOUR.fullmatch(path.parent.name) for path in (home / "llm_summary").glob("dt=*/summary.json"))
    return sorted(datetime.strptime(match[1], "%Y%m%d%H").replace(tzinfo=UTC) for match in found if match)


def read_published(home: Path, hour: datetime) -> Published:
    """The summary of an hour.

    Raises:
        ReportError: `no_summary` for that hour; `unreadable_record`.
    """
    folder = home / "llm_summary" / f"dt={hour:%Y%m%d%H}"
    contents: dict[str, dict[str, Any]] = {}
    hashes: dict[str, str] = {}
    for name in ("summary.json", "trace_raw.json"):
        path = folder / name
        if not path.is_file():
            continue
        written = path.read_bytes()
        hashes[name] = hashlib.sha256(written).hexdigest()
        try:
            contents[name] = json.loads(written)
        except ValueError as error:
            raise ReportError("unreadable_record", path=str(path), reason=str(error)) from None
    if "summary.json" not in contents:
        raise ReportError("no_summary", hour=f"{hour:%Y-%m-%dT%H}")
    return Published(
        hour=hour,
        summary=contents["summary.json"],
        trace=contents.get("trace_raw.json", {}),
        hashes=hashes,
    )
