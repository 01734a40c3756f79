"""What lies in the data folder: the runs, and the newest summary of the ensemble."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from prompts import Words
from record.errors import ReportError
from record.record import RunRecord, as_recorded, runs_folder
from record.results import RunResult
from record.run_list import RunLine, newest_runs
from record.run_tables import RETURNS, table_or_none
from reports.comparison import growth
from reports.html import to_fragment
from reports.run_report import run_report
from threadx.web import jobs

SHOWN_RUNS = 100
"""Newest runs on the list."""

_HOUR = re.compile(r"dt=(\d{10})")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A run on the list of runs.

    Attributes:
        line: how it stands and what it came to; a run that is only being started has no more than its name.
        holding: what holding brought on its holdout; None where that is not known.
    """

    line: RunLine
    holding: float | None = None


@lru_cache(maxsize=4 * SHOWN_RUNS)
def _holding(folder: Path, _written: int) -> float | None:
    """What holding brought on a run's holdout; kept, as a finished run's table never changes."""
    try:
        returns = table_or_none(folder, RETURNS)
    except ReportError:
        return None
    if returns is None:
        return None
    held = returns[returns["part"] == "holdout"]["market"].to_numpy(dtype=np.float64)
    return float(growth(held)[-1] - 1.0) if held.size else None


def list_runs(home: Path, *, archived: bool = False) -> tuple[list[Listed], int]:
    """The newest optimisation runs by their start, at most `SHOWN_RUNS`, and how many there are in all.

    Args:
        home: the data folder.
        archived: those that were put away, in the place of the others.
    """
    lines, total = newest_runs(home, SHOWN_RUNS, archived=archived)
    found = []
    for line in lines:
        path = runs_folder(home) / line.run / RETURNS
        written = path.stat().st_mtime_ns if line.holdout_return is not None and path.is_file() else 0
        found.append(Listed(line=line, holding=_holding(path.parent, written) if written else None))
    job = None if archived else jobs.at_work(home, "optimization")
    if job is not None and job.name not in {line.run for line in lines}:
        found.insert(0, Listed(line=RunLine(run=job.name, status="starting")))
        total += 1
    return found, total


@dataclass(frozen=True)
class Outcome:
    """What a finished run has left.

    Attributes:
        result: `result.json`.
        report: the whole report as HTML, every text escaped.
    """

    result: RunResult
    report: str


def read_outcome(record: RunRecord, words: Words) -> Outcome | None:
    """The result and the report of a run; None while there is no result.

    Raises:
        ReportError: `unreadable_record`.
    """
    try:
        result = record.run_result()
    except ReportError as error:
        if error.code == "no_result":
            return None
        raise
    with as_recorded(record.folder):
        return Outcome(result, to_fragment(run_report(record, words)))
