"""Results of the Python interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtest import StrategySpec
from nodes.context import Context
from prompts import Words
from record.record import RunRecord, as_recorded
from record.results import ReviewedProposal, ReviewRecord, RunResult
from record.run_tables import RETURNS, table_or_none
from record.types import Analysis, Change
from reports.backtest_card import html_table
from reports.belief import sight_lines
from reports.tables import figures_table

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, kw_only=True)
class AppliedChange:
    """One change that was kept.

    Attributes:
        iteration: when.
        description: one sentence in the run's language.
        kind: `param_adjustment`, `add_filter` or `risk_management`.
        reason: why the strategist proposed it.
        score_before, score_after: 0–10, on development data.
        change: the typed change as JSON.
    """

    iteration: int
    description: str
    kind: str
    reason: str
    score_before: float
    score_after: float
    change: Change

    def __getitem__(self, name: str) -> Any:
        """An attribute by its name: `change["description"]`.

        Raises:
            KeyError: there is no such attribute.
        """
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)


@dataclass(frozen=True, kw_only=True, repr=False)
class OptimizationResult:
    """The outcome of an optimisation run.

    Attributes:
        run: name of the run; its files lie in `folder`.
        status: `finished`; `untested` if no proposal was tested; `failed` if there was no proposal. In the
            last two cases the holdout stays closed and there is no verdict.
        degraded: whether `rules` replaced a model that did not answer.
        iterations: number of iterations.
        initial_score, final_score: 0–10, computed by code on development data.
        metrics: of the champion on development data, by name; None where undefined.
        holdout_metrics: of the champion on the holdout, if it was opened.
        applied_changes: the changes kept, in order.
        champion: the strategy found.
        folder: `<home>/runs/<run>`, with result.json, report.md and events.jsonl.
        details: the whole result, as written to result.json.
    """

    run: str
    status: str
    degraded: bool
    iterations: int
    initial_score: float
    final_score: float
    metrics: dict[str, Any]
    holdout_metrics: dict[str, Any] | None
    applied_changes: tuple[AppliedChange, ...]
    champion: StrategySpec
    folder: Path
    details: RunResult

    @classmethod
    def from_details(cls, details: RunResult, folder: Path) -> OptimizationResult:
        """Read a result as the graph or result.json holds it."""
        return cls(
            run=details["run"]["id"],
            status=details["status"],
            degraded=details["degraded"],
            iterations=details["iterations"],
            initial_score=details["initial_score"],
            final_score=details["final_score"],
            metrics=details["metrics"],
            holdout_metrics=details["holdout_metrics"],
            applied_changes=tuple(AppliedChange(**change) for change in details["applied_changes"]),
            champion=StrategySpec.model_validate(details["champion"]["strategy"]),
            folder=folder,
            details=details,
        )

    @property
    def verdict(self) -> str | None:
        """`real`, `promising`, `unproven` or `overfit`; None if nothing was judged.

        Its evidence is in `details["verdict"]`.
        """
        judged = self.details.get("verdict")
        return judged["value"] if judged else None

    @property
    def attribution(self) -> dict[str, Any] | None:
        """What holding earned and what the timing added, a year, on `development` and `holdout`.

        Of each `exposure`, `holding`, `timing` and the 95 % interval of the timing, `low` and `high`, as
        fractions. None if nothing was judged, or by an earlier version.
        """
        return self.details.get("attribution")

    def plot(self, path: str | Path | None = None) -> alt.VConcatChart:
        """Initial strategy, champion and buy and hold on the holdout, and the change of each metric.

        Args:
            path: written there too: .png, .svg, .pdf or .html.

        Raises:
            ReportError: `unknown_picture`.
            OSError: the file cannot be written.
        """
        from reports.charts.holdout import holdout_chart  # noqa: PLC0415  # the drawing library takes 0.7 s that only a drawing has
        from reports.pictures import write_picture  # noqa: PLC0415

        words = Words(Context().language)
        chart = holdout_chart(
            self.details, words, returns=table_or_none(self.folder, RETURNS), about=self.run
        )
        if path is not None:
            write_picture(chart, Path(path))
        return chart

    def __repr__(self) -> str:
        return f"<OptimizationResult {self._line()}>"

    def _repr_html_(self) -> str:
        words = Words(Context().language)
        head, rows, note = figures_table(self.details, words)
        figures = f"{html_table(head, rows)}<div><small>{escape(note)}</small></div>"
        seen = sight_lines(self.details, words) if self.verdict else []
        told = "".join(f"<div>{escape(line)}</div>" for line in seen)
        return f"<div><div><b>{escape(self._line())}</b></div>{told}{figures}</div>"

    def _line(self) -> str:
        """The result in one line."""
        words = Words(Context().language)
        verdict = self.verdict
        judged = f"verdict.short.{verdict}" if verdict else f"command.run_status.{self.status}"
        return words(
            "command.result_line",
            run=self.run,
            strategy=self.champion.name,
            verdict=words(judged),
            before=words.number(self.initial_score),
            after=words.number(self.final_score),
            changes=words.number(len(self.applied_changes)),
        )

    def to_json(self) -> str:
        """The whole result as JSON text."""
        return json.dumps(self.details, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class ReviewResult:
    """The outcome of a review: nothing was tested, nothing was changed.

    Attributes:
        run: name of the run; its files lie in `folder`.
        status: `finished`, or `failed` if no model answered.
        degraded: whether `rules` replaced a model that did not answer.
        score: 0–10, of the strategy on development data.
        metrics: of the strategy on development data, by name; None where undefined.
        analysis: strengths, weaknesses and hypotheses; None if the analyst abstained.
        proposals: possible changes, each with its reason, expected effect and verdict.
        folder: `<home>/runs/<run>`.
        details: the whole result, as written to result.json.
    """

    run: str
    status: str
    degraded: bool
    score: float
    metrics: dict[str, Any]
    analysis: Analysis | None
    proposals: tuple[ReviewedProposal, ...]
    folder: Path
    details: ReviewRecord

    @classmethod
    def from_details(cls, details: ReviewRecord, folder: Path) -> ReviewResult:
        """Read a result as result.json holds it."""
        return cls(
            run=details["run"]["id"],
            status=details["status"],
            degraded=details["degraded"],
            score=details["development"]["score"],
            metrics=details["development"]["metrics"],
            analysis=details["analysis"],
            proposals=tuple(details["proposals"]),
            folder=folder,
            details=details,
        )

    def to_json(self) -> str:
        """The whole result as JSON text."""
        return json.dumps(self.details, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A run that waits for a person's decision on its proposals.

    Attributes:
        run: name of the run.
        folder: `<home>/runs/<run>`.
        question: `iteration`, `proposals` (number, sentence, reason, expected_effect, change, verdict).
    """

    run: str
    folder: Path
    question: dict[str, Any]

    def to_json(self) -> str:
        """The question as JSON text."""
        told = {"run": self.run, "status": "waiting", **self.question}
        return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class SummaryResult:
    """The outcome of an ensemble run.

    Attributes:
        status: `finished`, `degraded` or `failed`.
        degraded: whether rules answered in place of a model, or an agent abstained.
        hour: as of which (UTC).
        summary: the published summary, valid by its schema; None if there is none.
        path: where it was published.
        failure: why there is no summary: `no_data`, or the arbiter's error code.
    """

    status: str
    degraded: bool
    hour: datetime
    summary: dict[str, Any] | None
    path: Path | None
    failure: str | None = None

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> SummaryResult:
        """Read a result as the graph or a run's result.json holds it."""
        path = details.get("summary_path")
        return cls(
            status=details["status"],
            degraded=details["degraded"],
            hour=datetime.fromisoformat(details["hour"]),
            summary=details.get("summary"),
            path=Path(path) if path else None,
            failure=details.get("failure"),
        )


def read_result(record: RunRecord) -> OptimizationResult | ReviewResult:
    """The result of a finished run.

    Raises:
        ReportError: `unknown_run`, `no_result` or `unreadable_record`.
    """
    about = record.about()
    with as_recorded(record.result_path):
        if about["graph"] == "review":
            return ReviewResult.from_details(record.review_result(), record.folder)
        return OptimizationResult.from_details(record.run_result(), record.folder)
