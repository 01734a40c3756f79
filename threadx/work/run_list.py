"""`threadx runs list`: what was run, the newest first. Neither engine nor graphs are imported."""

from __future__ import annotations

from typing import Any

from prompts import Words
from record.errors import ReportError
from record.record import ENSEMBLE_PREFIX, RunRecord, as_recorded, canonical_json, runs_folder
from record.run_view import RunView
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work.written import write_json

_COLUMNS = ("run", "started", "instrument", "strategy", "status", "verdict", "score")


def _line(record: RunRecord, words: Words) -> dict[str, Any]:
    """What is told of a run in the list; what is not known is None, so a damaged record hides no other."""
    try:
        with as_recorded(record.folder):
            line = _readable(record)
            _cells(line, words)  # what can be shown
            return line
    except ReportError as error:
        unknown = dict.fromkeys(("graph", "data", "symbol", "timeframe", "strategy", "verdict", "score"))
        told = str(error)
        return {"run": record.run, "started": "", "status": "unreadable", "problem": told, **unknown}


def _readable(record: RunRecord) -> dict[str, Any]:
    about = record.about()
    asked = about["input"]
    line = {
        "run": record.run,
        "graph": about["graph"],
        "started": about["started"],
        "data": asked.get("data"),
        "symbol": asked.get("symbol"),
        "timeframe": asked.get("timeframe"),
        "strategy": (asked.get("spec") or {}).get("name") or asked.get("strategy"),
        "verdict": None,
        "score": None,
    }
    try:
        result = record.result()
    except ReportError as error:
        if error.code != "no_result":
            raise
        return line | {"status": "waiting" if RunView.of(record.events()).waits else "open"}
    return line | {
        "status": result["status"],
        "symbol": result["dataset"]["symbol"],
        "timeframe": result["dataset"]["timeframe"],
        "verdict": (result.get("verdict") or {}).get("value"),
        "score": result["final_score"],
    }


def _cells(line: dict[str, Any], words: Words) -> list[str]:
    verdict = line["verdict"]
    return [
        line["run"],
        line["started"][:10] or "–",
        " ".join(line[name] for name in ("symbol", "timeframe") if line[name]) or line["data"] or "–",
        line["strategy"] or "–",
        words(f"command.run_status.{line['status']}"),
        words(f"verdict.short.{verdict}") if verdict else "–",
        words.number(line["score"]),
    ]


def listing(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Runs of the cycle, the newest first."""
    folder = home_folder(home)
    records = (
        RunRecord(folder, path.parent.name)
        for path in runs_folder(folder).glob("*/run.json")
        if not path.parent.name.startswith(ENSEMBLE_PREFIX)  # `threadx ensemble history` lists those
    )
    told = (_line(record, words) for record in records)
    lines = sorted(told, key=lambda line: (line["started"], line["run"]), reverse=True)
    if json_path != "-":
        Terminal(words).columns(
            [words(f"command.runs_column.{name}") for name in _COLUMNS],
            [_cells(line, words) for line in lines],
            words_columns=range(6),
        )
    write_json(canonical_json(lines), json_path)
