"""What a notebook shows of a run: objects that draw themselves, with nothing asked of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from prompts import Words
from record.errors import ReportError
from record.evolution import strategy_evolution
from record.record import RunRecord
from record.results import RunResult
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from record.types import Selection
from reports.charts.convergence import convergence_chart
from reports.charts.debate import debate_tree
from reports.charts.evolution import evolution_chart
from reports.charts.folds import folds_chart
from reports.charts.holdout import holdout_chart
from reports.pictures import picture, specification, write_picture
from threadx.errors import ThreadxError

_VEGA_LITE = "application/vnd.vegalite.v6+json"
_SVG = "image/svg+xml"


@dataclass(frozen=True, kw_only=True)
class View:
    """A chart that a notebook draws, also one that may not reach the network.

    Attributes:
        chart: the Altair chart.
        says: what it shows.
    """

    chart: alt.TopLevelMixin
    says: str

    def save(self, path: str | Path) -> None:
        """Write it to a .png, .svg, .pdf or .html file.

        Raises:
            ReportError: `unknown_picture`.
            OSError: the file cannot be written.
        """
        write_picture(self.chart, Path(path))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The chart for front ends that draw Vega-Lite themselves, as SVG for the others."""
        return {
            "text/plain": self.says,
            _SVG: picture(self.chart, ".svg").decode(),
            _VEGA_LITE: specification(self.chart),
        }


class StrategyEvolution(dict[str, Any]):
    """How a strategy became what it is, as data (`record.evolution.strategy_evolution`); draws its timeline.

    Attributes:
        view: the timeline.
    """

    def __init__(self, told: Mapping[str, Any], view: View) -> None:
        super().__init__(told)
        self.view = view

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self.view._repr_mimebundle_(include, exclude)


def convergence_view(record: RunRecord, words: Words, target_score: float | None = None) -> View:
    """The score from iteration to iteration, of a run that need not be finished."""
    initial, history = _history(record)
    chart = convergence_chart(initial, history, words, target_score=target_score)
    return View(chart=chart, says=words("chart.convergence"))


def folds_view(details: RunResult, words: Words) -> View:
    """The champion's walk-forward tests, of a finished run."""
    chart = folds_chart(details["walk_forward"].get("per_fold", ()), words)
    return View(chart=chart, says=words("chart.folds"))


def holdout_view(record: RunRecord, details: RunResult, words: Words) -> View:
    """What became of account and metrics on the holdout, of a finished run.

    Raises:
        ReportError: `holdout_closed`.
    """
    if not details["champion"]["holdout"]:
        raise ReportError("holdout_closed", run=record.run)
    chart = holdout_chart(details, words, returns=table_or_none(record.folder, RETURNS))
    return View(chart=chart, says=words("chart.holdout_title"))


def debate_view(record: RunRecord, words: Words) -> View:
    """The debates of a run as a tree."""
    debates = RunView.of(record.events()).debates.values()
    return View(chart=debate_tree(debates, words), says=words("chart.debate"))


def evolution_view(record: RunRecord, words: Words) -> StrategyEvolution:
    """The modifications of a run with their reasons."""
    initial, history = _history(record)
    chart = evolution_chart(initial, history, words)
    return StrategyEvolution(
        strategy_evolution(record.events()), View(chart=chart, says=words("chart.evolution"))
    )


def _history(record: RunRecord) -> tuple[float, list[Selection]]:
    view = RunView.of(record.events())
    if view.initial_score is None:
        raise ThreadxError("nothing_run")
    return view.initial_score, [*view.history.values()]
