"""What lies in the data folder: the runs, and the newest summary of the ensemble."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from prompts import Words
from record.errors import ReportError
from record.events import Event
from record.record import ENSEMBLE_PREFIX, RunRecord, as_recorded, runs_folder
from record.results import RunResult
from record.run_view import RunView
from reports.html import to_fragment
from reports.run_report import run_report

SHOWN_RUNS = 100
"""Newest runs on the list."""

_HOUR = re.compile(r"dt=(\d{10})")


@dataclass(frozen=True)
class RunLine:
    """One row of the list of runs.

    Attributes:
        run: its name.
        started: ISO time; empty where the record cannot be read.
        data: the prices asked for.
        status: `finished`, `failed`, `at_work`, `waiting` (for a person), `interrupted` or `unreadable`.
        score: the champion's final score, 0–10.
    """

    run: str
    started: str
    data: str
    status: str
    score: float | None


def _run_line(home: Path, run: str) -> RunLine:
    record = RunRecord(home, run)
    try:
        about = record.about()
        started, data = str(about["started"]), str(about["input"].get("data") or "")
        result = record.result()
        with as_recorded(record.result_path):
            score = result.get("final_score")
            return RunLine(run, started, data, str(result["status"]), None if score is None else float(score))
    except ReportError as error:
        if error.code == "no_result":
            return RunLine(run, started, data, _standing(record), None)
        # One damaged record must not hide the others.
        return RunLine(run, "", "", "unreadable", None)


def _standing(record: RunRecord) -> str:
    """How a run without a result stands."""
    if record.is_held():
        return "at_work"
    try:
        return "waiting" if RunView.of(record.events()).waits else "interrupted"
    except ReportError:
        return "unreadable"


def list_runs(home: Path) -> tuple[list[RunLine], int]:
    """The newest optimisation runs by their start, at most `SHOWN_RUNS`, and how many there are in all."""
    found = sorted(
        (
            path
            for path in runs_folder(home).glob("*/run.json")
            if not path.parent.name.startswith(ENSEMBLE_PREFIX)
        ),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    return [_run_line(home, path.parent.name) for path in found[:SHOWN_RUNS]], len(found)


class LogReader:
    """Reads a run's log as it grows, each event once.

    A look at a file that has not grown costs one `stat`.

    Attributes:
        size: of the log when it was last read.
    """

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self.size = -1
        self._taken = 0

    def new_events(self) -> list[Event]:
        """The events written since the last call.

        Raises:
            ReportError: `unreadable_record`.
        """
        path = self._record.events_path
        size = path.stat().st_size if path.is_file() else 0
        if size == self.size:
            return []
        events = list(self._record.events())[self._taken :]
        self.size = size
        self._taken += len(events)
        return events


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
