"""`threadx runs list`: what was run, the newest first. Neither engine nor graphs are imported."""

from __future__ import annotations

from typing import Any

from prompts import Words
from record.record import canonical_json
from record.run_list import RunLine, newest_runs
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work.written import write_json

_COLUMNS = ("run", "started", "instrument", "strategy", "status", "verdict", "score")


_TOLD = ("run", "graph", "started", "data", "symbol", "timeframe", "strategy", "verdict", "score")


def _plain(line: RunLine) -> dict[str, Any]:
    told = {name: getattr(line, name) for name in _TOLD} | {"status": line.status}
    return told | {"problem": line.problem} if line.problem else told


def _cells(line: RunLine, words: Words) -> list[str]:
    return [
        line.run,
        line.started[:10] or "–",
        " ".join(filter(None, (line.symbol, line.timeframe))) or line.data or "–",
        line.strategy or "–",
        words(f"command.run_status.{line.status}"),
        words(f"verdict.short.{line.verdict}") if line.verdict else "–",
        words.number(line.score),
    ]


def listing(words: Words, json_path: str | None, home: str | None, language: str, debug: bool) -> None:
    """Runs of the cycle, the newest first."""
    folder = home_folder(home)
    lines, _ = newest_runs(folder)
    if json_path != "-":
        Terminal(words).columns(
            [words(f"command.runs_column.{name}") for name in _COLUMNS],
            [_cells(line, words) for line in lines],
            words_columns=range(6),
        )
    write_json(canonical_json([_plain(line) for line in lines]), json_path)
