"""The log of openings: one JSON line each time a holdout was read, `<home>/datasets/holdout_openings.jsonl`.

Where the state of the data folder lives in a shared database, the same lines are rows there.

Each line carries the hash of all lines before it (`vault.chain`); lines of earlier versions carry none, and
are covered by the first that does. A half last line is cut off and kept aside. A line that nobody can read
is an opening all the same, of every holdout: the doubt counts against whoever opens next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from base import locks, private, shared
from base.aside import cut_tail, set_aside
from base.plain_files import LARGEST_LOG, read_plain
from base.schema import Schema, Tables
from vault.chain import Head, linked

LOG = "holdout_openings.jsonl"

SCHEMA = Schema(
    name="openings",
    version=1,
    tables={"openings": "number BIGINT PRIMARY KEY, line {bytes} NOT NULL"},
    begin=lambda tables: None,
)
ADD = "INSERT INTO openings VALUES (?, ?)"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A reader's first look: under which family and names; empty where the log does not say."""

    reader: str
    family: str
    symbol: str
    timeframe: str


@dataclass(frozen=True, kw_only=True)
class Openings:
    """The log as it stands.

    Attributes:
        lines: each as JSON; None for one that cannot be read.
        hashes: of the chain up to each line.
        broken: lines whose chain is not what stands before them: something was changed or taken out there.
    """

    lines: tuple[Mapping[str, Any] | None, ...]
    hashes: tuple[str, ...]
    broken: int

    @property
    def head(self) -> Head:
        """The end of the chain."""
        return Head(number=len(self.hashes), hash=self.hashes[-1] if self.hashes else "")

    @property
    def unreadable(self) -> int:
        """Lines that nobody can read."""
        return sum(line is None for line in self.lines)

    def looks(self, families: Collection[str], since: str | None = None) -> list[Look]:
        """The first look of everybody who saw a row of a holdout of these families from a time on.

        Lines of earlier versions do not say how far their readers saw: they count.
        """
        begin = "" if since is None else in_utc(since)
        found: dict[str, Look] = {}
        for number, line in enumerate(self.lines, start=1):
            if line is None:
                reader = f"unreadable line {number}"
                found[reader] = Look(reader=reader, family="", symbol="", timeframe="")
            elif line["family"] in families and line.get("seen_to", begin) >= begin:
                told = {name: str(line.get(name, "")) for name in ("family", "symbol", "timeframe")}
                found.setdefault(line["reader"], Look(reader=line["reader"], **told))
        return list(found.values())

    def readers(self, families: Collection[str], since: str | None = None) -> list[str]:
        """Their names, in the order of their first look; arguments as `looks`."""
        return [one.reader for one in self.looks(families, since)]


def in_utc(moment: str) -> str:
    """A time of a dataset in UTC, so that two of them compare as text."""
    time = pd.Timestamp(moment)
    utc = time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")
    return utc.isoformat(timespec="nanoseconds")


def read_openings(folder: Path) -> Openings:
    """The log of a folder of datasets; what cannot be a log is put aside, and a half line cut off.

    Raises:
        OSError: the folder cannot be written.
        DatabaseError: the shared database cannot be used.
    """
    if (database := shared.database_of(folder.parent)) is not None:
        with database.transaction(SCHEMA) as tables:
            return _as_rows(tables)
    with locks.lock(folder / "holdout_openings.lock"):
        return _chained(written_lines(folder / LOG))


def add_opening(folder: Path, line: Mapping[str, Any]) -> Openings:
    """Add a line, which reaches the disk before this returns.

    Returns:
        The log as it stood before.

    Raises:
        OSError: the folder cannot be written.
        DatabaseError: the shared database cannot be used.
    """
    if (database := shared.database_of(folder.parent)) is not None:
        with database.transaction(SCHEMA) as tables:
            found = _as_rows(tables)
            tables.execute(ADD, (found.head.number + 1, _next(found, line).encode()))
            return found
    path = folder / LOG
    with locks.lock(folder / "holdout_openings.lock"):
        found = _chained(written_lines(path))
        with open(path, "a", encoding="utf-8", newline="\n", opener=private.opener) as log:
            log.write(_next(found, line) + "\n")
            log.flush()
            os.fsync(log.fileno())
    return found


def _next(found: Openings, line: Mapping[str, Any]) -> str:
    return json.dumps({**line, "number": found.head.number + 1, "previous": found.head.hash})


def _as_rows(tables: Tables) -> Openings:
    rows = tables.execute("SELECT line FROM openings ORDER BY number").fetchall()
    return _chained([bytes(line) for (line,) in rows])


def written_lines(path: Path) -> list[bytes]:
    """The lines of the log's file; what cannot be a log is put aside, and a half line cut off."""
    if path.is_dir():
        set_aside(path)
    if not path.is_file():
        return []
    content = read_plain(path, LARGEST_LOG)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        if parsed(content[whole:]) is not None:  # all of it but its end
            with open(path, "ab", opener=private.opener) as stream:
                stream.write(b"\n")
            content += b"\n"
        else:
            cut_tail(path, whole)
            content = content[:whole]
    return content.split(b"\n")[:-1]


def _chained(written: Sequence[bytes]) -> Openings:
    lines: list[Mapping[str, Any] | None] = []
    hashes: list[str] = []
    before, broken = "", 0
    for one in written:
        line = parsed(one)
        if line is not None and "previous" in line:
            broken += (line.get("number"), line["previous"]) != (len(hashes) + 1, before)
        before = linked(before, one)
        lines.append(line)
        hashes.append(before)
    return Openings(lines=tuple(lines), hashes=tuple(hashes), broken=broken)


def parsed(written: bytes) -> Mapping[str, Any] | None:
    """A line as this program writes it, or an earlier version of it; else None."""
    try:
        line = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict):
        return None
    texts = (line.get("family"), line.get("reader"), line.get("seen_to", ""))
    return line if all(isinstance(one, str) for one in texts) else None
