"""The iterations a state remembers: the last ones whole, older ones in short; the record has them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from nodes.optimization.evidence.evidence import MEMORY
from nodes.optimization.state import OptimizationState
from record.record import RunRecord
from record.run_view import RunView
from record.types import Iteration

_KEPT = ("iteration", "analyst_score", "adopted", "score_before", "score", "excess_t_before", "excess_t")
_KEPT_OF_TRIAL = ("number", "hash", "settled", "outcome", "backtests", "score", "change")


def shortened(history: Sequence[Iteration]) -> list[Iteration]:
    """The entries with those too old to be told whole in short: what was tested and what it came to."""
    recent = max(0, len(history) - MEMORY)
    return [*map(_in_short, history[:recent]), *history[recent:]]


def _in_short(entry: Iteration) -> Iteration:
    trials = [
        {name: value for name, value in trial.items() if name in _KEPT_OF_TRIAL} for trial in entry["trials"]
    ]
    kept = {name: value for name, value in entry.items() if name in _KEPT}
    return cast(Iteration, {**kept, "trials": trials})


def whole_history(log: RunRecord) -> list[Iteration]:
    """Every iteration as `select` closed it, from the record."""
    return [
        cast(Iteration, {name: value for name, value in selection.items() if name != "champion"})
        for selection in RunView.of(log.events()).history.values()
    ]


def anything_tested(state: OptimizationState) -> bool:
    """Whether any proposal was tested; without one nothing was chosen: there is nothing to judge."""
    return any(trial["backtests"] for entry in state["history"] for trial in entry["trials"])


def backtests_done(state: OptimizationState) -> int:
    """Strategies tested on development data so far, the initial one and those of the survey included."""
    return (
        1
        + (state.get("surveyed") or 0)
        + sum(int(trial["backtests"]) for entry in state["history"] for trial in entry["trials"])
    )
