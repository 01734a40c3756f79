"""ThreadX: language-model agent graphs over an exact backtest engine.

`optimize` and `summarize` run the two graphs; `OptimizationOrchestrator` is the same cycle with its roles as
objects. Everything else is reached through its own package (`backtest`, `graphs`, `market`, ...).

Names are imported when they are first used: `threadx --help` need not wait for the graphs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadx.api import optimize, summarize
    from threadx.errors import ThreadxError
    from threadx.orchestrator import Analyst, OptimizationOrchestrator, Strategist, Validator
    from threadx.results import AppliedChange, OptimizationResult, SummaryResult

__all__ = [
    "Analyst",
    "AppliedChange",
    "OptimizationOrchestrator",
    "OptimizationResult",
    "Strategist",
    "SummaryResult",
    "ThreadxError",
    "Validator",
    "optimize",
    "summarize",
]

_HOMES = {
    "threadx.api": ("optimize", "summarize"),
    "threadx.errors": ("ThreadxError",),
    "threadx.orchestrator": ("Analyst", "OptimizationOrchestrator", "Strategist", "Validator"),
    "threadx.results": ("AppliedChange", "OptimizationResult", "SummaryResult"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
