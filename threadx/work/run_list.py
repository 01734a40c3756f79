"""`threadx runs list`: what was run, the newest first. Neither engine nor graphs are imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from base.shared import require_state
from prompts import Words
from record.record import canonical_json
from record.run_list import RunLine, newest_runs
from record.types import OWN
from threadx.settings import home_folder
from threadx.terminal import Terminal
from threadx.work.written import write_json

_COLUMNS = ("run", "started", "instrument", "strategy", "status", "verdict", "score")
_SPARE = ("started", "strategy", "instrument")
"""What a narrow terminal goes without, the first to go first."""

_TOLD = ("run", "graph", "started", "data", "symbol", "timeframe", "strategy", "verdict", "score")


def plain_line(line: RunLine) -> dict[str, Any]:
    """A run as plain JSON."""
    told = {name: getattr(line, name) for name in _TOLD} | {"status": line.status}
    told |= line.label.model_dump(mode="json")
    return told | {"problem": line.problem} if line.problem else told


def _cells(line: RunLine, words: Words, *, tagged: bool) -> list[str]:
    status = words(f"command.run_status.{line.status}")
    return [
        line.run,
        line.started[:10] or "–",
        " ".join(filter(None, (line.symbol, line.timeframe))) or line.data or "–",
        words("report.population.own") if line.strategy == OWN else line.strategy or "–",
        words("command.run_status.imported", status=status) if line.label.imported else status,
        words(f"verdict.short.{line.verdict}") if line.verdict else "–",
        words.number(line.score),
        *([", ".join(line.label.tags)] if tagged else []),
    ]


def listing(
    words: Words,
    tags: Sequence[str],
    archived: bool,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
) -> None:
    """Runs of the cycle, the newest first: those that have every tag; put away ones only where asked for.

    Raises:
        DatabaseError: the database that knows who is at work cannot be asked.
    """
    folder = home_folder(home)
    require_state(folder)
    found, _ = newest_runs(folder, archived=archived)
    lines = [line for line in found if all(line.label.has(one) for one in tags)]
    if json_path != "-":
        terminal = Terminal(words)
        # A pipe has the same columns whatever the runs: programs count them.
        tagged = any(line.label.tags for line in lines) or not terminal.out.is_terminal
        columns = (*_COLUMNS, "tags") if tagged else _COLUMNS
        terminal.columns(
            [words(f"command.runs_column.{name}") for name in columns],
            [_cells(line, terminal.cells, tagged=tagged) for line in lines],
            words_columns=(*range(6), 7),
            spare=[_COLUMNS.index(name) for name in _SPARE],
        )
    write_json(canonical_json([plain_line(line) for line in lines]), json_path)
