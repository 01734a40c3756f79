"""What a run came to, on the terminal or as JSON, and the exit code that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadx.results import OptimizationResult, ReviewResult
from threadx.terminal import Terminal
from threadx.work.written import write_json

if TYPE_CHECKING:
    from threadx.runner import Outcome


def show_outcome(terminal: Terminal, outcome: Outcome, json_path: str | None) -> int:
    """Show it, write it where it was asked for, and return the exit code: 1 for a run that failed."""
    if json_path != "-":
        match outcome:
            case OptimizationResult():
                terminal.optimization_result(outcome)
            case ReviewResult():
                terminal.review_result(outcome)
            case _:
                terminal.waiting(outcome)
    write_json(outcome.to_json(), json_path)
    failed = isinstance(outcome, OptimizationResult | ReviewResult) and outcome.status != "finished"
    return 1 if failed else 0
