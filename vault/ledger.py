"""The trial ledger: every configuration that was evaluated to choose among, on whatever prices it was.

`<home>/ledger.sqlite`, in write-ahead mode so that parallel runs may write, or tables of the shared database
(`base.shared`). It is append-only: triggers refuse
every change and deletion, and each row has its link in a chain of hashes (`vault.ledger_chain`). A trial is
(dataset family, strategy hash), once however often it is run and on whichever of the family's files; who
looked at it is written beside it, and its returns on other rows than the first, so that it can be
compared there; very large sweeps are one row with a count. Readers take a `Snapshot` first, so that what
others write meanwhile changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.statistics.overfitting import Unseen
from backtest.validation.trials import Trial
from base.reasons import ReasonError, because
from base.schema import Schema, Tables
from base.tables import kept_open, transaction
from vault import ledger_chain
from vault.chain import Head
from vault.errors import MarketError
from vault.ledger_chain import Chain

Origin = Literal["run", "search", "sweep", "backtest", "lost"]
"""Which kind of work looked; `lost`: the ledger no longer says, but a run's record witnesses the number."""

MOST_ROWS_A_SEARCH = 2_000
"""Searches of more configurations than this are counted in one row."""
_MOST_BYTES = 1 << 20
"""Of the blocks of one trial, unpacked: some hundreds of numbers."""

MOST_COLUMNS = 512
"""Trials whose blocks are compared with each other at most: the newest, and the chosen one always. Half of
them may be drawn from large searches, for which they stand."""

EVIDENCE_COLUMNS = {
    "hash": "str",
    "origin": "str",
    "search": "str",
    "own": "bool",
    "configurations": "int64",
    "excess_sharpe": "float64",
    "sharpe_variance": "float64",
    "blocks": "object",
}
"""Columns of `Evidence.table` and their kinds."""

_VERSION = 3
"""Of the file: 1 had no chain; it gets one, from there on. 2 kept returns on the rows of one file alone."""
_TABLES = {
    "trials": """
    id {id},
    family TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    origin TEXT NOT NULL,
    source TEXT NOT NULL,
    time TEXT NOT NULL,
    development_hash TEXT NOT NULL,
    n_observations BIGINT NOT NULL,
    sharpe DOUBLE PRECISION NOT NULL,
    excess_sharpe DOUBLE PRECISION NOT NULL,
    skew DOUBLE PRECISION NOT NULL,
    kurtosis DOUBLE PRECISION NOT NULL,
    blocks {bytes},
    UNIQUE (family, spec_hash)
""",
    "looks": """
    family TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (family, spec_hash, source)
""",
    "elsewhere": """
    family TEXT NOT NULL,
    spec_hash TEXT NOT NULL,
    development_hash TEXT NOT NULL,
    excess_sharpe DOUBLE PRECISION NOT NULL,
    blocks {bytes},
    PRIMARY KEY (family, spec_hash, development_hash)
""",
    "searches": """
    id {id},
    family TEXT NOT NULL,
    search_hash TEXT NOT NULL,
    origin TEXT NOT NULL,
    source TEXT NOT NULL,
    time TEXT NOT NULL,
    configurations BIGINT NOT NULL,
    sharpe_mean DOUBLE PRECISION NOT NULL,
    sharpe_variance DOUBLE PRECISION NOT NULL,
    UNIQUE (family, search_hash, source)
""",
}

SCHEMA = Schema(
    name="ledger", version=_VERSION, tables=_TABLES | ledger_chain.TABLES, begin=ledger_chain.begin
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The ledger as it stood at a moment: plain numbers, an input of a run.

    Attributes:
        family: of the dataset.
        last_trial: highest row id of the trials that count.
        last_search: highest row id of the large searches that count.
        trials: configurations counted for the family up to there, large searches included.
        also: of a pool the families of its instruments, whose configurations count too, each once.
    """

    family: str
    last_trial: int
    last_search: int
    trials: int
    also: Sequence[str] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """All of them, the pool's own first."""
        return self.family, *self.also

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `Snapshot(**snapshot.to_dict())` is the way back. Of no pool nothing is said."""
        found = asdict(self) | {"also": list(self.also)}
        return found if self.also else {name: found[name] for name in found if name != "also"}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the ledger knows about a family.

    Attributes:
        table: what all the rest is computed from, one row a trial or large search: `hash`, `origin`, `search`
            (of a large search and of the trials drawn from it whose it is, else empty), `own` (looked at by
            the one who asks), `configurations` (1, or how many a large search compared), `excess_sharpe` per
            bar (of a large search the mean), `sharpe_variance` within a large search,
            and `blocks`, sums of the excess returns over blocks of time, None where they are not compared.
            Others' trials in the order in which they were written, then one's own in the order of their
            hashes, then large searches.
        trials: configurations that were looked at, each once.
        by_origin: how many of them came from where.
        sharpe_variance: variance (n − 1) of the excess Sharpe ratios of all of them, per bar.
        sharpes: excess Sharpe ratios, per bar, of those with a row of their own, in the order of the table.
        hashes: strategies of the columns of `blocks`.
        blocks: blocks × trials: those evaluated on the same development rows, at most `MOST_COLUMNS`.
        unseen: the trials that are in no column, by the search that they are from.
    """

    table: pd.DataFrame
    trials: int
    by_origin: dict[str, int]
    sharpe_variance: float
    sharpes: NDArray[np.float64]
    hashes: tuple[str, ...]
    blocks: NDArray[np.float64]
    unseen: tuple[Unseen, ...]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Evidence:
        """Everything that follows from the table."""
        single = table[table["configurations"] == 1]
        searches = table[table["configurations"] > 1]
        counts = table.groupby("origin")["configurations"].sum()
        compared = single[single["blocks"].notna()]
        sharpes = single["excess_sharpe"].to_numpy(dtype=np.float64)
        return cls(
            table=table,
            trials=int(table["configurations"].sum()),
            by_origin={str(origin): int(count) for origin, count in sorted(counts.items())},
            sharpe_variance=_pooled_variance(sharpes, searches),
            sharpes=sharpes,
            hashes=tuple(compared["hash"]),
            blocks=(
                np.column_stack(list(compared["blocks"])).astype(np.float64)
                if len(compared)
                else np.empty((0, 0))
            ),
            unseen=_unseen(searches, len(single) - len(compared), compared),
        )


class Ledger:
    """The ledger of a data folder. Every call is a transaction of its own: threads may share it.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "ledger.sqlite"

    def kept_open(self) -> AbstractContextManager[None]:
        """One connection for all calls within the block, whoever makes them."""
        return kept_open(self.path)

    def count(
        self, family: str, trials: Iterable[Trial], *, development_hash: str, origin: Origin, source: str
    ) -> int:
        """Write down trials; those already there stay as they are.

        Args:
            family: of the dataset.
            trials: what was looked at.
            development_hash: the rows it was evaluated on.
            origin: which kind of work looked.
            source: which run, search or sweep.

        Returns:
            How many were new.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = [
            (
                family,
                one.spec_hash,
                origin,
                source,
                now,
                development_hash,
                one.n_observations,
                one.sharpe,
                one.excess_sharpe,
                one.skew,
                one.kurtosis,
                None if one.blocks is None else zlib.compress(one.blocks.astype("<f4").tobytes(), 6),
            )
            for one in trials
        ]
        with self._open() as connection:
            found = connection.execute(
                "SELECT spec_hash FROM looks WHERE family = ? AND source = ?", (family, source)
            )
            seen = {name for (name,) in found.fetchall()}
            looks = [
                (family, name, source, origin)
                for name in dict.fromkeys(row[1] for row in rows)
                if name not in seen
            ]
            connection.executemany(
                "INSERT INTO looks (family, spec_hash, source, origin) VALUES (?, ?, ?, ?)", looks
            )
            new = connection.executemany(
                "INSERT INTO trials (family, spec_hash, origin, source, time, development_hash,"
                " n_observations, sharpe, excess_sharpe, skew, kurtosis, blocks)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            ).rowcount
            connection.executemany(
                "INSERT INTO elsewhere (family, spec_hash, development_hash, excess_sharpe, blocks)"
                " SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM trials"
                " WHERE family = ? AND spec_hash = ? AND development_hash = ?) ON CONFLICT DO NOTHING",
                [(*row[:2], row[5], row[8], row[11], *row[:2], row[5]) for row in rows],
            )
            ledger_chain.link(connection, looks)
            return max(new, 0)  # -1 where there were no rows

    def count_search(
        self,
        family: str,
        *,
        about: Mapping[str, Any],
        configurations: int,
        sharpe_mean: float,
        sharpe_variance: float,
        origin: Origin,
        source: str,
    ) -> bool:
        """Write down a search too large for a row a configuration; the same one again is not counted.

        Two large searches that overlap are both counted in full: the doubt raises the bar.

        Args:
            family: of the dataset.
            about: what makes two searches the same one, plain JSON.
            configurations: how many were evaluated.
            sharpe_mean: mean of their Sharpe ratios, per bar.
            sharpe_variance: variance of them.
            origin: which kind of work looked.
            source: which run, search or sweep.

        Returns:
            Whether it was new.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        words = json.dumps(about, sort_keys=True, separators=(",", ":"))
        name = hashlib.sha256(words.encode()).hexdigest()[:16]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._open() as connection:
            found = connection.execute(
                "INSERT INTO searches (family, search_hash, origin, source, time, configurations,"
                " sharpe_mean, sharpe_variance) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (family, name, origin, source, now, configurations, sharpe_mean, sharpe_variance),
            )
            ledger_chain.link(connection)
            return found.rowcount == 1

    def count_lost(
        self, family: str, *, present: int, witnessed: int, sharpe_variance: float | None, source: str
    ) -> None:
        """Count what a run's record witnesses and the ledger no longer holds, in one row.

        Its mean is taken as that of the trials that are left, and so is its variance where nobody knows it.

        Args:
            family: of the dataset.
            present: configurations that the ledger holds.
            witnessed: configurations that it held once.
            sharpe_variance: of those, per bar.
            source: the run that found it.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        with self._open() as connection:
            rows = connection.execute(
                "SELECT excess_sharpe FROM trials WHERE family = ?", (family,)
            ).fetchall()
        left = np.array([row[0] for row in rows])
        own = float(left.var(ddof=1)) if len(left) > 1 else 0.0
        self.count_search(
            family,
            about={"lost": [present, witnessed], "found": datetime.now(UTC).isoformat()},
            configurations=witnessed - present,
            sharpe_mean=float(left.mean()) if len(left) else 0.0,
            sharpe_variance=own if sharpe_variance is None else sharpe_variance,
            origin="lost",
            source=source,
        )

    def snapshot(self, family: str, also: Sequence[str] = ()) -> Snapshot:
        """The family's count as it stands.

        Args:
            family: of the dataset.
            also: of a pool the families of its instruments.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        families = (family, *also)
        among = f"family IN ({', '.join('?' * len(families))})"
        with self._open() as connection:
            trials, last_trial = connection.execute(
                f"SELECT COUNT(DISTINCT spec_hash), COALESCE(MAX(id), 0) FROM trials WHERE {among}", families
            ).fetchone()
            searched = connection.execute(
                "SELECT CAST(COALESCE(SUM(configurations), 0) AS BIGINT) FROM"
                f" (SELECT MAX(configurations) AS configurations FROM searches WHERE {among}"
                " GROUP BY search_hash) AS each_once",
                families,
            ).fetchone()[0]
            last_search = connection.execute(
                f"SELECT COALESCE(MAX(id), 0) FROM searches WHERE {among}", families
            ).fetchone()[0]
        return Snapshot(
            family=family,
            last_trial=last_trial,
            last_search=last_search,
            trials=trials + searched,
            also=tuple(also),
        )

    def evidence(
        self, snapshot: Snapshot, *, development_hash: str, source: str, chosen: str | None = None
    ) -> Evidence:
        """Everything counted up to a snapshot, and what one source counted since.

        Args:
            snapshot: what a run began with.
            development_hash: rows whose blocks can be compared.
            source: the run itself: what it looked at counts, whoever wrote it down first.
            chosen: hash of the strategy that the others are compared with; it is among those kept.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        rows: list[Any] = []
        searches: list[Any] = []
        known: set[str] = set()
        with self._open() as connection:
            for family in snapshot.families:
                found, large_ones = _counted(connection, snapshot, family, development_hash, source)
                rows += [row for row in found if row[0] not in known]
                known.update(row[0] for row in found)
                searches += [one for one in large_ones if one[0] not in {other[0] for other in searches}]
        # Parallel branches write in any order: one's own trials count in the order of their hashes.
        rows.sort(key=lambda row: row[0] if row[5] else "")
        comparable = [place for place, row in enumerate(rows) if row[3] == development_hash and row[4]]
        # What is lost is nobody's: nothing was drawn from it.
        large = [
            (name, origin, "" if origin == "lost" else made, bool(own), *moments, None)
            for name, origin, made, own, *moments in searches
        ]
        drawn_from = {search[2] for search in large} - {""}
        drawn = [place for place in comparable if rows[place][6] in drawn_from]
        others = [place for place in comparable if rows[place][6] not in drawn_from]
        # The newest of both kinds; each may take the room that the other leaves.
        room = max(MOST_COLUMNS // 2, MOST_COLUMNS - len(drawn))
        kept = set(others[-room:])
        kept |= set(drawn[-(MOST_COLUMNS - len(kept)) :])
        if missed := [place for place in comparable if rows[place][0] == chosen and place not in kept]:
            kept = {*sorted(kept)[len(kept) + 1 - MOST_COLUMNS :], *missed}
        singles = [
            (
                name,
                origin,
                made if made in drawn_from else "",
                bool(own),
                1,
                ratio,
                0.0,
                _unpacked(packed, self.path) if place in kept else None,
            )
            for place, (name, origin, ratio, _, packed, own, made) in enumerate(rows)
        ]
        table = pd.DataFrame([*singles, *large], columns=list(EVIDENCE_COLUMNS))
        return Evidence.of(table.astype(EVIDENCE_COLUMNS))

    def head(self) -> Head:
        """The end of the chain of all that stands in it.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        with self._open() as connection:
            return ledger_chain.head(connection)

    def chain(self, family: str) -> Chain:
        """The whole chain, gone through, and the family's rows beside it.

        Raises:
            MarketError: `unusable_ledger`.
            OSError: the folder cannot be written.
        """
        with self._open() as connection:
            return ledger_chain.read_chain(connection, family)

    @contextmanager
    def _open(self) -> Iterator[Tables]:
        """One transaction; a damaged file is put aside, and a new ledger begun.

        Raises:
            MarketError: `unusable_ledger`.
            DatabaseError: the shared database cannot be used.
        """
        try:
            with transaction(self.path, SCHEMA) as tables:
                yield tables
        except sqlite3.DatabaseError as reason:
            raise MarketError("unusable_ledger", path=str(self.path), reason=because(reason)) from reason


def _counted(
    connection: Tables, snapshot: Snapshot, family: str, development_hash: str, source: str
) -> tuple[list[Any], list[Any]]:
    """Rows of trials and of large searches of one family: up to the snapshot, and what `source` counted."""
    rows = connection.execute(
        "SELECT trials.spec_hash, COALESCE(looks.origin, trials.origin),"
        " COALESCE(elsewhere.excess_sharpe, trials.excess_sharpe),"
        " COALESCE(elsewhere.development_hash, trials.development_hash),"
        " CASE WHEN elsewhere.family IS NULL THEN trials.blocks ELSE elsewhere.blocks END,"
        " looks.source IS NOT NULL, trials.source"
        " FROM trials LEFT JOIN looks ON looks.family = trials.family"
        " AND looks.spec_hash = trials.spec_hash AND looks.source = ?"
        " LEFT JOIN elsewhere ON elsewhere.family = trials.family"
        " AND elsewhere.spec_hash = trials.spec_hash AND elsewhere.development_hash = ?"
        " WHERE trials.family = ? AND (trials.id <= ? OR looks.source IS NOT NULL) ORDER BY id",
        (source, development_hash, family, snapshot.last_trial),
    ).fetchall()
    searches = connection.execute(
        "SELECT search_hash, origin, source, source = ?, configurations, sharpe_mean, sharpe_variance"
        " FROM searches WHERE id IN (SELECT MIN(id) FROM searches"
        " WHERE family = ? AND (id <= ? OR source = ?) GROUP BY search_hash) ORDER BY id",
        (source, family, snapshot.last_search, source),
    ).fetchall()
    return rows, searches


def _unpacked(packed: Any, path: Path) -> NDArray[np.float32]:
    unpacker = zlib.decompressobj()
    try:
        blocks = unpacker.decompress(packed, _MOST_BYTES)
        if not unpacker.eof:  # a file that somebody sent may swell without end
            raise ValueError
        return np.frombuffer(blocks, dtype="<f4")
    except (zlib.error, ValueError, TypeError) as error:
        raise MarketError("unusable_ledger", path=str(path), reason=ReasonError("other_shape")) from error


def _unseen(searches: pd.DataFrame, left_out: int, compared: pd.DataFrame) -> tuple[Unseen, ...]:
    """Trials without a column: what large searches counted, and single ones left out of the comparison.

    A large search is represented by the trials drawn from it, single trials by all that are compared. Tables
    of earlier versions do not tell searches: there whatever came from sweeps represents them.
    """
    told = "search" if "search" in compared.columns else "origin"
    whence = compared[told].replace("", None).to_numpy()
    found = [
        Unseen(count=int(count), columns=tuple(np.flatnonzero(whence == name).tolist()))
        for name, count in searches.groupby(told)["configurations"].sum().items()
    ]
    if left_out:
        found.append(Unseen(count=left_out, columns=tuple(range(len(compared)))))
    return tuple(found)


def _pooled_variance(sharpes: NDArray[np.float64], searches: pd.DataFrame) -> float:
    """Variance (n − 1) of single ratios and of searches of which mean and variance are known."""
    names = ("configurations", "excess_sharpe", "sharpe_variance")
    groups = [tuple(row) for row in searches[list(names)].to_numpy(dtype=np.float64).tolist()]
    if len(sharpes):
        groups.append(
            (len(sharpes), float(sharpes.mean()), float(sharpes.var(ddof=1)) if len(sharpes) > 1 else 0.0)
        )
    total = sum(count for count, _, _ in groups)
    if total < 2:
        return 0.0
    mean = sum(count * centre for count, centre, _ in groups) / total
    squares = sum(variance * (count - 1) + count * (centre - mean) ** 2 for count, centre, variance in groups)
    return float(squares / (total - 1))
