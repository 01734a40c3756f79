"""The ledger's chain: a link for every row, which holds the row's own hash and that of the link before.

The first link says "from here on": it holds a hash of everything that stood in the ledger when the chain
began, and how many configurations of each family that was. A chain that is whole, and whose rows are what
their links say, is what was written; and a head that a run has on record must be found in it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from base.schema import Tables
from vault.chain import Head, digest, linked

TABLES = {
    "links": """
    number BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    family TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    row BIGINT,
    configurations BIGINT NOT NULL,
    content TEXT NOT NULL,
    hash TEXT NOT NULL
"""
}

_TRIALS = (
    "SELECT id, family, spec_hash, source, 1, origin, time, development_hash, n_observations, sharpe,"
    " excess_sharpe, skew, kurtosis, blocks FROM trials"
)
_SEARCHES = (
    "SELECT id, family, search_hash, source, configurations, origin, time, sharpe_mean, sharpe_variance"
    " FROM searches"
)
_LOOKS = "SELECT NULL, family, spec_hash, source, 0, origin FROM looks"

_NUMBERED = {"trial": ("trials", _TRIALS), "search": ("searches", _SEARCHES)}

Look = tuple[str, str, str, str]
"""Family, strategy, source and origin of one row of `looks`."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What the ledger's chain says of it.

    Attributes:
        hashes: of every link, in order.
        broken: whether a link is not the one that follows from the links before it.
        changed: rows of the family that are gone or not what their links say; rows before the chain, which
            one hash covers together, count as one.
        configurations: of the family, by the links: what the tables must hold at least.
    """

    hashes: tuple[str, ...]
    broken: bool
    changed: int
    configurations: int


def begin(connection: Tables) -> None:
    """Make the first link, over whatever stands in the ledger."""
    if head(connection).number:
        return
    ends = {kind: _newest(connection, table) for kind, (table, _) in _NUMBERED.items()}
    content, counts, searches = _foundation(connection, ends)
    about = {"chain": uuid4().hex, "ends": ends, "counts": counts, "searches": searches}
    _add(connection, [("begun", "", json.dumps(about, sort_keys=True), "", None, 0, content)])


def link(connection: Tables, looks: Iterable[Look] = ()) -> None:
    """Add a link for every row that has none, and for new looks; at the end of a transaction that wrote."""
    rows: list[tuple[Any, ...]] = [
        ("look", family, name, source, None, 0, _content((None, family, name, source, 0, origin)))
        for family, name, source, origin in looks
    ]
    for kind, (_, query) in _NUMBERED.items():
        last = connection.execute("SELECT MAX(row) FROM links WHERE kind = ?", (kind,)).fetchone()[0]
        if last is None:
            first = connection.execute("SELECT name FROM links WHERE kind = 'begun'").fetchone()[0]
            last = json.loads(first)["ends"][kind]
        for row in connection.execute(f"{query} WHERE id > ? ORDER BY id", (last,)).fetchall():
            rows.append((kind, row[1], row[2], row[3], row[0], row[4], _content(row)))
    _add(connection, rows)


def head(connection: Tables) -> Head:
    """The end of the chain."""
    found = connection.execute("SELECT number, hash FROM links ORDER BY number DESC LIMIT 1").fetchone()
    return Head(number=0, hash="") if found is None else Head(number=found[0], hash=found[1])


def read_chain(connection: Tables, family: str) -> Chain:
    """Go through the whole chain, and through the rows of one family."""
    rows = {
        (kind, family, *row[2:4]): _content(row)
        for kind, query in (*((kind, query) for kind, (_, query) in _NUMBERED.items()), ("look", _LOOKS))
        for row in connection.execute(f"{query} WHERE family = ?", (family,)).fetchall()
    }
    links = connection.execute(
        "SELECT number, kind, family, name, source, row, configurations, content, hash FROM links"
        " ORDER BY number"
    ).fetchall()
    before, broken, changed, counted = "", False, 0, 0
    searches: dict[str, int] = {}
    for number, (place, *said, content, found) in enumerate(links, start=1):
        broken = broken or place != number or found != linked(before, [*said, content])
        before = found
        kind, of, name, source, _, configurations = said
        if kind == "begun":
            told = json.loads(name)
            counted += told["counts"].get(family, 0)
            searches |= told["searches"].get(family, {})
            changed += _foundation(connection, told["ends"])[0] != content
        elif of == family:
            changed += rows.get((kind, of, name, source)) != content
            counted += configurations if kind == "trial" else 0
            searches |= {name: configurations} if kind == "search" else {}
    return Chain(
        hashes=tuple(row[-1] for row in links),
        broken=broken,
        changed=changed,
        configurations=counted + sum(searches.values()),
    )


def _add(connection: Tables, rows: Iterable[tuple[Any, ...]]) -> None:
    last = head(connection)
    before, links = last.hash, []
    for number, (*said, content) in enumerate(rows, start=last.number + 1):
        before = linked(before, [*said, content])
        links.append((number, *said, content, before))
    connection.executemany("INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", links)


def _foundation(
    connection: Tables, ends: Mapping[str, int]
) -> tuple[str, dict[str, int], dict[str, dict[str, int]]]:
    """A hash over all rows up to these numbers; and by family how many trials, and the large searches."""
    found = ""
    counts: dict[str, int] = {}
    searches: dict[str, dict[str, int]] = {}
    for kind, (_, query) in _NUMBERED.items():
        for row in connection.execute(f"{query} WHERE id <= ? ORDER BY id", (ends[kind],)).fetchall():
            found = linked(found, _content(row))
            if kind == "trial":
                counts[row[1]] = counts.get(row[1], 0) + 1
            else:
                searches.setdefault(row[1], {})[row[2]] = row[4]
    return found, counts, searches


def _newest(connection: Tables, table: str) -> int:
    return int(connection.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()[0])


def _content(row: tuple[Any, ...]) -> str:
    """The hash of a row; its number is the file's own affair, its bytes go in by their hash."""
    return digest([None, *(digest(one) if isinstance(one, bytes) else one for one in row[1:])])
