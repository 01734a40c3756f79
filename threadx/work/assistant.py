"""Tools for a coding assistant, beside the backtest of `threadx.tools`: sweep, review, runs and verdicts.

They look and count; nothing that is there is changed, no boundary is moved, and no holdout is opened. The one
that starts whole runs (`optimize_tool`) is apart, for who wants it: a run opens the holdout at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field

from backtest.engine.sweep import grid_axes
from backtest.types import Metrics
from base.errors import Language
from base.paths import typed_path
from nodes.counted import registered, swept
from prompts import Words
from record.record import RunRecord
from record.run_list import newest_runs
from reports.belief import reason_lines
from threadx.api import optimize, review
from threadx.home import chosen_home
from threadx.results import OptimizationResult, read_result
from threadx.settings import make_context
from threadx.tools import BacktestForm, StrategyForm, as_tool, backtest_tool
from threadx.work.run_list import plain_line
from threadx.work.written import plain_rows
from vault.ledger import Ledger

SWEEP = (
    "Backtest every combination of a grid of parameters on price history and return the best ones as JSON. "
    "Only the development part of the prices is used. Every combination is counted as a trial and makes the "
    "final verdict stricter: a fine grid costs more belief than it finds."
)
REVIEW = (
    "Have the configured language models read one backtest and propose typed changes, each with its reason. "
    "Nothing is tested and no holdout is opened. It may take minutes."
)
RUNS = "List the runs of the data folder, the newest first: what was asked, how each stands, its verdict."
VERDICT = (
    "Tell what may be believed of a finished optimisation: its verdict on data that nobody had seen, the "
    "reasons for it, and the changes that were kept. The champion's figures on the holdout are not told: "
    "who chooses by them spends it."
)
OPTIMIZE = (
    "Improve a strategy in rounds: language models propose changes, code tests them on development data, and "
    "at the end the holdout is opened once for a verdict. It takes minutes to hours, and the opening is "
    "counted for ever: ask the user first."
)


class SweepForm(BacktestForm):
    """What the sweep is asked."""

    grid: dict[str, list[float | None]] = Field(
        min_length=1,
        description="Values to try, by parameter or rule of risk, for example "
        '{"fast_period": [5, 10, 20], "stop_loss_pct": [null, 2.0]}; null leaves a rule of risk off.',
    )
    rank_by: str = Field(
        default="sharpe_ratio",
        description="Metric that the best are chosen by.",
        json_schema_extra={"enum": [*Metrics.__dataclass_fields__]},
    )
    top: int = Field(default=10, ge=1, le=100, description="How many of the best are returned.")


class RunsForm(BaseModel):
    """Which runs are listed."""

    model_config = ConfigDict(extra="forbid")

    most: int = Field(default=20, ge=1, le=500, description="How many, the newest first.")


class VerdictForm(BaseModel):
    """Of which run."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field(description="Name of a run, as `runs` lists it.")


class OptimizeForm(BacktestForm):
    """What a run is asked."""

    max_iterations: int | None = Field(default=None, ge=1, description="Rounds at most.")


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A tool, and what a client is told of its effects.

    Attributes:
        tool: itself.
        reads_only: nothing at all is written by it, not even a count.
        repeatable: calling it again changes nothing more.
    """

    tool: BaseTool
    reads_only: bool = False
    repeatable: bool = True


def offered(home: str | Path | None, language: Language, *, runs: bool) -> list[Offered]:
    """Every tool of a data folder.

    Args:
        home: the data folder; default: the usual one.
        language: of sentences.
        runs: whether whole runs may be started, which open the holdout.
    """
    found = [
        Offered(tool=backtest_tool(home=home, language=language)),
        Offered(tool=sweep_tool(home, language)),
        Offered(tool=review_tool(home, language), repeatable=False),
        Offered(tool=runs_tool(home, language), reads_only=True),
        Offered(tool=verdict_tool(home, language), reads_only=True),
    ]
    return [*found, Offered(tool=optimize_tool(home, language), repeatable=False)] if runs else found


def _folder(home: str | Path | None, language: Language) -> Path:
    return typed_path(chosen_home(home, language)).absolute()


def sweep_tool(home: str | Path | None, language: Language) -> BaseTool:
    """Every combination of a grid, counted."""

    def sweep(
        data: str,
        strategy: StrategyForm,
        grid: Mapping[str, list[float | None]],
        rank_by: str = "sharpe_ratio",
        top: int = 10,
    ) -> dict[str, Any]:
        spec, folder = strategy.spec(), _folder(home, language)
        axes = grid_axes(spec, grid)
        context = make_context(home=str(folder), language=language)
        found = registered(data, symbol=None, timeframe=None, gaps="accept", home=folder, spec=spec)
        done = swept(
            found, spec, axes, costs=context.costs, fill=context.fill, home=folder, top=top, rank_by=rank_by
        )
        return {
            "strategy": spec.describe(without=axes),
            "symbol": found.dataset.symbol,
            "timeframe": found.dataset.timeframe,
            "configurations": done.rows,
            "dropped_by": done.dropped_by,
            "top": plain_rows(done.top),
            "configurations_tried_so_far": Ledger(folder).snapshot(found.dataset.family).trials,
        }

    return as_tool(sweep, SWEEP, SweepForm, language)


def review_tool(home: str | Path | None, language: Language) -> BaseTool:
    """A backtest read by the models."""

    def review_strategy(data: str, strategy: StrategyForm) -> dict[str, Any]:
        found = review(data, strategy.spec(), home=str(_folder(home, language)), language=language)
        return {
            "run": found.run,
            "status": found.status,
            "degraded": found.degraded,
            "score": found.score,
            "metrics": found.metrics,
            "analysis": found.analysis,
            "proposals": found.proposals,
        }

    return as_tool(review_strategy, REVIEW, BacktestForm, language)


def runs_tool(home: str | Path | None, language: Language) -> BaseTool:
    """The runs of a data folder."""

    def runs(most: int = 20) -> dict[str, Any]:
        found, count = newest_runs(_folder(home, language), most)
        return {"runs": [plain_line(line) for line in found], "in_all": count}

    return as_tool(runs, RUNS, RunsForm, language)


def verdict_tool(home: str | Path | None, language: Language) -> BaseTool:
    """What may be believed of a run."""

    def verdict(run: str) -> dict[str, Any]:
        record = RunRecord(_folder(home, language), run)
        result = read_result(record)
        told = {"run": run, "status": result.status, "degraded": result.degraded}
        return told | (
            _judged(result, language) if isinstance(result, OptimizationResult) else {"verdict": None}
        )

    return as_tool(verdict, VERDICT, VerdictForm, language)


def optimize_tool(home: str | Path | None, language: Language) -> BaseTool:
    """A whole run."""

    def optimize_strategy(
        data: str, strategy: StrategyForm, max_iterations: int | None = None
    ) -> dict[str, Any]:
        settings: dict[str, Any] = {} if max_iterations is None else {"max_iterations": max_iterations}
        found = optimize(
            data, strategy.spec(), home=str(_folder(home, language)), language=language, **settings
        )
        told = {"run": found.run, "status": found.status, "degraded": found.degraded}
        return told | _judged(found, language)

    return as_tool(optimize_strategy, OPTIMIZE, OptimizeForm, language)


def _judged(result: OptimizationResult, language: Language) -> dict[str, Any]:
    judged = result.verdict is not None
    return {
        "verdict": result.verdict,
        "reasons": reason_lines(result.details, Words(language)) if judged else [],
        "score_before": result.initial_score,
        "score_after": result.final_score,
        "development_metrics": result.metrics,
        "champion": result.champion.describe(),
        "changes": [change.description for change in result.applied_changes],
    }
