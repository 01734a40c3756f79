"""ThreadX: language-model agent graphs over an exact backtest engine.

`optimize` and `summarize` run the two graphs; `OptimizationOrchestrator` is the same cycle with its roles as
objects. Everything else is reached through its own package (`backtest`, `graphs`, `market`, ...).
"""

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
