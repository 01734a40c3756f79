"""The iterations a state remembers: the last ones whole, older ones in short; the record has them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nodes.optimization.evidence.evidence import MEMORY
from nodes.optimization.state import OptimizationState
from record.record import RunRecord

_KEPT = ("iteration", "analyst_score", "adopted", "score_before", "score")
_KEPT_OF_TRIAL = ("number", "hash", "settled", "outcome", "backtests", "score")


def shortened(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries with those too old for any prompt in short: what was tested and what it came to."""
    recent = max(0, len(history) + 1 - MEMORY)
    return [
        {
            **{name: entry[name] for name in _KEPT},
            "trials": [{name: trial[name] for name in _KEPT_OF_TRIAL} for trial in entry["trials"]],
        }
        for entry in history[:recent]
    ] + list(history[recent:])


def whole_history(log: RunRecord) -> list[dict[str, Any]]:
    """Every iteration as `select` closed it, from the record."""
    return [
        {name: value for name, value in event["data"].items() if name != "champion"}
        for event in log.events()
        if event["kind"] == "decision" and event["node"] == "select"
    ]


def anything_tested(state: OptimizationState) -> bool:
    """Whether any proposal was tested; without one nothing was chosen: there is nothing to judge."""
    return any(trial["backtests"] for entry in state["history"] for trial in entry["trials"])


def backtests_done(state: OptimizationState) -> int:
    """Strategies tested on development data so far, the initial one included."""
    return 1 + sum(int(trial["backtests"]) for entry in state["history"] for trial in entry["trials"])
