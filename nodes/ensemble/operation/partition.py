"""The published hours: `<home>/llm_summary/dt=YYYYMMDDHH/`, each whole or not there.

An hour's first version appears in one step, as a folder. A rerun copies the earlier version to
`summary.N.json` and `trace_raw.N.json`, then writes the new trace, which holds the new summary, and the new
summary last. A kill between the two is mended by `settle`: the trace tells what the summary was to be.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from base import locks, private
from base.aside import set_aside
from base.files import take_name, write_atomically, write_text_atomically
from base.leftovers import sweep
from base.plain_files import read_plain, read_plain_text
from base.reasons import because
from nodes.ensemble.errors import PublishError
from nodes.ensemble.types import Trace

SUMMARY, TRACE = "summary.json", "trace_raw.json"
_HOUR = re.compile(r"dt=(\d{10})")
_ABANDONED_SECONDS = 3600.0


class _Run(BaseModel):
    status: str | None = None
    speaking: int | None = None


class _Said(BaseModel):
    regime: str | None = None
    risk_level: str | None = None
    outlook_days_7: str | None = None
    outlook_days_30: str | None = None


class _Trace(BaseModel):
    """What a list of hours takes from a trace, whichever version wrote it."""

    run: _Run = _Run()
    summary: _Said = _Said()


def summaries_folder(home: Path) -> Path:
    """Where the hours lie."""
    return home / "llm_summary"


def hour_folder(home: Path, hour: datetime) -> Path:
    """The folder of one hour (UTC)."""
    return summaries_folder(home) / f"dt={hour:%Y%m%d%H}"


def published_hours(home: Path) -> list[datetime]:
    """Hours that have a summary, earliest first."""
    found = []
    for path in summaries_folder(home).glob("dt=*"):
        match = _HOUR.fullmatch(path.name)
        if match and (path / SUMMARY).is_file():
            found.append(datetime.strptime(match[1], "%Y%m%d%H").replace(tzinfo=UTC))
    return sorted(found)


def read_trace(home: Path, hour: datetime) -> Trace | None:
    """An hour's trace; None where it is missing or damaged."""
    found = _read(hour_folder(home, hour) / TRACE)
    try:
        _Trace.model_validate(found)
    except ValidationError:
        return None
    return cast(Trace, found)


def write_hour(
    home: Path,
    hour: datetime,
    summary: Mapping[str, Any],
    trace: Trace,
    *,
    compact: bool = False,
) -> Path:
    """Publish one hour; an earlier version stays under the next number.

    Args:
        home: the data folder.
        hour: which (UTC).
        summary: what a reader is told.
        trace: for the audit; the summary is put into it.
        compact: the trace on one line, for back-runs over years.

    Returns:
        The summary's path.

    Raises:
        PublishError: `publish_failed`; what was published before stands as it was.
    """
    folder, root = hour_folder(home, hour), summaries_folder(home)
    whole = {**trace, "summary": summary}
    told = json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n" if compact else _json(whole)
    try:
        private.make_folder(root)
        with locks.lock(root / ".publish.lock"):
            if folder.is_dir():
                for path in (folder / TRACE, folder / SUMMARY):
                    if path.is_dir():
                        set_aside(path)
                settle(folder)
                _keep_earlier(folder)
                write_text_atomically(folder / TRACE, told)
                write_text_atomically(folder / SUMMARY, _json(summary))
            else:
                _write_first(root, folder, told, _json(summary))
    except OSError as error:
        raise PublishError("publish_failed", path=str(folder), reason=because(error)) from error
    return folder / SUMMARY


def settle(folder: Path) -> None:
    """Finish a publication that was interrupted between the trace and the summary."""
    sweep(folder)
    told = _read(folder / TRACE)
    if told is None or "summary" not in told:  # nothing there, or another program's
        return
    summary = _json(told["summary"])
    path = folder / SUMMARY
    if not path.is_file() or read_plain(path) != summary.encode():
        write_text_atomically(path, summary)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(read_plain_text(path))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _write_first(root: Path, folder: Path, trace: str, summary: str) -> None:
    workshop = root / ".building"  # a folder of its own: years of hours are not gone through for each new one
    for abandoned in workshop.glob("*"):
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(abandoned, ignore_errors=True)
    building = workshop / f"{folder.name}-{uuid4().hex[:8]}"
    try:
        write_text_atomically(building / TRACE, trace)
        write_text_atomically(building / SUMMARY, summary)
        take_name(building, folder)
    except OSError:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _keep_earlier(folder: Path) -> None:
    if not (folder / SUMMARY).exists():
        return
    number = 1
    while (folder / f"summary.{number}.json").exists():
        number += 1
    for name in (TRACE, SUMMARY):
        source = folder / name
        if source.exists():
            # A copy, so that the hour never stands without a summary.
            kept = folder / f"{source.stem}.{number}.json"
            _copy(source, kept)


def _copy(source: Path, path: Path) -> None:
    content = read_plain(source)
    write_atomically(path, lambda stream: stream.write(content))


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
