"""The runs of a data folder, a line each: how they stand, and what they came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from record.errors import ReportError
from record.labels import NO_LABEL, Label, read_label
from record.record import ENSEMBLE_PREFIX, RunRecord, as_recorded, runs_folder
from record.run_view import RunView

ENDED = ("finished", "untested", "failed")
VERDICTS = ("real", "promising", "unproven", "overfit", None)
"""What a judgement says; None without one."""


@dataclass(frozen=True, kw_only=True)
class RunLine:
    """One run; what is not known of it is None or empty.

    Attributes:
        run: its name.
        status: `finished`, `untested`, `failed`, `at_work`, `waiting` (for a person), `interrupted` or
            `unreadable`.
        graph: `optimization` or `review`.
        started: ISO time.
        data: the prices asked for.
        symbol, timeframe: as the prices were read; before that as they were asked for.
        strategy: name of the strategy it began with.
        start, champion: the two strategies as JSON, as far as they are known.
        verdict: of an optimisation that was judged.
        score: the champion's, 0–10.
        holdout_return: of the champion out of sample.
        holdout_period: first and last day of that, where they are known.
        models: who answered, `rules` where it was asked first or stood in.
        problem: why the record cannot be read.
        label: what a person has written on it, and whether it came from elsewhere.
    """

    run: str
    status: str
    graph: str | None = None
    started: str = ""
    data: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    strategy: str | None = None
    start: Mapping[str, Any] | None = None
    champion: Mapping[str, Any] | None = None
    verdict: str | None = None
    score: float | None = None
    holdout_return: float | None = None
    holdout_period: tuple[str, str] | None = None
    models: tuple[str, ...] = ()
    problem: str = ""
    label: Label = NO_LABEL


def run_line(record: RunRecord) -> RunLine:
    """What a list tells of a run; a damaged record is `unreadable`, and hides no other."""
    label = NO_LABEL
    try:
        label = read_label(record.folder)
        with as_recorded(record.folder):
            return _line(record, label)
    except ReportError as error:
        return RunLine(run=record.run, status="unreadable", problem=str(error), label=label)


def _line(record: RunRecord, label: Label) -> RunLine:
    about = record.about()
    asked = about["input"]
    known: dict[str, Any] = {
        "run": record.run,
        "graph": about["graph"],
        "started": str(about["started"]),
        "data": asked.get("data"),
        "strategy": (asked.get("spec") or {}).get("name") or asked.get("strategy"),
        "label": label,
    }
    try:
        result = record.result()
    except ReportError as error:
        if error.code != "no_result":
            raise
        view = RunView.of(record.events())
        read = view.dataset or asked
        told: dict[str, Any] = {name: read.get(name) for name in ("symbol", "timeframe")}
        return RunLine(**known, **told, start=view.initial, status=_standing(record, view))
    champion, score = result.get("champion") or {}, result.get("final_score")
    verdict = (result.get("verdict") or {}).get("value")
    gained = (result.get("holdout_metrics") or {}).get("total_return")
    period = tuple(str(result["dataset"].get(name) or "")[:10] for name in ("boundary", "last"))
    if result["status"] not in ENDED or verdict not in VERDICTS:
        raise ValueError(result["status"], verdict)
    return RunLine(
        **known,
        status=result["status"],
        symbol=result["dataset"]["symbol"],
        timeframe=result["dataset"]["timeframe"],
        start=(result.get("initial") or {}).get("strategy"),
        champion=champion.get("strategy"),
        verdict=verdict,
        score=None if score is None else float(score),
        holdout_return=None if gained is None else float(gained),
        holdout_period=(period[0], period[1]) if gained is not None and all(period) else None,
        models=tuple(sorted({model for brain in result["brains"].values() for model in brain["answers"]})),
    )


def _standing(record: RunRecord, view: RunView) -> str:
    """How a run without a result stands."""
    if record.is_held():
        return "at_work"
    return "waiting" if view.waits else "interrupted"


def newest_runs(home: Path, most: int | None = None, *, archived: bool = False) -> tuple[list[RunLine], int]:
    """The runs of the cycle, the newest first, and how many there are in all.

    Args:
        home: the data folder.
        most: lines at most, the newest by their files.
        archived: those that were put away, in the place of the others.
    """
    found = sorted(
        (
            path
            for path in runs_folder(home).glob("*/run.json")
            if not path.parent.name.startswith(ENSEMBLE_PREFIX)  # those have a history of their own
            and _is_archived(path.parent) == archived
        ),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    lines = [run_line(RunRecord(home, path.parent.name)) for path in found[:most]]
    return sorted(lines, key=lambda line: (line.started, line.run), reverse=True), len(found)


def _is_archived(folder: Path) -> bool:
    """Whether a run was put away; one whose label cannot be read stays in sight."""
    try:
        return read_label(folder).archived
    except ReportError:
        return False
