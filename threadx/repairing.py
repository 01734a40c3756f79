"""Damaged files of a data folder: found, told, and mended where that loses nothing.

Nothing that is evidence is deleted: a damaged file gets another name, a half line is kept beside its log, and
what can be made anew from the rest (boundaries, marks, a summary) is. Only temporary files go.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from base.aside import cut_tail, set_aside
from base.databases import is_damaged
from base.errors import TypedError
from base.leftovers import leftovers, sweep
from base.own_tables import read_own_table
from base.plain_files import LARGEST_LOG, read_plain
from base.reasons import ReasonError, because
from base.shared import database_of
from nodes.ensemble.operation.partition import SUMMARY, TRACE, settle, summaries_folder
from record.errors import ReportError
from record.labels import LABEL, read_label
from record.record import RunRecord, runs_folder
from record.run_tables import RETURNS, TRIALS, table_or_none
from threadx.writable import written_folders
from vault.datasets import Dataset, content_hash, opening_log
from vault.errors import MarketError
from vault.fingerprints import NO_MARKS, Marks
from vault.ledger import Ledger
from vault.openings import LOG, parsed
from vault.splits import read_marks, read_splits, write_splits
from vault.splits_anew import splits_anew

_OBJECT = TypeAdapter(Annotated[dict[str, Any], Field(min_length=1)])

DATABASES = ("ledger.sqlite", "checkpoints.sqlite", "memory.sqlite", "llm_cache.sqlite")

Problem = Literal[
    "damaged", "no_database", "torn", "wrong_hash", "changed", "broken", "unreadable_lines", "leftover"
]
Remedy = Literal["aside", "anew", "cut", "remove", "restore"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One file that is not what it should be.

    Attributes:
        path: which.
        problem: what is wrong: `command.doctor_problem.<problem>` is its text.
        remedy: what `mend` does: `restore` is nothing, only a backup helps.
        fields: of the problem's text.
        do: does it.
    """

    path: Path
    problem: Problem
    remedy: Remedy
    fields: dict[str, Any]
    do: Callable[[], object]

    def mend(self) -> None:
        """Do what can be done.

        Raises:
            OSError: the folder cannot be written.
        """
        self.do()


def examine(home: Path) -> list[Finding]:
    """Every damaged file of a data folder; nothing is changed.

    Raises:
        OSError: a folder cannot be read.
    """
    return [
        *_databases(home),
        *_datasets(home / "datasets"),
        *_openings(home / "datasets" / LOG),
        *_shared_openings(home),
        *_runs(home),
        *_hours(home),
        *_small(home),
        *_left(home),
    ]


def _found(
    path: Path, problem: Problem, remedy: Remedy, do: Callable[[], object] | None = None, **fields: Any
) -> Finding:
    usual = partial(set_aside, path) if remedy == "aside" else _nothing
    return Finding(path=path, problem=problem, remedy=remedy, fields=fields, do=do or usual)


def _nothing() -> None:
    """Only a backup helps."""


def _databases(home: Path) -> Iterator[Finding]:
    for name in DATABASES:
        path = home / name
        if is_damaged(path):
            yield _found(path, "no_database", "aside")
    path = home / "ledger.sqlite"
    shared = database_of(home) is not None
    if shared or (path.is_file() and not is_damaged(path)):
        path = home / "ledger" if shared else path
        ledger = Ledger(home)
        families = {one.family for _, one in _registered(home / "datasets") if isinstance(one, Dataset)}
        chains = [ledger.chain(family) for family in sorted(families)]
        if changed := sum(chain.changed for chain in chains):
            yield _found(path, "changed", "restore", count=changed)
        elif any(chain.broken for chain in chains):
            yield _found(path, "broken", "restore")


def _registered(folder: Path) -> Iterator[tuple[Path, Dataset | TypedError]]:
    """Every description of a dataset, or why it cannot be read."""
    for path in sorted(folder.glob("*.json")):
        if path.name == "splits.json":
            continue
        try:
            yield path, Dataset.model_validate_json(read_plain(path))
        except (OSError, ValidationError) as error:
            yield path, because(error)


def _datasets(folder: Path) -> Iterator[Finding]:
    known = list(_registered(folder))
    for path, dataset in known:
        if isinstance(dataset, TypedError):
            yield _found(path, "damaged", "aside", reason=dataset)
    try:
        read_splits(folder)
    except MarketError as error:
        path = folder / "splits.json"
        alone = [one for _, one in known if isinstance(one, Dataset) and not one.instruments]

        again = partial(_splits_anew, path, alone)
        yield _found(path, "damaged", "anew", again, reason=because(error.__cause__ or error))
    for path in sorted(folder.glob("*.marks.npz")):
        try:
            Marks.read(path)
        except NO_MARKS as error:
            yield _found(
                path,
                "damaged",
                "anew",
                partial(read_marks, folder, path.name.partition(".")[0]),
                reason=because(error),
            )
    for path in sorted(folder.glob("*.parquet")):
        try:
            intact = content_hash(read_own_table(path)) == path.stem
        except (OSError, ValueError, KeyError, ReasonError) as error:
            yield _found(path, "damaged", "aside", reason=because(error))
        else:
            if not intact:
                yield _found(path, "wrong_hash", "aside")


def _splits_anew(path: Path, datasets: list[Dataset]) -> None:
    found = splits_anew(path.parent, datasets)
    set_aside(path)
    write_splits(path.parent, found)


def _openings(path: Path) -> Iterator[Finding]:
    if path.is_dir():
        yield _found(path, "damaged", "aside", reason=because(IsADirectoryError(errno.EISDIR, "")))
        return
    if not path.is_file():
        return
    yield from _torn(path)
    unreadable = [line for line in read_plain(path, LARGEST_LOG).split(b"\n")[:-1] if parsed(line) is None]
    if unreadable:
        yield _found(path, "unreadable_lines", "restore", count=len(unreadable))


def _shared_openings(home: Path) -> Iterator[Finding]:
    if database_of(home) is not None and (unreadable := opening_log(home).unreadable):
        yield _found(home / "openings", "unreadable_lines", "restore", count=unreadable)


def _torn(path: Path) -> Iterator[Finding]:
    content = read_plain(path, LARGEST_LOG)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        yield _found(path, "torn", "cut", partial(cut_tail, path, whole))


def _runs(home: Path) -> Iterator[Finding]:
    for folder in sorted(path for path in runs_folder(home).glob("*/") if path.is_dir()):
        try:
            record = RunRecord(home, folder.name)
        except ReportError:
            continue  # no run's name
        if record.events_path.is_file() and not record.is_held():
            yield from _torn(record.events_path)
        looks: dict[str, Callable[[], object]] = {
            "run.json": record.about,
            "result.json": record.result,
            "events.jsonl": partial(_read_events, record),
            TRIALS: partial(table_or_none, folder, TRIALS),
            RETURNS: partial(table_or_none, folder, RETURNS),
            LABEL: partial(read_label, folder),
        }
        for name, look in looks.items():
            try:
                look()
            except TypedError as error:
                if error.code == "unreadable_record":
                    # A label is no evidence: the run is readable again without it.
                    remedy: Remedy = "aside" if name == LABEL else "restore"
                    yield _found(folder / name, "damaged", remedy, reason=error.fields["reason"])


def _read_events(record: RunRecord) -> None:
    for _ in record.events():
        pass


def _hours(home: Path) -> Iterator[Finding]:
    for folder in sorted(summaries_folder(home).glob("dt=*/")):
        trace = _json_problem(folder / TRACE)
        if trace is not None:
            yield _found(folder / TRACE, "damaged", "aside", reason=trace)
        problem = _json_problem(folder / SUMMARY)
        if problem is None:
            continue

        remedy: Remedy = "aside" if trace is not None or not (folder / TRACE).is_file() else "anew"
        yield _found(folder / SUMMARY, "damaged", remedy, partial(_settled, folder), reason=problem)


def _settled(folder: Path) -> None:
    set_aside(folder / SUMMARY)
    settle(folder)


def _json_problem(path: Path) -> TypedError | None:
    """Why a file holds no JSON object; None where it does, or is not there."""
    if not path.exists():
        return None
    try:
        _OBJECT.validate_json(read_plain(path))
    except (OSError, ValidationError) as error:
        return because(error)
    return None


def _small(home: Path) -> Iterator[Finding]:
    """Slots of pages, logs that a folder stands in place of, and tables that can be computed again."""
    for path in sorted((home / "jobs").glob("*.json")):
        if (problem := _json_problem(path)) is not None:
            yield _found(path, "damaged", "aside", reason=problem)
    for path in (home / "ensemble" / "stances.jsonl", *sorted((home / "logs").glob("*.log"))):
        if path.is_dir():
            yield _found(path, "damaged", "aside", reason=because(IsADirectoryError(errno.EISDIR, "")))
    for path in sorted((home / "sweeps").glob("*.parquet")):
        try:
            read_own_table(path)
        except (OSError, ReasonError) as error:
            yield _found(path, "damaged", "aside", reason=because(error))


def _left(home: Path) -> Iterator[Finding]:
    for folder in written_folders(home):
        for path in leftovers(folder):
            yield _found(path, "leftover", "remove", partial(sweep, folder))
