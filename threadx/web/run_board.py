"""A run's page, put together from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from prompts import Words
from record.results import RunResult
from record.run_view import RunView
from reports.belief import (
    finding_rows,
    interval_rows,
    reason_lines,
    sight_lines,
    statistic_rows,
    verdict_line,
)
from reports.tables import bars_per_year_lines, figures_table, lost_lines
from threadx.web.frame import Table, Text, attribute, card, fact
from threadx.web.listing import Outcome
from threadx.web.pictures import LIVE, MARKET, Shown
from threadx.web.run_graph import RunGraph, shape
from threadx.web.run_sections import Board, Conversation, Course, Tree

VERDICTS = {"real": "good", "promising": "good", "unproven": "soft", "overfit": "bad"}
STRESSES = {"passed": "good", "weak": "soft", "failed": "bad", "skipped": "soft"}


class RunBoard:
    """The parts of the page; `draw` adds what has happened since it was last called.

    Attributes:
        view: the run as folded so far.
    """

    def __init__(self, words: Words, name: str) -> None:
        self.words = words
        self.name = name
        self.view = RunView()
        self._about = Text("p", "")
        self._state = attribute(Text("p", "", "tx-soft"), "aria-live", "polite")
        self._warning = Text("p", words("report.degraded"), "tx-warn")
        self._warning.set_visibility(False)
        self._graph_box = ui.element("div")
        self._graph: RunGraph | None = None
        self._most: int | None = None
        self._reviews = False
        self._facts = ui.element("div").classes("tx-facts")
        with self._facts:
            help_text = words("web.run.score_help")
            self._start = fact(words("web.run.score_start"), words("web.run.no_score"), help_text)
            self._score = fact(words("web.run.score_now"), words("web.run.no_score"), help_text)
            self._iteration = fact(words("web.run.iteration"), "–")
            self._tried = fact(words("web.run.tried"), "–")
        self._verdict = ui.element("div")
        with card(words("web.section.charts")) as self._progress, ui.element("div").classes("tx-charts"):
            self._live = [Shown(words, name, what) for what in LIVE]
        self._board = Board(words)
        with card(words("web.section.market")) as self._market:
            self._prices = [Shown(words, name, what) for what in MARKET]
            self._folds = Shown(words, name, "folds")
        for hidden in (self._progress, self._market):
            hidden.set_visibility(False)
        self._tree = Tree(words)
        self._conversation = Conversation(words)
        self._course = Course(words)
        self._report = ui.element("div")

    def know(self, about: Mapping[str, Any]) -> None:
        """Draw the graph that `run.json` describes, once."""
        if self._graph is not None:
            return
        context = about.get("context", {})
        self._most = context.get("max_iterations")
        # A review tries nothing: it has no course of scores to show.
        self._reviews = about.get("graph") == "review"
        self._facts.set_visibility(not self._reviews)
        with self._graph_box:
            self._graph = RunGraph(self.words, shape(str(about.get("graph")), context))

    def draw(self, size: int) -> None:
        """Bring the page up to date with the view.

        Args:
            size: of the log that the view was folded from.
        """
        view, words = self.view, self.words
        if view.dataset is not None and view.strategy is not None:
            self._about.set_text(
                words(
                    "web.run.about_review" if self._reviews else "web.run.about",
                    strategy=view.strategy,
                    symbol=view.dataset["symbol"],
                    timeframe=view.dataset["timeframe"],
                )
            )
        self._state.set_text(self._state_line())
        self._warning.set_visibility(view.degraded)
        if self._graph is not None:
            self._graph.light(
                view.at_work, iteration=view.iteration, most=self._most, over=view.status is not None
            )
        if view.initial_score is not None:
            self._start.set_text(words.number(view.initial_score))
        if view.score is not None:
            self._score.set_text(words.number(view.score))
        if view.iteration:
            self._iteration.set_text(str(view.iteration))
        self._tried.set_text(str(sum(trial.score is not None for trial in view.trials.values())))
        for part in (self._board, self._tree, self._conversation, self._course):
            part.draw(view)
        self._draw_charts(size)

    def _draw_charts(self, size: int) -> None:
        """Charts of the search change with each selection, those of the champion with the champion."""
        view = self.view
        if view.initial_score is None:
            return
        self._progress.set_visibility(not self._reviews)
        selected = sum(step.score is not None for step in view.steps.values())
        for chart in self._live:
            chart.show(selected, size)
        if view.champion_spec is not None:
            self._market.set_visibility(True)
            for chart in self._prices:
                chart.show(view.champion, size)
            if view.folds:
                self._folds.show(view.champion, size)

    def _state_line(self) -> str:
        view, words = self.view, self.words
        if view.status is not None and view.stop_reason is not None:
            reason = words(f"optimization.stop.{view.stop_reason}")
            return words(f"report.status.{view.status}", reason=reason)
        if view.status is not None and self._reviews:
            return words("web.run.reviewed")
        if view.last_time is None:
            return words("web.run.waiting")
        last = words("web.run.last", time=view.last_time[11:19])
        if view.at_work is None:
            return last
        return f"{words('web.run.now', node=words(f'web.node.{view.at_work}'))}. {last}"

    def close(self, outcome: Outcome, size: int) -> None:
        """Draw what only a finished run has: the figures on both parts of the data, and the report."""
        words = self.words
        for scroll in (self._conversation.scroll, self._course.scroll):
            scroll.classes(remove="tx-live")
        if outcome.result.get("graph") == "review":
            with self._verdict, card(words("web.section.verdict")):
                _report(outcome)
            return
        result = outcome.result
        head, rows, note = figures_table(result, words)
        with self._verdict, card(words("web.section.verdict")):
            if result.get("verdict"):
                Text(
                    "p", verdict_line(result, words), f"tx-verdict tx-{VERDICTS[result['verdict']['value']]}"
                )
                for line in sight_lines(result, words):
                    Text("p", line)
                with ui.element("ul").classes("tx-list"):
                    for reason in reason_lines(result, words):
                        Text("li", reason)
            elif not result["champion"]["holdout"]:
                Text("p", words("explain.untested"), "tx-warn")
            table = Table(head, numbers=range(1, len(head)))
            for row in rows:
                table.row(row)
            Text("p", note, "tx-soft")
            for line in lost_lines(result, words):
                Text("p", line, "tx-bad")
            for line in bars_per_year_lines(result["champion"]["development"].get("bars_per_year"), words):
                Text("p", line, "tx-soft")
            if result["champion"]["holdout"]:
                Text("p", words("report.holdout_note"), "tx-soft")
            with ui.element("p"):
                Text("code", result["champion"]["description"])
            if result["champion"]["holdout"]:
                Shown(words, self.name, "holdout").show("holdout", size)
        if result.get("verdict"):
            with self._verdict, card(words("web.section.stress")):
                self._believe(result)
        with self._report, ui.expansion(words("web.section.report"), icon="description"):
            _report(outcome)

    def _believe(self, result: RunResult) -> None:
        """What the verdict rests on: stress tests, and the statistics folded away."""
        words = self.words
        table = Table([words(f"web.stress.{name}") for name in ("test", "outcome", "told")], prose=[2])
        for finding, row in zip(result["stress"], finding_rows(result, words), strict=True):
            table.row(row)[1].classes(f"tx-{STRESSES[finding['outcome']]}")
        with ui.expansion(words("web.stress.statistics"), icon="functions").classes("tx-wide"):
            figures = Table([words("report.table.item"), words("report.table.value")], numbers=[1])
            for row in statistic_rows(result, words):
                figures.row(row)
            head = (words("report.table.metric"), words("web.stress.inside"), words("web.stress.outside"))
            intervals = Table(head, numbers=[1, 2])
            for row in interval_rows(result, words):
                intervals.row(row)


def _report(outcome: Outcome) -> None:
    """The whole report; it is escaped where it is made, and what a model wrote is never markup."""
    ui.html(outcome.report, sanitize=False).classes("tx-report")
