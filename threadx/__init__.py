"""ThreadX: language-model agent graphs and an exact backtest engine.

`read_prices` reads any price file, `backtest` tries one strategy, `sweep` every combination of a grid,
`optimize`, `review` and `summarize` run the graphs, `optimize_each` ends many runs in one table, `replay`
repeats a run from its record, `check` recomputes its figures, `declare` seals a hypothesis before anybody
looks, `follow` seals a run's champion and judges it on bars to come, and `export_strategy_evolution` explains
each change of its strategy;
`OptimizationOrchestrator` is the same cycle with its roles as objects. Everything else is reached through its
own package (`backtest`, `graphs`, `vault`, ...).

Names are imported at first use, so that `threadx --help` does not load the graphs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodes.following import Following
    from threadx.api import (
        check,
        declare,
        export_strategy_evolution,
        follow,
        optimize,
        read_prices,
        replay,
        review,
    )
    from threadx.audit.checking import Check
    from threadx.audit.replaying import Replay
    from threadx.counted import backtest, sweep
    from threadx.each import OptimizationTable, TableRow, optimize_each
    from threadx.errors import ThreadxError
    from threadx.orchestrator import Analyst, OptimizationOrchestrator, Strategist, Validator
    from threadx.results import AppliedChange, OptimizationResult, ReviewResult, SummaryResult, Waiting
    from threadx.summaries import summarize

__all__ = [
    "Analyst",
    "AppliedChange",
    "Check",
    "Following",
    "OptimizationOrchestrator",
    "OptimizationResult",
    "OptimizationTable",
    "Replay",
    "ReviewResult",
    "Strategist",
    "SummaryResult",
    "TableRow",
    "ThreadxError",
    "Validator",
    "Waiting",
    "backtest",
    "check",
    "declare",
    "export_strategy_evolution",
    "follow",
    "optimize",
    "optimize_each",
    "read_prices",
    "replay",
    "review",
    "summarize",
    "sweep",
]

_HOMES = {
    "threadx.api": (
        "check",
        "declare",
        "export_strategy_evolution",
        "follow",
        "optimize",
        "read_prices",
        "replay",
        "review",
    ),
    "threadx.audit.checking": ("Check",),
    "threadx.counted": ("sweep",),
    "threadx.each": ("OptimizationTable", "TableRow", "optimize_each"),
    "threadx.errors": ("ThreadxError",),
    "nodes.following": ("Following",),
    "threadx.orchestrator": ("Analyst", "OptimizationOrchestrator", "Strategist", "Validator"),
    "threadx.audit.replaying": ("Replay",),
    "threadx.results": ("AppliedChange", "OptimizationResult", "ReviewResult", "SummaryResult", "Waiting"),
    "threadx.summaries": ("summarize",),
}


def __getattr__(name: str) -> Any:
    if name == "backtest":
        return import_module("threadx.backtest")  # a package that can be called
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
